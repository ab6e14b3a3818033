"""The deadline of the batch: is the day that is due done; if not, what Slack and Dagster are told.

A day is done once RAW, every mart and Power BI have been brought up to it, whichever runs did it.
"""

from datetime import date
from typing import Final, NamedTuple

import dagster as dg

from veracitypro_pipeline.lineage import JOB_NAME, MART, POWERBI_DATASET, RAW_KEEPA, model_key
from veracitypro_pipeline.notify import messages
from veracitypro_pipeline.notify.messages import Links, Message
from veracitypro_pipeline.partitions import runs_of_day
from veracitypro_pipeline.resources.warehouse.resource import WarehouseResource
from veracitypro_pipeline.runs.events import run_summary, was_stopped
from veracitypro_pipeline.service_levels import MARTS, Freshness, freshness, newest_days
from veracitypro_pipeline.transform.service_levels import freshness_evaluations

_STATES: Final = {
    dg.DagsterRunStatus.STARTED: "is at work",
    dg.DagsterRunStatus.FAILURE: "has failed",
    dg.DagsterRunStatus.CANCELED: "was canceled",
    dg.DagsterRunStatus.SUCCESS: "has ended without all that makes the day",
}


class Missed(NamedTuple):
    """A deadline that was missed: what to say, and how fresh each mart is, as its check says it.

    The check's last evaluation may be that of a better day, or "execution failed", while nobody has
    looked at the rows. There are none while a run may still evaluate them, because the later one
    would count as the older: Dagster writes it where the run has planned it.
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
    """What to say of the batch of a day at its deadline; None if it is done."""
    if is_done(instance, day):
        return None
    newest = next(iter(runs_of_day(instance, day)), None)
    state = (
        f"Run {newest.run_id[:8]} {_STATES.get(newest.status, 'waits for its turn')}."
        if newest
        else "No run of it has begun."
    )
    # Of a failed run, somebody has been told, unless its process was told to end.
    is_news = (
        newest is None
        or newest.status is not dg.DagsterRunStatus.FAILURE
        or was_stopped(run_summary(instance, newest.run_id))
    )
    found = _freshness(warehouse, day)
    late = None if found is None else _ends_of_late(found)
    message = messages.deadline_missed(JOB_NAME, day, deadline, state, late, links, is_news=is_news)
    is_quiet = newest is None or newest.is_finished
    return Missed(message, freshness_evaluations(found or [], day) if is_quiet else [])


def is_done(instance: dg.DagsterInstance, day: date) -> bool:
    """Whether readers see the data of a day. A refresh of Power BI alone brings none."""
    return all(
        instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[day.isoformat()]), limit=1
        ).records
        for key in (POWERBI_DATASET, RAW_KEEPA, *(model_key(MART, mart) for mart in MARTS))
    )


def _ends_of_late(found: list[Freshness]) -> dict[str, date]:
    return {mart.mart: mart.newest_date for mart in found if mart.is_late and mart.newest_date}


def _freshness(warehouse: WarehouseResource, day: date) -> list[Freshness] | None:
    """Of each mart; None if nobody can tell now."""
    try:
        return freshness(warehouse.query(newest_days(MARTS)).dicts(), day)
    except dg.Failure:
        return None
