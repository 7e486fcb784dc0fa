"""What a seller settles about the requests that he gets. A request keeps the rules under which it came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

DEFAULT_REQUEST_TTL: Final = timedelta(days=7)
DEFAULT_REMINDER_POINTS: Final = (50, 90)

_ALL_PERCENT: Final = 100


class ReofferPolicy(StrEnum):
    """What becomes of a request whose offer ended without acceptance."""

    ALLOW = "ALLOW"
    CLOSE = "CLOSE"


@dataclass(frozen=True, slots=True)
class RequestRules:
    """How long a request waits for a decision, after which percentages of that time, rising, the seller is
    reminded, and whether he may offer again.
    """

    ttl: timedelta = DEFAULT_REQUEST_TTL
    reminder_points: tuple[int, ...] = DEFAULT_REMINDER_POINTS
    reoffer_policy: ReofferPolicy = ReofferPolicy.ALLOW

    def reminder_time(self, number: int, expire_time: datetime) -> datetime | None:
        """When the reminder after `number` earlier ones is due; None when there is none.

        It is counted back from the deadline, so that the time during which the clock rested does not count.
        """
        if number >= len(self.reminder_points):
            return None
        return expire_time - self.ttl * (_ALL_PERCENT - self.reminder_points[number]) / _ALL_PERCENT
