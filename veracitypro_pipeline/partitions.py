"""The daily partitions: a key is the as-of day, the last whole UTC day that a sync can see.

The run of as-of day D reads Keepa shortly after midnight of D+1.
"""

import warnings
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import dagster as dg

# Dagster 1.13 says of both that they may still change: a check partitioned like its asset, which
# reads and judges the day of its run, and a backfill policy. Dagster is pinned; tests cover both.
for _message, _category in (
    ("Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning),
    ("Parameter `backfill_policy`", dg.BetaWarning),
):
    warnings.filterwarnings("ignore", message=_message, category=_category)

FIRST_AS_OF_DATE: Final = date(2025, 11, 15)

daily_as_of: Final = dg.DailyPartitionsDefinition(
    start_date=FIRST_AS_OF_DATE.isoformat(), timezone="UTC"
)

# A day's build reads what that day's load has brought, so a backfill is a run for each day.
ONE_DAY_A_RUN: Final = dg.BackfillPolicy.multi_run()


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
            " choose that day or a later one."
        )
    return as_of_date
