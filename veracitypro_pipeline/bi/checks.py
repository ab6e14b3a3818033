"""The check on the dataset: that readers see what this run refreshed."""

import dagster as dg

from veracitypro_pipeline.bi.refresh import RefreshState, state_of
from veracitypro_pipeline.failures import CHECK_RETRIES, final_when_interrupted
from veracitypro_pipeline.handover import RefreshReport
from veracitypro_pipeline.lineage import POWERBI_DATASET
from veracitypro_pipeline.partitions import daily_as_of
from veracitypro_pipeline.resources.powerbi import PowerBIResource


@dg.asset_check(asset=POWERBI_DATASET, partitions_def=daily_as_of, retry_policy=CHECK_RETRIES)
@final_when_interrupted
def dataset_is_current(
    powerbi_veracitypro: RefreshReport, powerbi: PowerBIResource
) -> dg.AssetCheckResult:
    """Power BI's own history lists this run's refresh as completed, and no later one failed.

    If it warns: reports show an older state than MART. Look at the dataset's refresh history;
    somebody else may refresh it at the same time.
    """
    history = powerbi.client().history()
    own = powerbi_veracitypro.request_id
    ended = [entry for entry in history if state_of(entry) is not RefreshState.RUNNING]
    newest = ended[0] if ended else None
    listed = any(
        entry.get("requestId") == own and state_of(entry) is RefreshState.COMPLETED
        for entry in ended
    )
    passed = listed and newest is not None and state_of(newest) is RefreshState.COMPLETED
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=(
            f"Refresh {own} is {'listed as completed' if listed else 'not listed'}; the newest"
            f" that ended is {newest.get('requestId')} ({newest.get('status')})."
            if newest
            else f"Power BI lists no refresh that ended, not even {own}."
        ),
        metadata={"request_id": own, "refreshes_listed": len(history)},
    )


CHECKS = [dataset_is_current]
