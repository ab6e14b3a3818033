"""What readers are promised: how fresh each mart is, by when, and what a usual night looks like.

Pure: questions to the warehouse as SQL of both engines, and what the answers mean. Days are as-of
days (UTC), seconds wall time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from veracitypro_pipeline.statement import Answer

# A query and its values to the answer of the warehouse.
Ask = Callable[[str, Mapping[str, Any]], Answer]


class Promise(NamedTuple):
    """How fresh a mart is to be: `newest_day` is SQL for the newest as-of day that its rows speak
    of, `days_allowed` how far that may lie behind the day it should speak of. `filled_if` names the
    configuration without which it has no rows."""

    newest_day: str
    days_allowed: int = 0
    filled_if: str | None = None


# A fetch speaks of the days that were over when it was made.
_DAY_BEFORE_FETCH: Final = "cast(max(last_fetched_at) - interval '1 day' as date)"

MARTS: Final[Mapping[str, Promise]] = {
    "dim_date": Promise("max(date)"),
    "dim_product": Promise(_DAY_BEFORE_FETCH),
    "fct_buybox_history_daily": Promise("max(date)"),
    "fct_category_rank_history_daily": Promise("max(date)"),
    "fct_monthly_sold": Promise("max(date)"),
    "fct_offer_count_history_daily": Promise("max(date)"),
    # An offer is known up to when Keepa last saw it, which looks at offers every few days.
    "fct_offer_price_daily": Promise(
        "max(date)", days_allowed=7, filled_if="the Airbyte source asks Keepa for `offers`"
    ),
    "fct_price_history_daily": Promise("max(date)"),
    "fct_rank_history_daily": Promise("max(date)"),
    "fct_review_history_daily": Promise("max(date)"),
}


class Freshness(BaseModel):
    """The newest day of a mart, None if it has no rows, against the day it should reach.

    A mart without rows has nothing that could be late; other checks look at that. `filled_if` is
    what an empty mart needs in order to have some, where a configuration decides.
    """

    mart: str
    newest_date: date | None
    days_behind: int | None
    is_late: bool
    filled_if: str | None = None


def newest_days(marts: Iterable[str]) -> str:
    """The question for the newest day of these marts: `mart`, `newest_date`."""
    return "\nunion all\n".join(
        f"select '{mart}' as mart, {MARTS[mart].newest_day} as newest_date from MART.{mart}"  # noqa: S608 - names of this module
        for mart in sorted(marts)
    )


def figures_of(marts: Iterable[str], known_until: Mapping[str, date]) -> str:
    """The question for figures of these marts: `mart`, `row_count`, `newest_date`, which is null
    where no rows have a day, and `new_rows`, those of later days than `known_until` has of it."""
    return "\nunion all\n".join(
        f"select '{mart}' as mart, count(*) as row_count,"  # noqa: S608 - names of dbt models
        f" {_newest_day_or_null(mart)} as newest_date,"
        f" {_new_rows_or_null(mart, known_until.get(mart))} as new_rows from MART.{mart}"
        for mart in sorted(marts)
    )


def _newest_day_or_null(mart: str) -> str:
    return MARTS[mart].newest_day if mart in MARTS else "cast(null as date)"


def _new_rows_or_null(mart: str, known_until: date | None) -> str:
    """Most marts have a row for each day, and lose the oldest as they gain the newest."""
    if known_until is None or mart not in MARTS or MARTS[mart].newest_day != "max(date)":
        return "cast(null as bigint)"
    return f"count(case when date > date '{known_until}' then 1 end)"


def freshness(rows: Iterable[Mapping[str, Any]], day: date) -> list[Freshness]:
    """The answer, measured against the day that the marts should reach."""
    found = []
    for row in rows:
        mart, newest = row["mart"], row["newest_date"]
        promise = MARTS[mart]
        behind = None if newest is None else max((day - newest).days, 0)
        found.append(
            Freshness(
                mart=mart,
                newest_date=newest,
                days_behind=behind,
                is_late=behind is not None and behind > promise.days_allowed,
                filled_if=promise.filled_if if newest is None else None,
            )
        )
    return found


def day_due(now: datetime, deadline: time) -> date:
    """The newest day whose batch must be done by `now`: each is due at `deadline` of the next."""
    return now.date() - timedelta(days=1 if now.time() >= deadline else 2)


# A band is learned from so many nights, and from these on: with fewer, a single odd one shapes it.
NIGHTS: Final = 28
FEWEST_NIGHTS: Final = 7
# Median absolute deviations, made comparable with standard deviations of a normal distribution.
DEVIATIONS: Final = 5.0
_MAD_TO_SIGMA: Final = 1.4826

# A night is one as-of day: its first good run, because a repetition finds most of its work done.
_NIGHTS: Final = f"""
select as_of_date, records, size_bytes, mart_rows_out, seconds, ingest_seconds
from MONITORING.PIPELINE_RUN_MONITORING
where job = $job and status = 'success' and tests_failed = 0 and as_of_date <> $as_of_date
qualify row_number() over (partition by as_of_date order by started_at) = 1
order by as_of_date desc
limit {NIGHTS}
"""  # noqa: S608 - constants
_RUNS_ARE_KEPT: Final = """
select count(*) as tables
from information_schema.tables
where upper(table_schema) = 'MONITORING' and upper(table_name) = 'PIPELINE_RUN_MONITORING'
"""


class Night(NamedTuple):
    """What a good night brought. Counts are None where the run did not say."""

    as_of_date: date
    records: int | None
    size_bytes: int | None
    mart_rows_out: int | None
    seconds: float
    ingest_seconds: float | None


def good_nights(ask: Ask, job: str, as_of_date: date) -> list[Night]:
    """The newest good nights of a job other than that of the day, newest first."""
    if not ask(_RUNS_ARE_KEPT, {}).rows[0][0]:
        return []
    return [Night(*row) for row in ask(_NIGHTS, {"job": job, "as_of_date": as_of_date}).rows]


class Band(NamedTuple):
    """What is usual: the median of so many nights, and how far a night may lie from it."""

    median: float
    reach: float
    nights: int

    @property
    def low(self) -> float:
        return max(self.median - self.reach, 0.0)

    @property
    def high(self) -> float:
        return self.median + self.reach

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return (
            f"usual is {_figure(self.low)} to {_figure(self.high)} (median {_figure(self.median)}"
            f" of the last {self.nights} good nights)"
        )


def learned(values: Sequence[float], least_share: float) -> Band | None:
    """The band that these nights teach; None if they are too few.

    It reaches `DEVIATIONS` robust standard deviations to both sides, and at least `least_share` of
    the median: nights that were all alike would make every other night odd.
    """
    if len(values) < FEWEST_NIGHTS:
        return None
    middle = median(values)
    deviation = _MAD_TO_SIGMA * median(abs(value - middle) for value in values)
    return Band(middle, max(DEVIATIONS * deviation, least_share * abs(middle)), len(values))


class Measured(NamedTuple):
    """A figure of a night, and the band it is held against."""

    name: str
    value: float
    band: Band | None

    @property
    def is_usual(self) -> bool:
        return self.band is None or self.band.holds(self.value)

    @property
    def is_slow(self) -> bool:
        """Above the band; of a time, less is no fault."""
        return self.band is not None and self.value > self.band.high

    def __str__(self) -> str:
        if self.band is None:
            return (
                f"{self.name} {_figure(self.value)}: fewer than {FEWEST_NIGHTS} good nights known"
            )
        return f"{self.name} {_figure(self.value)}: {self.band}"

    @property
    def metadata(self) -> dict[str, float]:
        """The figures by name, for Dagster's plots."""
        key = self.name.replace(" ", "_")
        if self.band is None:
            return {key: self.value}
        return {key: self.value, f"{key}_low": self.band.low, f"{key}_high": self.band.high}


# Records: products come and go by hand. Bytes: Keepa answers grow with their histories. Rows: some
# days bring many new offers.
_LEAST_SHARES: Final = {"records": 0.1, "bytes a record": 0.25, "rows added a day": 0.5}
# Other work on the machine or the warehouse makes a night this much slower without being a fault.
_LEAST_SHARE_OF_SECONDS: Final = 0.5


def volume(nights: Sequence[Night], tonight: Night) -> list[Measured]:
    """How much the night brought against others; empty if a later day is there already, because
    then nobody can tell what this one has added."""
    if any(night.as_of_date > tonight.as_of_date for night in nights):
        return []
    figures, *others = map(_volume_of, [tonight, *nights], [*nights, None])
    return [
        Measured(
            name,
            value,
            learned([other[name] for other in others if name in other], _LEAST_SHARES[name]),
        )
        for name, value in figures.items()
    ]


def _volume_of(night: Night, before: Night | None) -> dict[str, float]:
    """By the names of `_LEAST_SHARES`; `before` is the good night before it, if one is known."""
    figures: dict[str, float] = {}
    if night.records is not None:
        figures["records"] = night.records
        if night.records and night.size_bytes is not None:
            figures["bytes a record"] = night.size_bytes / night.records
    if before and night.mart_rows_out is not None and before.mart_rows_out is not None:
        days = (night.as_of_date - before.as_of_date).days
        figures["rows added a day"] = (night.mart_rows_out - before.mart_rows_out) / days
    return figures


def run_time(nights: Sequence[Night], seconds: float) -> Measured:
    """How long the night took against others that began with a sync."""
    synced = [night.seconds for night in nights if night.ingest_seconds]
    return Measured("seconds", seconds, learned(synced, _LEAST_SHARE_OF_SECONDS))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}".removesuffix(".0")
