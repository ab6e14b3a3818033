"""From an entry of Power BI's refresh history to what it means. Pure: no Dagster, no HTTP.

Source: Power BI REST API, "Get Refresh History In Group", read in 2026: status is Unknown while a
refresh runs, then Completed, Failed, Disabled or Cancelled; instants are ISO 8601 in UTC.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

SHOWN_CHARACTERS: Final = 300


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


def reason_of(refresh: Mapping[str, Any]) -> str:
    """Why a refresh failed, in Power BI's words, shortened."""
    text = str(refresh.get("serviceExceptionJson") or "")
    try:
        error = json.loads(text)
        text = str(error.get("errorDescription") or error.get("errorCode") or text)
    except (ValueError, AttributeError):
        pass  # Not the JSON object that the documentation promises: shown as it is.
    return text[:SHOWN_CHARACTERS] or "no reason given"
