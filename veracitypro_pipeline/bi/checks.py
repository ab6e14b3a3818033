"""The checks at the end of the night: reports show this run's refresh, and it took the usual
time."""

from datetime import UTC, datetime

import dagster as dg

from veracitypro_pipeline.bi.refresh import is_completed, newest_ended, shows
from veracitypro_pipeline.lineage import INGEST, JOB_NAME, POWERBI_DATASET, stage_of
from veracitypro_pipeline.partitions import are_checks_alone, day_of_step
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.service_levels import good_nights, run_time
from veracitypro_pipeline.stage_values.refresh import RefreshReport
from veracitypro_pipeline.step_guard import CHECK_RETRIES, final_when_interrupted


@dg.asset_check(asset=POWERBI_DATASET, retry_policy=CHECK_RETRIES)
@final_when_interrupted
def dataset_is_current(
    powerbi_veracitypro: RefreshReport, powerbi: PowerBIResource
) -> dg.AssetCheckResult:
    """Power BI's history lists this day's refresh as completed, and no later one has failed. If no
    mart had changed, it is the refresh of an earlier run.

    If it warns: reports show older data than MART. Look at the dataset's refresh history; another
    refresh may have been started at the same time.

    Runbook: infra/runbooks/dataset_is_current.md
    """
    history = powerbi.client().history()
    own = powerbi_veracitypro.request_id
    try:
        newest = newest_ended(history)
        listed = is_completed(history, own)
        is_shown = shows(history, own)
    except ValueError as unknown:
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.WARN, description=str(unknown)
        )
    skipped = f"{powerbi_veracitypro.skipped} " if powerbi_veracitypro.skipped else ""
    return dg.AssetCheckResult(
        passed=is_shown,
        severity=dg.AssetCheckSeverity.WARN,
        description=skipped
        + (
            f"Refresh {own} is {'listed as completed' if listed else 'not listed'}; the newest"
            f" that ended is {newest.get('requestId')} ({newest.get('status')})."
            if newest
            else f"Power BI lists no finished refresh, not even {own}."
        ),
        metadata={"request_id": own, "refreshes_listed": len(history)},
    )


@dg.asset_check(asset=POWERBI_DATASET, retry_policy=CHECK_RETRIES)
@final_when_interrupted
def run_time_is_usual(
    context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource
) -> dg.AssetCheckResult:
    """The night took no longer than is usual for the last good nights. The description has the
    seconds, the band and its number of nights.

    If it warns: reports are correct, but later than usual and nearer to the deadline. `vp status`
    shows which stage took the time.

    Runbook: infra/runbooks/run_time_is_usual.md
    """
    # A run of selected assets without the sync, e.g. a backfill, is not a whole night.
    selected = context.run.asset_selection or ()
    has_sync = not selected or any(stage_of(key) == INGEST for key in selected)
    is_whole = has_sync and not are_checks_alone(context.run)
    record = context.instance.get_run_record_by_id(context.run.run_id)
    assert record is not None
    started = record.start_time or record.create_timestamp.timestamp()
    measured = run_time(
        good_nights(warehouse.query, JOB_NAME, day_of_step(context)),
        datetime.now(UTC).timestamp() - started,
    )
    return dg.AssetCheckResult(
        passed=not (is_whole and measured.is_slow),
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{measured}." if is_whole else "Not judged: the run began without a sync.",
        metadata=measured.metadata if is_whole else {},
    )


CHECKS = [dataset_is_current, run_time_is_usual]
