"""Power BI's refresh history: states, limits and reasons."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from veracitypro_pipeline.bi.refresh import (
    RefreshState,
    changed,
    next_start,
    reason_of,
    seconds_of,
    shows,
    state_of,
)

NOW = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (None, RefreshState.RUNNING),
        ({"status": "Unknown"}, RefreshState.RUNNING),
        ({"status": "Completed"}, RefreshState.COMPLETED),
        ({"status": "Failed"}, RefreshState.FAILED),
        ({"status": "Disabled"}, RefreshState.DISABLED),
        ({"status": "Cancelled"}, RefreshState.CANCELLED),
    ],
)
def test_each_documented_status_is_known(entry: dict[str, Any] | None, state: RefreshState) -> None:
    assert state_of(entry) is state


def test_an_undocumented_status_is_an_error() -> None:
    with pytest.raises(ValueError, match="'Paused'"):
        state_of({"requestId": "r", "status": "Paused"})


def test_seconds_are_between_start_and_end() -> None:
    entry = {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-01T00:01:30Z"}
    assert seconds_of(entry) == 90
    assert seconds_of({"startTime": "2026-01-01T00:00:00Z"}) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"errorCode": "ModelRefreshFailed"}', "ModelRefreshFailed"),
        ('{"errorCode": "X", "errorDescription": "No gateway"}', "No gateway"),
        ("not json", "not json"),
        ("[1]", "[1]"),
        ("", "no reason given"),
        (None, "no reason given"),
    ],
)
def test_a_reason_is_found_in_any_answer(text: str | None, reason: str) -> None:
    assert reason_of({"serviceExceptionJson": text}) == reason


def started(hours_ago: float, kind: str = "ViaApi") -> dict[str, Any]:
    instant = (NOW - timedelta(hours=hours_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"refreshType": kind, "startTime": instant}


@pytest.mark.parametrize(
    ("history", "hours_to_wait"),
    [
        ([], None),
        ([started(1), started(2)], None),
        ([started(1), started(2), started(3)], 21),
        # Four, e.g. after the limit was lowered: the second oldest has to be a day old.
        ([started(1), started(2), started(3), started(4)], 21),
        ([started(1), started(2), started(24)], None),
        ([started(1), started(2), started(3, "OnDemand")], None),
        ([started(1), started(2), started(3, "Scheduled")], 21),
        ([started(1), started(2), {"refreshType": "ViaApi", "startTime": None}], None),
    ],
)
def test_three_refreshes_within_a_day_are_the_limit(
    history: list[dict[str, Any]], hours_to_wait: float | None
) -> None:
    expected = None if hours_to_wait is None else NOW + timedelta(hours=hours_to_wait)
    assert next_start(history, 3, NOW) == expected


def test_added_removed_and_rehashed_tables_have_changed() -> None:
    before = {"dim": "1", "fct": "2", "old": "3"}
    assert changed(before, dict(reversed(before.items()))) == []
    assert changed(before, {"dim": "1", "fct": "9", "new": "3"}) == ["fct", "new", "old"]
    assert changed({}, before) == ["dim", "fct", "old"]


@pytest.mark.parametrize(
    ("statuses", "is_shown"),
    [
        (["Completed"], True),
        (["Unknown", "Completed"], True),
        (["Failed", "Completed"], False),
        (["Cancelled"], False),
        ([], False),
    ],
)
def test_reports_show_a_completed_refresh_unless_a_later_one_failed(
    statuses: list[str], is_shown: bool
) -> None:
    """The refresh in question is the oldest in the history."""
    history = [{"requestId": str(n), "status": status} for n, status in enumerate(statuses)]
    assert shows(history, str(len(statuses) - 1)) is is_shown
    assert not shows(history, "another")
