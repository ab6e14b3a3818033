"""The promises to readers: how fresh each mart is, by when, and what a usual night looks like.

Pure: queries in SQL of both engines, and functions that judge their answers. Days are as-of days
(UTC), seconds wall time.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from veracitypro_pipeline.statement import Query


class Promise(NamedTuple):
    """How fresh a mart must be. `newest_day` is SQL for the newest as-of day in its rows, and may
    be `days_allowed` behind the day of the night. `filled_if` is the configuration that it needs to
    have any rows."""

    newest_day: str
    days_allowed: int = 0
    filled_if: str | None = None


# A fetch covers the days that were over when it was made.
_DAY_BEFORE_FETCH: Final = "cast(max(last_fetched_at) - interval '1 day' as date)"

MARTS: Final[Mapping[str, Promise]] = {
    "dim_date": Promise("max(date)"),
    "dim_product": Promise(_DAY_BEFORE_FETCH),
    "fct_buybox_history_daily": Promise("max(date)"),
    "fct_category_rank_history_daily": Promise("max(date)"),
    "fct_monthly_sold": Promise("max(date)"),
    "fct_offer_count_history_daily": Promise("max(date)"),
    # Rows of an offer end when Keepa last saw it, and Keepa looks at offers every few days.
    "fct_offer_price_daily": Promise(
        "max(date)", days_allowed=7, filled_if="the Airbyte source asks Keepa for `offers`"
    ),
    "fct_price_history_daily": Promise("max(date)"),
    "fct_rank_history_daily": Promise("max(date)"),
    "fct_review_history_daily": Promise("max(date)"),
}


class Freshness(BaseModel):
    """The newest day of a mart, None if it is empty, compared with the day it should reach.

    An empty mart is never late; other checks cover it. `filled_if` is the configuration that an
    empty mart needs to have rows, if it depends on one.
    """

    mart: str
    newest_date: date | None
    days_behind: int | None
    is_late: bool
    filled_if: str | None = None


def newest_days(marts: Iterable[str]) -> str:
    """The query for the newest day of each of these marts: columns `mart`, `newest_date`."""
    return "\nunion all\n".join(
        f"select '{mart}' as mart, {MARTS[mart].newest_day} as newest_date from MART.{mart}"  # noqa: S608 - names of this module
        for mart in sorted(marts)
    )


def figures_of(marts: Iterable[str], known_until: Mapping[str, date]) -> str:
    """The query for figures of each of these marts: columns `mart`, `row_count`, `newest_date`
    (null if its rows have no day) and `new_rows` (rows of days after the mart's in
    `known_until`)."""
    return "\nunion all\n".join(
        f"select '{mart}' as mart, count(*) as row_count,"  # noqa: S608 - names of dbt models
        f" {_newest_day_or_null(mart)} as newest_date,"
        f" {_new_rows_or_null(mart, known_until.get(mart))} as new_rows from MART.{mart}"
        for mart in sorted(marts)
    )


def _newest_day_or_null(mart: str) -> str:
    return MARTS[mart].newest_day if mart in MARTS else "cast(null as date)"


def _new_rows_or_null(mart: str, known_until: date | None) -> str:
    """New rows are counted by day: a row count would not show them, because with a limited history
    most marts lose the oldest day when they gain the newest."""
    if known_until is None or mart not in MARTS or MARTS[mart].newest_day != "max(date)":
        return "cast(null as bigint)"
    return f"count(case when date > date '{known_until}' then 1 end)"


def freshness(rows: Iterable[Mapping[str, Any]], day: date) -> list[Freshness]:
    """The rows of `newest_days`, compared with the day that the marts should reach."""
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
    """The newest day whose batch must be done by `now`; each is due at `deadline` of the next
    day."""
    return now.date() - timedelta(days=1 if now.time() >= deadline else 2)


# The most and the fewest nights of a band: among fewer, one odd night would shape it.
NIGHTS: Final = 28
FEWEST_NIGHTS: Final = 7
# The reach of a band in standard deviations, estimated from the median absolute deviation (MAD) as
# for a normal distribution.
DEVIATIONS: Final = 5.0
_MAD_TO_SIGMA: Final = 1.4826

# The first good run of each as-of day, because a repeated run finds most of its work done.
_NIGHTS: Final = f"""
select as_of_date, records, size_bytes, mart_rows_out, seconds, ingest_seconds
from MONITORING.PIPELINE_RUN_MONITORING
where job = $job and status = 'success' and tests_failed = 0 and as_of_date <> $as_of_date
qualify row_number() over (partition by as_of_date order by started_at) = 1
order by as_of_date desc
limit {NIGHTS}
"""  # noqa: S608 - constants
_RUNS_TABLE_EXISTS: Final = """
select count(*) as tables
from information_schema.tables
where upper(table_schema) = 'MONITORING' and upper(table_name) = 'PIPELINE_RUN_MONITORING'
"""


class Night(NamedTuple):
    """The figures of a good night. A count that the run did not record is None."""

    as_of_date: date
    records: int | None
    size_bytes: int | None
    mart_rows_out: int | None
    seconds: float
    ingest_seconds: float | None


def good_nights(query: Query, job: str, as_of_date: date) -> list[Night]:
    """The last good nights of a job without that of the given day, newest first."""
    if not query(_RUNS_TABLE_EXISTS, {}).rows[0][0]:
        return []
    return [Night(*row) for row in query(_NIGHTS, {"job": job, "as_of_date": as_of_date}).rows]


class Band(NamedTuple):
    """The usual range: the median of so many nights, and how far a night may be from it."""

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
    """The band of these nights; None if there are too few.

    It reaches `DEVIATIONS` robust standard deviations to both sides, and at least `least_share` of
    the median: after identical nights any other would be unusual.
    """
    if len(values) < FEWEST_NIGHTS:
        return None
    middle = median(values)
    deviation = _MAD_TO_SIGMA * median(abs(value - middle) for value in values)
    return Band(middle, max(DEVIATIONS * deviation, least_share * abs(middle)), len(values))


class Measured(NamedTuple):
    """A figure of a night, and the band that it is compared with."""

    name: str
    value: float
    band: Band | None

    @property
    def is_usual(self) -> bool:
        return self.band is None or self.band.holds(self.value)

    @property
    def is_slow(self) -> bool:
        """Above the band: a short run time is not a fault."""
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


# Records: people add and remove products. Bytes: Keepa's answers grow with their history. Rows:
# some days have many new offers.
_LEAST_SHARES: Final = {"records": 0.1, "bytes a record": 0.25, "rows added a day": 0.5}
# Other work on the machine or the warehouse may slow a night by this much.
_LEAST_SHARE_OF_SECONDS: Final = 0.5


def volume(nights: Sequence[Night], tonight: Night) -> list[Measured]:
    """How much the night brought compared with others. Empty if a later day has been run: the rows
    that this one added cannot be counted any more."""
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
    """Figures by the names of `_LEAST_SHARES`; `before` is the last good night before it, if
    known."""
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
    """How long the night took compared with others that ran a sync."""
    synced = [night.seconds for night in nights if night.ingest_seconds]
    return Measured("seconds", seconds, learned(synced, _LEAST_SHARE_OF_SECONDS))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.1f}".removesuffix(".0")
