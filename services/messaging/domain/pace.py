"""How fast one person may write: so many messages at once, and as many a minute."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

MINUTE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """`left` messages may be sent at `time`; it fills up again by `limit` a minute, up to `limit`."""

    limit: int
    left: float
    time: datetime

    def at(self, now: datetime) -> Allowance:
        """What it has become by `now`; a clock that goes back adds nothing."""
        gained = max(0.0, (now - self.time).total_seconds()) * self.limit / MINUTE_SECONDS
        return Allowance(self.limit, min(float(self.limit), self.left + gained), max(now, self.time))

    def spent(self) -> Allowance | None:
        """After one more message; None where it has to wait."""
        return Allowance(self.limit, self.left - 1, self.time) if self.left >= 1 else None

    def given_back(self) -> Allowance:
        """Before the last message, which was not sent after all."""
        return Allowance(self.limit, min(float(self.limit), self.left + 1), self.time)

    @property
    def wait_seconds(self) -> float:
        """Until the next message may be sent; 0 where it may be now."""
        return max(0.0, (1 - self.left) * MINUTE_SECONDS / self.limit)
