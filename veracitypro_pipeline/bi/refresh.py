"""From Power BI's refresh history to what it means: how one ended, whether there may be another,
whether another would show anything new. Pure: no Dagster, no HTTP.

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
# Kinds of refresh that count towards the day's limit; one that a person starts in the browser does
# not.
COUNTED: Final = frozenset({"Scheduled", "ViaApi", "ViaEnhancedApi"})


class RefreshState(StrEnum):
    """What a refresh has come to."""

    RUNNING = "Unknown"
    COMPLETED = "Completed"
    FAILED = "Failed"
    DISABLED = "Disabled"
    CANCELLED = "Cancelled"


def state_of(refresh: Mapping[str, Any] | None) -> RefreshState:
    """The state of a history entry; one that is not listed yet is running.

    Raises:
        ValueError: Power BI says something that its documentation does not.
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
    """How long a finished refresh took; 0 if Power BI does not say."""
    try:
        started, ended = (
            datetime.fromisoformat(refresh[name]) for name in ("startTime", "endTime")
        )
    except (KeyError, TypeError, ValueError):
        return 0.0
    return (ended - started).total_seconds()


def next_start(history: Iterable[Mapping[str, Any]], limit: int, now: datetime) -> datetime | None:
    """When a refresh may be started again; None if one may be started now.

    Power BI does not say when its day begins, so that any 24 hours have to keep the limit. An entry
    whose start cannot be read does not count.
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
    """The tables whose content hash is another than before, those that came and those that went."""
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def newest_ended(history: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The newest refresh that is over."""
    return next((entry for entry in history if state_of(entry) is not RefreshState.RUNNING), None)


def is_completed(history: Iterable[Mapping[str, Any]], request_id: str) -> bool:
    """Whether Power BI lists this refresh as completed."""
    return any(
        entry.get("requestId") == request_id and state_of(entry) is RefreshState.COMPLETED
        for entry in history
    )


def shows(history: Sequence[Mapping[str, Any]], request_id: str) -> bool:
    """Whether reports show at least what this refresh read: it is completed, and the newest that
    ended is too. After a failed one nobody knows what the dataset holds."""
    newest = newest_ended(history)
    return (
        newest is not None
        and state_of(newest) is RefreshState.COMPLETED
        and is_completed(history, request_id)
    )


def reason_of(refresh: Mapping[str, Any]) -> str:
    """Why a refresh failed, in Power BI's words, shortened."""
    text = str(refresh.get("serviceExceptionJson") or "")
    try:
        error = json.loads(text)
        text = str(error.get("errorDescription") or error.get("errorCode") or text)
    except (ValueError, AttributeError):
        pass  # Not the JSON object that the documentation promises: shown as it is.
    return masked(text)[:SHOWN_CHARACTERS] or "no reason given"


def _instant(text: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
