"""The daily partitions, and which as-of days a run is for.

A partition key is an as-of day: the last whole UTC day that the day's sync can see. The run of
as-of day D reads Keepa shortly after midnight of D+1.
"""

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import dagster as dg

from veracitypro_pipeline.failures import PermanentFailure
from veracitypro_pipeline.settings import Settings

# Dagster 1.13 may still change backfill policies. Dagster is pinned; tests cover them.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)

# Read once, when the code location loads: Dagster keeps the partitions of an asset definition.
FIRST_AS_OF_DATE: Final = Settings.load().first_as_of_date

daily_as_of: Final = dg.DailyPartitionsDefinition(
    start_date=FIRST_AS_OF_DATE.isoformat(), timezone="UTC"
)

# A day's build reads what that day's load has brought, so a backfill is a run for each day.
ONE_DAY_A_RUN: Final = dg.BackfillPolicy.multi_run()

# A day is synced anew up to so many days after its end. A later sync would fetch the products as
# they are then, under the name of a day long past.
SYNC_DAYS: Final = 7

# What people read of partitions beside the assets and the job (Markdown).
ABOUT_PARTITIONS: Final = f"""\
**Partitions** are runs, not rows: the key is the as-of day of a nightly run. A *missing* partition
means that no run of that day is known here. Its rows may still be there, because each sync of Keepa
brings the whole history of every product.

Materializing missing days buys little. A day whose sync is known is loaded from S3 and costs no
token. A day without a sync is synced only within {SYNC_DAYS} days of its end, at the price of a
night (tokens per product: `VP_KEEPA_TOKENS_PER_PRODUCT`); an older one is refused. "All" starts a
run for every day since `VP_FIRST_AS_OF_DATE`. In the `local` environment the stand-ins play each
past day as it was, for nothing but time."""

# Dagster's own tags: of a run for a day, and of a run for the days of a range (a backfill of assets
# gives the range even where it is one day).
PARTITION_TAG: Final = "dagster/partition"
RANGE_START_TAG: Final = "dagster/asset_partition_range_start"
RANGE_END_TAG: Final = "dagster/asset_partition_range_end"
# Ours, of a run of checks alone: its id and the day that they judge. A re-execution inherits the
# tag, and its id tells that the day is not its own.
JUDGED_TAG: Final = ".dagster/vp_judged_day"
# Dagster's, of each run of a backfill; and ours, of such a run whose day was refused.
BACKFILL_TAG: Final = "dagster/backfill"
_REFUSED_TAG: Final = ".dagster/vp_is_refused"


def newest_as_of_date(now: datetime) -> date:
    """The newest day that is over at `now`: yesterday in UTC."""
    return now.astimezone(UTC).date() - timedelta(days=1)


def end_of(as_of_date: date) -> datetime:
    """The instant at which an as-of day is over (UTC midnight that follows it)."""
    return datetime.combine(as_of_date + timedelta(days=1), time(), tzinfo=UTC)


def check_as_of_date(as_of_date: date, now: datetime) -> date:
    """Return the day if a batch can be run for it at `now`.

    Raises:
        ValueError: the day is not over yet, or lies before the first partition.
    """
    newest = newest_as_of_date(now)
    if as_of_date > newest:
        raise ValueError(
            f"The as-of day {as_of_date} is not over yet: the newest day that can be run is"
            f" {newest} (UTC); choose that or an earlier one."
        )
    if as_of_date < FIRST_AS_OF_DATE:
        raise ValueError(
            f"The as-of day {as_of_date} lies before the first partition {FIRST_AS_OF_DATE}:"
            " choose that day or a later one, or set VP_FIRST_AS_OF_DATE to an earlier day."
        )
    return as_of_date


def days_between(first: date, last: date) -> list[date]:
    """Both and the days between them, oldest first."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def days_of(run: dg.DagsterRun) -> list[date]:
    """The as-of days of a run, oldest first; none if its tags do not name one (yet)."""
    return _days_of(run.run_id, run.tags)


def are_checks_alone(run: dg.DagsterRun) -> bool:
    """Whether the run executes checks and materializes nothing."""
    return bool(run.asset_check_selection) and not run.asset_selection


def day_of_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> date:
    """The as-of day of a run at work.

    Checks that are executed alone have no partition. They judge the newest day that each of their
    assets has been materialized for; the run is tagged with it, so that all its steps, and whoever
    looks at it later, see the same day.

    Raises:
        PermanentFailure: the run has several days or none, or no asset that it checks has a day.
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


def mark_as_refused(instance: dg.DagsterInstance, run_id: str) -> None:
    """Say of a run of a backfill that its day cannot be run: one of all days has hundreds of them,
    and whoever started it sees them."""
    run = instance.get_run_by_id(run_id)
    if run is not None and BACKFILL_TAG in run.tags:
        instance.add_run_tags(run_id, {_REFUSED_TAG: run_id})


def is_refused(run: dg.DagsterRun) -> bool:
    """Whether `mark_as_refused` was said of this run."""
    return run.tags.get(_REFUSED_TAG) == run.run_id


def explained(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The assets with what people must know of their partitions in the description."""
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
    """The runs for a day, newest first, those for a range around it among them; no checks alone."""
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
