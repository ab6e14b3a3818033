"""The day for which a tick of the schedule requests a run."""

from datetime import UTC, date, datetime

import dagster as dg
import pytest

from veracitypro_pipeline.automation.schedules import run_request
from veracitypro_pipeline.settings import Settings

NIGHT = datetime(2026, 3, 1, 0, 10, tzinfo=UTC)


def test_a_night_is_for_the_day_that_has_just_ended() -> None:
    request = run_request(NIGHT, Settings(as_of_date=None))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-02-28"


def test_as_of_date_sets_another_day() -> None:
    settings = Settings().model_copy(update={"as_of_date": date(2026, 1, 5)})
    request = run_request(NIGHT, settings)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2026-01-05"


@pytest.mark.parametrize("day", [date(2026, 3, 1), date(2024, 1, 1)])
def test_a_day_that_cannot_be_run_is_skipped_with_the_reason(day: date) -> None:
    settings = Settings().model_copy(update={"as_of_date": day})
    skip = run_request(NIGHT, settings)
    assert isinstance(skip, dg.SkipReason)
    assert str(day) in str(skip.skip_message)


def test_a_tick_evaluated_twice_requests_one_run() -> None:
    first, second = (run_request(NIGHT, Settings()) for _ in range(2))
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key
