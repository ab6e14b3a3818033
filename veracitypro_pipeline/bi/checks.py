"""The check on the dataset: that readers see what this run refreshed."""

import dagster as dg

from veracitypro_pipeline.bi.refresh import is_completed, newest_ended, shows
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
    """Power BI's own history lists this day's refresh as completed, and no later one failed. If no
    mart had changed, that is the refresh of an earlier run.

    If it warns: reports show an older state than MART. Look at the dataset's refresh history;
    somebody else may refresh it at the same time.

    Runbook: infra/runbooks/dataset_is_current.md
    """
    history = powerbi.client().history()
    own = powerbi_veracitypro.request_id
    newest = newest_ended(history)
    listed = is_completed(history, own)
    skipped = f"{powerbi_veracitypro.skipped} " if powerbi_veracitypro.skipped else ""
    return dg.AssetCheckResult(
        passed=shows(history, own),
        severity=dg.AssetCheckSeverity.WARN,
        description=skipped
        + (
            f"Refresh {own} is {'listed as completed' if listed else 'not listed'}; the newest"
            f" that ended is {newest.get('requestId')} ({newest.get('status')})."
            if newest
            else f"Power BI lists no refresh that ended, not even {own}."
        ),
        metadata={"request_id": own, "refreshes_listed": len(history)},
    )


CHECKS = [dataset_is_current]
