"""The as-of day, at the edges of a UTC day."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from veracitypro_pipeline.partitions import check_as_of_date, end_of, newest_as_of_date

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def test_the_newest_day_is_the_one_that_has_just_ended_in_utc() -> None:
    assert newest_as_of_date(MIDNIGHT) == date(2026, 2, 28)
    assert newest_as_of_date(MIDNIGHT - timedelta(microseconds=1)) == date(2026, 2, 27)
    in_tokyo = MIDNIGHT.astimezone(timezone(timedelta(hours=9)))
    assert newest_as_of_date(in_tokyo) == date(2026, 2, 28)


def test_a_day_ends_at_the_midnight_after_it() -> None:
    assert end_of(date(2026, 2, 28)) == MIDNIGHT


@pytest.mark.parametrize("day", [date(2025, 11, 15), date(2026, 2, 28)])
def test_days_that_are_over_can_be_run(day: date) -> None:
    assert check_as_of_date(day, MIDNIGHT) == day


@pytest.mark.parametrize("day", [date(2025, 11, 14), date(2026, 3, 1)])
def test_other_days_cannot(day: date) -> None:
    with pytest.raises(ValueError, match=str(day)):
        check_as_of_date(day, MIDNIGHT)
