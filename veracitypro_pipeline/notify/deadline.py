"""The deadline of the batch: whether the due day is done, and what is reported if it is not.

A day is done once RAW, every mart and Power BI were materialized for it, by whichever runs.
"""

from datetime import date
from typing import Final, NamedTuple

import dagster as dg

from veracitypro_pipeline.lineage import JOB_NAME, MART, POWERBI_DATASET, model_key, raw_key
from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.notify.messages import Links, Message
from veracitypro_pipeline.partitions import runs_of_day
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.runs.events import run_summary, was_stopped
from veracitypro_pipeline.service_levels import MARTS, Freshness, freshness, newest_days
from veracitypro_pipeline.sources import STREAMS
from veracitypro_pipeline.transform.freshness_and_volume import freshness_evaluations

_STATES: Final = {
    dg.DagsterRunStatus.STARTED: "is in progress",
    dg.DagsterRunStatus.FAILURE: "has failed",
    dg.DagsterRunStatus.CANCELED: "was canceled",
    dg.DagsterRunStatus.SUCCESS: "ended without all that the day needs",
}


class Missed(NamedTuple):
    """A missed deadline: the Slack message, and evaluations of `data_is_fresh` for each mart.

    Without these the check would still show its last result, from a better day, or "execution
    failed". There are none while a run is in progress: its own evaluation, although newer, would
    count as the older one, because Dagster dates it to when the run planned it.
    """

    message: Message
    evaluations: list[dg.AssetCheckEvaluation]


def missed(
    instance: dg.DagsterInstance,
    warehouse: WarehouseResource,
    day: date,
    deadline: str,
    links: Links,
) -> Missed | None:
    """What to report about a day at its deadline (HH:MM UTC); None if the day is done."""
    if is_done(instance, day):
        return None
    newest = next(iter(runs_of_day(instance, day)), None)
    state = (
        f"Run {newest.run_id[:8]} {_STATES.get(newest.status, 'is queued')}."
        if newest
        else "No run of it has started."
    )
    # A failed run has already mentioned a person, unless its process was stopped from outside.
    is_news = (
        newest is None
        or newest.status is not dg.DagsterRunStatus.FAILURE
        or was_stopped(run_summary(instance, newest.run_id))
    )
    found = _freshness(warehouse, day)
    late = None if found is None else _newest_days_of_late(found)
    message = messages.deadline_missed(JOB_NAME, day, deadline, state, late, links, is_news=is_news)
    is_quiet = newest is None or newest.is_finished
    return Missed(message, freshness_evaluations(found or [], day) if is_quiet else [])


def is_done(instance: dg.DagsterInstance, day: date) -> bool:
    """Whether reports show the data of the day. A refresh of Power BI alone brings no data."""
    return all(
        instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day.isoformat()]), limit=1
        ).records
        for key in (
            POWERBI_DATASET,
            *(raw_key(stream) for stream in STREAMS),
            *(model_key(MART, mart) for mart in MARTS),
        )
    )


def _newest_days_of_late(found: list[Freshness]) -> dict[str, date]:
    return {mart.mart: mart.newest_date for mart in found if mart.is_late and mart.newest_date}


def _freshness(warehouse: WarehouseResource, day: date) -> list[Freshness] | None:
    """The freshness of each mart; None if the warehouse cannot be queried."""
    try:
        return freshness(warehouse.query(newest_days(MARTS)).dicts(), day)
    except dg.Failure:
        return None
