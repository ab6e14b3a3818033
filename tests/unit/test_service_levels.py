"""When a mart is late, when a day is due, and which figures of a night are usual."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import sqlglot

from veracitypro_pipeline import service_levels
from veracitypro_pipeline.service_levels import (
    FEWEST_NIGHTS,
    MARTS,
    Band,
    Night,
    day_due,
    freshness,
    learned,
    newest_days,
    run_time,
    volume,
)
from veracitypro_pipeline.settings import Settings
from veracitypro_pipeline.statement import Statement, positional

TODAY = date(2026, 3, 31)


def a_night(days_ago: int, **fields: Any) -> Night:
    """A night with 24 products of 1,000 bytes each, which adds a hundred rows."""
    usual: dict[str, Any] = {
        "as_of_date": TODAY - timedelta(days=days_ago),
        "records": 24,
        "size_bytes": 24_000,
        "mart_rows_out": 10_000 - 100 * days_ago,
        "seconds": 60.0,
        "ingest_seconds": 10.0,
    }
    return Night(**{**usual, **fields})


BEFORE = [a_night(days_ago) for days_ago in range(1, 15)]


def odd(**fields: Any) -> list[str]:
    return [one.name for one in volume(BEFORE, a_night(0, **fields)) if not one.is_usual]


def test_a_night_like_the_others_is_usual() -> None:
    assert odd() == []
    assert odd(records=25, size_bytes=25_000) == []


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"records": 12, "size_bytes": 12_000}, "records"),
        ({"records": 0, "size_bytes": 0}, "records"),
        ({"size_bytes": 12_000}, "bytes a record"),
        ({"mart_rows_out": 9_900}, "rows added a day"),
        ({"mart_rows_out": 90_000}, "rows added a day"),
    ],
)
def test_an_unusual_figure_is_shown_with_its_band(fields: dict[str, Any], name: str) -> None:
    assert odd(**fields) == [name]
    (figure,) = [str(one) for one in volume(BEFORE, a_night(0, **fields)) if not one.is_usual]
    assert "usual is" in figure
    assert "of the last 1" in figure


def test_the_message_has_the_value_the_band_and_its_nights() -> None:
    records, *_ = volume(BEFORE, a_night(0, records=12))
    assert str(records) == (
        "records 12: usual is 21.6 to 26.4 (median 24 of the last 14 good nights)"
    )
    assert records.metadata == {"records": 12, "records_low": 21.6, "records_high": 26.4}


def test_varying_nights_give_a_wider_band_than_equal_ones() -> None:
    restless = [100.0, 140.0] * 7
    assert learned([120.0] * 14, 0.1) == Band(120.0, 12.0, 14)
    band = learned(restless, 0.1)
    assert band is not None
    assert band.reach == pytest.approx(5 * 1.4826 * 20)


def test_one_outlier_does_not_change_the_band() -> None:
    assert learned([100.0] * 13 + [9_999.0], 0.1) == Band(100.0, 10.0, 14)


def test_too_few_nights_give_no_band() -> None:
    few = BEFORE[: FEWEST_NIGHTS - 1]
    measured = volume(few, a_night(0, records=1, size_bytes=1))
    assert all(one.is_usual for one in measured)
    assert str(measured[0]) == "records 1: fewer than 7 good nights known"


def test_after_missing_nights_rows_are_counted_per_day() -> None:
    assert odd(as_of_date=TODAY + timedelta(days=4), mart_rows_out=10_400) == []


def test_a_day_loaded_after_a_later_one_is_not_judged() -> None:
    assert volume(BEFORE, a_night(20)) == []


def test_a_slow_night_is_slow_and_a_fast_one_is_not() -> None:
    assert run_time(BEFORE, 91.0).is_slow
    assert not run_time(BEFORE, 89.0).is_slow
    assert not run_time(BEFORE, 1.0).is_slow


def test_nights_without_a_sync_do_not_count_for_the_run_time() -> None:
    loaded_again = [a_night(days_ago, ingest_seconds=0.0, seconds=1.0) for days_ago in range(1, 15)]
    assert run_time(loaded_again, 60.0).band is None


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2026, 4, 1, 5, 59, tzinfo=UTC), date(2026, 3, 30)),
        (datetime(2026, 4, 1, 6, 0, tzinfo=UTC), date(2026, 3, 31)),
        (datetime(2026, 4, 1, 23, 59, tzinfo=UTC), date(2026, 3, 31)),
    ],
)
def test_a_day_is_due_at_the_deadline_of_the_next(now: datetime, due: date) -> None:
    assert day_due(now, time(6)) == due


def test_only_scheduled_environments_have_a_deadline() -> None:
    now = datetime(2026, 4, 1, 7, tzinfo=UTC)
    assert Settings.load(environment="prod").day_due(now) == date(2026, 3, 31)
    assert Settings.load(environment="prod", as_of_date=TODAY).day_due(now) is None
    assert Settings.load(environment="dev").day_due(now) is None
    assert Settings.load(environment="local").day_due(now) is None


def test_a_mart_is_late_beyond_the_days_it_is_allowed() -> None:
    rows = [
        {"mart": mart, "newest_date": newest}
        for mart, newest in (
            ("fct_price_history_daily", TODAY),
            ("fct_rank_history_daily", TODAY - timedelta(days=1)),
            ("fct_offer_price_daily", TODAY - timedelta(days=7)),
            ("fct_monthly_sold", None),
        )
    ]
    assert [(one.days_behind, one.is_late) for one in freshness(rows, TODAY)] == [
        (0, False),
        (1, True),
        (7, False),
        (None, False),
    ]


@pytest.mark.parametrize("dialect", ["snowflake", "duckdb"])
def test_every_query_is_sql_of_both_engines(dialect: str) -> None:
    nights = positional(Statement(service_levels._NIGHTS, {"job": "j", "as_of_date": TODAY}))[0]
    for sql in (newest_days(MARTS), nights):
        (parsed,) = sqlglot.parse(sql, dialect=dialect)
        assert isinstance(parsed, sqlglot.exp.Query)
