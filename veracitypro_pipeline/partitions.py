"""The daily partitions, and the as-of days of a run.

A partition key is an as-of day: the last whole UTC day that its sync can see. The run of as-of day
D reads Keepa shortly after midnight of D+1.
"""

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import dagster as dg

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.settings import Settings

# Beta in Dagster 1.13. Dagster is pinned, and tests cover it.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)

# Read once, when the code location loads, because asset definitions cannot change later.
FIRST_AS_OF_DATE: Final = Settings.load().first_as_of_date

daily_as_of: Final = dg.DailyPartitionsDefinition(
    start_date=FIRST_AS_OF_DATE.isoformat(), timezone="UTC"
)

# A build reads the load of its own day, so a backfill has one run per day.
ONE_DAY_A_RUN: Final = dg.BackfillPolicy.multi_run()

# A day can be synced until so many days after its end. A later sync would store the products of its
# own time under a day long past.
SYNC_DAYS: Final = 7

# Part of the descriptions of the assets and of the job, in Markdown.
ABOUT_PARTITIONS: Final = f"""\
**Partitions** are runs, not rows: the key is the as-of day of a nightly run. A *missing* partition
means that no run of that day is known here. Its rows may still be there, because each sync of Keepa
brings the whole history of every product.

Materializing missing days adds little. A day with a sync is loaded from S3 and costs no tokens. A
day without one is synced only within {SYNC_DAYS} days of its end, at the price of a night (tokens
per product: `VP_KEEPA_TOKENS_PER_PRODUCT`). The run of an older day is rejected. "All" starts a run
for every day since `VP_FIRST_AS_OF_DATE`. In the `local` environment the stand-ins replay each past
day, which costs only time."""

# Dagster's own tags, of a run for one partition and of a run for a range. A backfill of assets sets
# the range even for one day.
PARTITION_TAG: Final = "dagster/partition"
RANGE_START_TAG: Final = "dagster/asset_partition_range_start"
RANGE_END_TAG: Final = "dagster/asset_partition_range_end"
# Ours, of a run of checks alone: its id and the day that it judges. A re-execution inherits the
# tag, and the id shows that the day is not its own.
JUDGED_TAG: Final = ".dagster/vp_judged_day"
# Dagster's, of each run of a backfill; and ours, of such a run whose day was rejected.
BACKFILL_TAG: Final = "dagster/backfill"
_REJECTED_TAG: Final = ".dagster/vp_is_refused"


def newest_as_of_date(now: datetime) -> date:
    """The newest day that is over at `now`: yesterday in UTC."""
    return now.astimezone(UTC).date() - timedelta(days=1)


def end_of(as_of_date: date) -> datetime:
    """The end of an as-of day: the UTC midnight after it."""
    return datetime.combine(as_of_date + timedelta(days=1), time(), tzinfo=UTC)


def check_as_of_date(as_of_date: date, now: datetime) -> date:
    """Return the day if a batch can be run for it at `now`.

    Raises:
        ValueError: the day is not over yet, or is before the first partition.
    """
    newest = newest_as_of_date(now)
    if as_of_date > newest:
        raise ValueError(
            f"The as-of day {as_of_date} is not over yet: the newest day that can be run is"
            f" {newest} (UTC); choose that or an earlier one."
        )
    if as_of_date < FIRST_AS_OF_DATE:
        raise ValueError(
            f"The as-of day {as_of_date} is before the first partition {FIRST_AS_OF_DATE}:"
            " choose that day or a later one, or set VP_FIRST_AS_OF_DATE to an earlier day."
        )
    return as_of_date


def days_between(first: date, last: date) -> list[date]:
    """All days from the first to the last, both included, oldest first."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def days_of(run: dg.DagsterRun) -> list[date]:
    """The as-of days in the tags of a run, oldest first; empty if there are none (yet)."""
    return _days_of(run.run_id, run.tags)


def are_checks_alone(run: dg.DagsterRun) -> bool:
    """Whether the run executes checks and materializes nothing."""
    return bool(run.asset_check_selection) and not run.asset_selection


def day_of_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> date:
    """The as-of day of a run in progress.

    Checks executed alone have no partition. They judge the newest day for which each of their
    assets has been materialized. The run is tagged with it, so that all its steps and later readers
    use the same day.

    Raises:
        PermanentFailure: the run has several days or none, or no checked asset was materialized.
    """
    known = instance.get_run_by_id(run.run_id) or run
    days = days_of(known)
    if len(days) == 1:
        return days[0]
    if days:
        raise PermanentFailure(
            f"This run is for the {len(days)} days from {days[0]} to {days[-1]}, but a run loads"
            " one day: start the backfill with one run per partition."
        )
    if not are_checks_alone(run):
        raise PermanentFailure("This run has no partition: start it again for an as-of day.")
    judged = _newest_day_of_checked(instance, run)
    instance.add_run_tags(run.run_id, {JUDGED_TAG: f"{run.run_id} {judged}"})
    return judged


def day_of_step(
    context: dg.OpExecutionContext | dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
) -> date:
    """The as-of day of a step's run. Raises as `day_of_run` does."""
    if context.has_partition_key:
        return date.fromisoformat(context.partition_key)
    return day_of_run(context.instance, context.run)


def mark_as_rejected(instance: dg.DagsterInstance, run_id: str) -> None:
    """Tag a run of a backfill whose day cannot be run, so that Slack skips it: a backfill of all
    days has hundreds of them, and the person who started it sees their end."""
    run = instance.get_run_by_id(run_id)
    if run is not None and BACKFILL_TAG in run.tags:
        instance.add_run_tags(run_id, {_REJECTED_TAG: run_id})


def is_rejected(run: dg.DagsterRun) -> bool:
    """Whether `mark_as_rejected` tagged this run, not the run that it repeats."""
    return run.tags.get(_REJECTED_TAG) == run.run_id


def explained(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The assets with an explanation of their partitions in the description."""
    return assets.map_asset_specs(
        lambda spec: spec.replace_attributes(
            description=f"{spec.description}\n\n{ABOUT_PARTITIONS}"
        )
    )


def runs_of_day(
    instance: dg.DagsterInstance,
    day: date,
    statuses: Sequence[dg.DagsterRunStatus] | None = None,
    created_before: datetime | None = None,
) -> list[dg.DagsterRun]:
    """The runs for a day or for a range with it, newest first, without checks alone."""
    later = [str(one) for one in days_between(day, newest_as_of_date(datetime.now(UTC)))]
    found = {
        record.dagster_run.run_id: record
        for tags in ({PARTITION_TAG: str(day)}, {RANGE_END_TAG: [*later, str(day)]})
        for record in instance.get_run_records(
            dg.RunsFilter(tags=tags, statuses=statuses, created_before=created_before)
        )
        if day in days_of(record.dagster_run)
    }
    newest_first = sorted(found.values(), key=lambda record: record.storage_id, reverse=True)
    return [record.dagster_run for record in newest_first]


def _days_of(run_id: str, tags: Mapping[str, str]) -> list[date]:
    if PARTITION_TAG in tags:
        return [date.fromisoformat(tags[PARTITION_TAG])]
    if RANGE_START_TAG in tags and RANGE_END_TAG in tags:
        first, last = (date.fromisoformat(tags[tag]) for tag in (RANGE_START_TAG, RANGE_END_TAG))
        return days_between(first, last)
    of_run, _, judged = tags.get(JUDGED_TAG, "").partition(" ")
    return [date.fromisoformat(judged)] if judged and of_run == run_id else []


def _newest_day_of_checked(instance: dg.DagsterInstance, run: dg.DagsterRun) -> date:
    checked = sorted({key.asset_key for key in run.asset_check_selection or ()})
    newest = [max(days) for key in checked if (days := instance.get_materialized_partitions(key))]
    if not newest:
        names = ", ".join(key.to_user_string() for key in checked)
        raise PermanentFailure(
            f"A check that is executed alone judges the newest day of its asset, but this Dagster"
            f" instance knows no materialization of {names}: materialize a partition first."
        )
    return date.fromisoformat(min(newest))
