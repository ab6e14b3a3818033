"""The deadline of the batch: is the day that is due done, and what Slack hears if it is not.

Done is a day that Power BI has been refreshed for, whichever run did it.
"""

from datetime import date
from typing import Final

import dagster as dg

from veracitypro_pipeline.lineage import JOB_NAME, POWERBI_DATASET
from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.notify.messages import Links, Message
from veracitypro_pipeline.resources.warehouse import WarehouseResource
from veracitypro_pipeline.run_events import PARTITION_TAG
from veracitypro_pipeline.service_levels import MARTS, freshness, newest_days

_STATES: Final = {
    dg.DagsterRunStatus.STARTED: "is at work",
    dg.DagsterRunStatus.FAILURE: "has failed",
    dg.DagsterRunStatus.CANCELED: "was canceled",
    dg.DagsterRunStatus.SUCCESS: "has ended without a refresh of Power BI",
}


def missed(
    instance: dg.DagsterInstance,
    warehouse: WarehouseResource,
    day: date,
    deadline: str,
    links: Links,
) -> Message | None:
    """What to say of the batch of a day at its deadline; None if it is done."""
    refreshed = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=POWERBI_DATASET, asset_partitions=[day.isoformat()]),
        limit=1,
    )
    if refreshed.records:
        return None
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: day.isoformat()}), limit=1)
    newest = runs[0] if runs else None
    state = (
        f"Run {newest.run_id[:8]} {_STATES.get(newest.status, 'waits for its turn')}."
        if newest
        else "No run of it has begun."
    )
    # Of a failed run, somebody has been told.
    is_news = newest is None or newest.status is not dg.DagsterRunStatus.FAILURE
    return messages.deadline_missed(
        JOB_NAME, day, deadline, state, _late_marts(warehouse, day), links, is_news=is_news
    )


def _late_marts(warehouse: WarehouseResource, day: date) -> dict[str, date] | None:
    """Each late mart and its newest day; None if nobody can tell now."""
    try:
        found = freshness(warehouse.query(newest_days(MARTS)).dicts(), day)
    except dg.Failure:
        return None
    return {mart.mart: mart.newest_date for mart in found if mart.is_late and mart.newest_date}
