"""Time is an argument: nothing in Parley asks the operating system for it except `SystemClock`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


def utc_text(instant: datetime) -> str:
    """An aware instant as RFC 3339 in UTC, such as `2026-06-01T12:00:00Z`."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Clock(Protocol):
    """Tells the current instant."""

    def now(self) -> datetime:
        """The current instant: aware, UTC, microsecond precision."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> datetime:
        """The current instant, UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told to; for tests and simulations."""

    def __init__(self, now: datetime = datetime(2026, 6, 1, 12, tzinfo=UTC)) -> None:
        self._now = now
        self.set(now)

    def now(self) -> datetime:
        """The instant that was last set."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Moves forward and answers the new instant."""
        if by < timedelta(0):
            raise ValueError("a clock does not advance backwards; use set()")
        self._now += by
        return self._now

    def set(self, now: datetime) -> None:
        """Jumps to any aware instant, backwards too."""
        if now.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        self._now = now.astimezone(UTC)
