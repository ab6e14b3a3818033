"""What Power BI's history entries mean."""

from typing import Any

import pytest

from veracitypro_pipeline.bi.refresh import RefreshState, reason_of, seconds_of, state_of


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


def test_another_status_is_no_success() -> None:
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
def test_a_reason_is_found_in_whatever_is_sent(text: str | None, reason: str) -> None:
    assert reason_of({"serviceExceptionJson": text}) == reason
