"""Interprets Power BI's refresh history: how a refresh ended, whether another is allowed and
needed. Pure: no Dagster, no HTTP.

Source: Power BI REST API, "Get Refresh History In Group" and "Refresh Dataset In Group", read in
2026: status is Unknown while a refresh runs, then Completed, Failed, Disabled or Cancelled;
instants are ISO 8601 in UTC; on shared capacity (Pro) 8 refreshes a day, scheduled and by API
together.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from veracitypro_pipeline.masking import masked

SHOWN_CHARACTERS: Final = 300
DAY: Final = timedelta(days=1)
# Kinds of refresh that count towards the daily limit. One started in the browser does not.
COUNTED: Final = frozenset({"Scheduled", "ViaApi", "ViaEnhancedApi"})


class RefreshState(StrEnum):
    """The status of a refresh."""

    RUNNING = "Unknown"
    COMPLETED = "Completed"
    FAILED = "Failed"
    DISABLED = "Disabled"
    CANCELLED = "Cancelled"


def state_of(refresh: Mapping[str, Any] | None) -> RefreshState:
    """The state of a history entry; None, a refresh that is not listed yet, is running.

    Raises:
        ValueError: Power BI returned an undocumented status.
    """
    if refresh is None:
        return RefreshState.RUNNING
    try:
        return RefreshState(str(refresh.get("status")))
    except ValueError:
        raise ValueError(
            f"Power BI gives the refresh {refresh.get('requestId')} the status"
            f" {refresh.get('status')!r}, expected one of"
            f" {', '.join(RefreshState)}: look at the dataset's refresh history."
        ) from None


def seconds_of(refresh: Mapping[str, Any]) -> float:
    """The duration of a finished refresh; 0 if its times are missing or cannot be read."""
    try:
        started, ended = (
            datetime.fromisoformat(refresh[name]) for name in ("startTime", "endTime")
        )
    except (KeyError, TypeError, ValueError):
        return 0.0
    return (ended - started).total_seconds()


def next_start(history: Iterable[Mapping[str, Any]], limit: int, now: datetime) -> datetime | None:
    """When the next refresh is allowed; None if one is allowed now.

    Power BI does not document when its day starts, so the limit is applied to any 24 hours. An
    entry whose start cannot be read does not count.
    """
    started = sorted(
        instant
        for entry in history
        if entry.get("refreshType") in COUNTED
        and (instant := _instant(entry.get("startTime"))) is not None
        and now - DAY < instant
    )
    return None if len(started) < limit else started[-limit] + DAY


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The tables that were added, removed, or have a different content hash."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def newest_ended(history: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The newest finished refresh."""
    return next((entry for entry in history if state_of(entry) is not RefreshState.RUNNING), None)


def is_completed(history: Iterable[Mapping[str, Any]], request_id: str) -> bool:
    """Whether Power BI lists this refresh as completed."""
    return any(
        entry.get("requestId") == request_id and state_of(entry) is RefreshState.COMPLETED
        for entry in history
    )


def shows(history: Sequence[Mapping[str, Any]], request_id: str) -> bool:
    """Whether reports show what this refresh read, or newer data: it is completed, and so is the
    newest finished one. After a failed refresh the content of the dataset is unknown."""
    newest = newest_ended(history)
    return (
        newest is not None
        and state_of(newest) is RefreshState.COMPLETED
        and is_completed(history, request_id)
    )


def reason_of(refresh: Mapping[str, Any]) -> str:
    """Power BI's reason for a failed refresh, masked and shortened."""
    text = str(refresh.get("serviceExceptionJson") or "")
    try:
        error = json.loads(text)
        text = str(error.get("errorDescription") or error.get("errorCode") or text)
    except (ValueError, AttributeError):
        pass  # Not the documented JSON object: the text is used as it is.
    return masked(text)[:SHOWN_CHARACTERS] or "no reason given"


def _instant(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
