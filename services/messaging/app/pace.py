"""Slows down who writes faster than people do."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from chassis.kernel.clock import Clock
from services.messaging.domain import refusals
from services.messaging.domain.pace import Allowance

REMEMBERED_PEOPLE: Final = 10_000
"""Who wrote longest ago is forgotten first, and begins anew."""


class Pace:
    """Counts in this process alone: it protects people and the service, and is nobody's bill."""

    def __init__(self, limit_per_minute: int, clock: Clock) -> None:
        self._limit = limit_per_minute
        self._clock = clock
        self._allowances: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, user: str) -> None:
        """One message of `user`. Refusal MESSAGE_LIMIT_REACHED, with when to try again."""
        now = self._clock.now()
        held = self._allowances.pop(user, None) or Allowance(self._limit, self._limit, now)
        allowance = held.at(now)
        spent = allowance.spent()
        self._allowances[user] = spent or allowance
        if len(self._allowances) > REMEMBERED_PEOPLE:
            self._allowances.popitem(last=False)
        if spent is None:
            raise refusals.message_limit_reached(self._limit, allowance.wait_seconds)

    def give_back(self, user: str) -> None:
        """A message that was taken, and is not sent after all."""
        if user in self._allowances:
            self._allowances[user] = self._allowances[user].given_back()
