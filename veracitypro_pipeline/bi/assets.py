"""The Power BI dataset as an asset: refreshed when every mart is built and no blocking check is
red.

Power BI allows few refreshes a day, so a run skips the refresh if no mart has changed since the
last good one.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from veracitypro_pipeline.bi.refresh import (
    RefreshState,
    changed,
    next_start,
    reason_of,
    seconds_of,
    shows,
    state_of,
)
from veracitypro_pipeline.failures import PermanentFailure, TransientFailure
from veracitypro_pipeline.lineage import (
    BI,
    JOB_NAME,
    MART,
    OWNERS,
    POWERBI_DATASET,
    STAGE_VALUES_IO,
    landing_key,
)
from veracitypro_pipeline.partitions import ONE_DAY_A_RUN, daily_as_of
from veracitypro_pipeline.resources.powerbi import PowerBIResource
from veracitypro_pipeline.resources.state_store import StateStore
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.sources import STREAMS
from veracitypro_pipeline.stage_values.landing import LandingManifest
from veracitypro_pipeline.stage_values.refresh import (
    RefreshClaim,
    RefreshedMarts,
    RefreshReport,
)
from veracitypro_pipeline.step_guard import final_when_interrupted

if TYPE_CHECKING:
    from veracitypro_pipeline.resources.powerbi import PowerBIClient

_NAME: Final = "/".join(POWERBI_DATASET.path)
# The key of the marts that the last good refresh read.
REFRESHED: Final = f"{_NAME}/refreshed"
_USABLE: Final = frozenset({RefreshState.RUNNING, RefreshState.COMPLETED})


class RefreshConfig(dg.Config):
    """`force`: refresh even if no mart has changed, e.g. after the dataset was published again."""

    force: bool = False


def build_assets(
    retries: dg.RetryPolicy, marts: Sequence[dg.AssetKey]
) -> list[dg.AssetsDefinition]:
    """The assets of this stage; `marts` are the tables that the dataset imports."""

    @dg.asset(
        key=POWERBI_DATASET,
        deps=marts,
        group_name=BI,
        owners=OWNERS,
        kinds={"powerbi"},
        partitions_def=daily_as_of,
        backfill_policy=ONE_DAY_A_RUN,
        io_manager_key=STAGE_VALUES_IO,
        retry_policy=retries,
    )
    @final_when_interrupted
    def powerbi_veracitypro(
        context: dg.AssetExecutionContext,
        config: RefreshConfig,
        powerbi: PowerBIResource,
        warehouse: WarehouseResource,
        state_store: StateStore,
    ) -> dg.MaterializeResult[RefreshReport]:
        """The dataset behind every report, refreshed from MART.

        Grain: one refresh per run that changed a mart. Rows are those of the MART tables; Power BI
        does not report how many it read.
        Re-run: a retry in the same run waits for the refresh that the run has started. A run that
        changed no mart skips the refresh, unless `force` is set. A day without landed files is
        rejected.
        """
        as_of_date = context.partition_time_window.start.date()
        _require_landed(state_store, as_of_date)
        rows = sum(warehouse.row_counts(MART).values())
        marts = warehouse.content_hashes(MART)
        last = state_store.read(REFRESHED, RefreshedMarts)
        news = changed(last.marts if last else {}, marts)
        client = powerbi.client()
        claim_name = f"{_NAME}/claims/{as_of_date}"
        claim = state_store.read(claim_name, RefreshClaim)
        if (
            claim is not None
            and claim.run_id == context.op_execution_context.run_id
            and _state(client.refresh(claim.request_id)) in _USABLE
        ):
            context.log.info("An earlier try of this run has started the refresh.")
        else:
            if not (news or config.force) and last and _shows(client, last.request_id):
                return _result(_skipped(as_of_date, last, rows), news)
            _require_quota(client, powerbi.daily_refreshes)
            claim = RefreshClaim(
                as_of_date=as_of_date,
                request_id=client.start_refresh(),
                run_id=context.op_execution_context.run_id,
                marts=marts,
            )
            state_store.write(claim_name, claim)
        context.log.info(f"Waiting for Power BI refresh {claim.request_id}.")
        refresh = _finished(client, claim.request_id, powerbi)
        state_store.write(
            REFRESHED,
            RefreshedMarts(marts=claim.marts, request_id=claim.request_id, as_of_date=as_of_date),
        )
        report = RefreshReport(
            as_of_date=as_of_date,
            request_id=claim.request_id,
            rows=rows,
            seconds=seconds_of(refresh),
        )
        return _result(report, news)

    return [powerbi_veracitypro]


def _require_landed(state_store: StateStore, as_of_date: date) -> None:
    """Raises PermanentFailure if no files were ever landed for the day."""
    names = [f"{landing_key(stream).to_user_string()}/{as_of_date}" for stream in STREAMS]
    if all(state_store.read(name, LandingManifest) is None for name in names):
        raise PermanentFailure(
            f"No files have been landed for {as_of_date}, so there is nothing to refresh:"
            f" run the whole day first (job {JOB_NAME}), or choose a day that was run."
        )


def _shows(client: "PowerBIClient", request_id: str) -> bool:
    """Raises PermanentFailure as `_state` does."""
    try:
        return shows(client.history(), request_id)
    except ValueError as error:
        raise PermanentFailure(str(error)) from error


def _skipped(as_of_date: date, last: RefreshedMarts, rows: int) -> RefreshReport:
    return RefreshReport(
        as_of_date=as_of_date,
        request_id=last.request_id,
        rows=rows,
        seconds=0.0,
        skipped=(
            f"No mart has changed since refresh {last.request_id}, which the run of"
            f" {last.as_of_date} started."
        ),
    )


def _result(report: RefreshReport, news: list[str]) -> dg.MaterializeResult[RefreshReport]:
    metadata: dict[str, Any] = {
        "request_id": report.request_id,
        "rows_in": report.rows,
        "rows_out": report.rows,
        "rows_refused": 0,
        "refresh_seconds": report.seconds,
        "changed_marts": news,
    }
    if report.skipped is not None:
        metadata["skipped"] = report.skipped
    return dg.MaterializeResult(value=report, metadata=metadata)


def _require_quota(client: "PowerBIClient", limit: int) -> None:
    """Raises PermanentFailure if a refresh now would exceed the limit within 24 hours."""
    start = next_start(client.history(limit), limit, datetime.now(UTC))
    if start is not None:
        raise PermanentFailure(
            f"The dataset was refreshed {limit} times within 24 hours, which is all that Power BI"
            f" allows (POWERBI_DAILY_REFRESHES, 8 on shared capacity, 48 on Premium or Fabric):"
            f" materialize this asset again after {start:%Y-%m-%d %H:%M} UTC."
        )


def _finished(
    client: "PowerBIClient", request_id: str, powerbi: PowerBIResource
) -> Mapping[str, Any]:
    """Wait for the refresh and return its history entry.

    Raises:
        TransientFailure: it failed, or is still running at the time-out.
        PermanentFailure: refreshes are disabled, or it was cancelled.
    """
    give_up_at = time.monotonic() + powerbi.timeout_seconds
    while True:
        refresh = client.refresh(request_id)
        state = _state(refresh)
        if refresh is not None and state is RefreshState.COMPLETED:
            return refresh
        if refresh is not None and state is RefreshState.FAILED:
            raise TransientFailure(
                f"Power BI refresh {request_id} failed: {reason_of(refresh)}; the next try"
                " starts it again."
            )
        if state is not RefreshState.RUNNING:
            raise PermanentFailure(
                f"Power BI refresh {request_id} ended as {state}: look at the dataset's refresh"
                " history and settings, then materialize this asset again."
            )
        if time.monotonic() > give_up_at:
            raise TransientFailure(
                f"Power BI refresh {request_id} is still running after"
                f" {powerbi.timeout_seconds:.0f} s (POWERBI_TIMEOUT_SECONDS)."
            )
        time.sleep(powerbi.poll_seconds)


def _state(refresh: Mapping[str, Any] | None) -> RefreshState:
    """Raises PermanentFailure if Power BI returns an undocumented status."""
    try:
        return state_of(refresh)
    except ValueError as error:
        raise PermanentFailure(str(error)) from error
