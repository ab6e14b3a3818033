"""The stack's clock: UTC, ticks in real time from wherever it was set.

Not here: where it is set to (`stack/playback.py`).
"""

from datetime import UTC, datetime, timedelta


class StackClock:
    """Reads the real time plus `offset`. Only the offset needs storing to survive a restart."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The current instant, UTC."""
        return datetime.now(UTC) + self.offset

    def set(self, instant: datetime) -> None:
        """Continue from this instant."""
        self.offset = instant - datetime.now(UTC)


def api_time(instant: datetime) -> str:
    """As REST APIs write a UTC instant: 2025-11-16T00:10:00Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
