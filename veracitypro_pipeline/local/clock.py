"""The stack's clock: UTC, ticking in real time from the instant it was set to."""

from datetime import UTC, datetime, timedelta


class StackClock:
    """The real time plus `offset`. Storing the offset is enough to survive a restart."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The current instant, UTC."""
        return datetime.now(UTC) + self.offset

    def set(self, instant: datetime) -> None:
        """Set the clock; it goes on from this instant."""
        self.offset = instant - datetime.now(UTC)


def api_time(instant: datetime) -> str:
    """An instant in UTC as REST APIs write it: 2025-11-16T00:10:00Z."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
