"""The one limit on how long a process takes to stop: whoever asked it to stop kills it after a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

RESERVE_SECONDS = 10.0


class StopBudget:
    """The time from the request to stop to the end of a process, shared by the steps in between.

    Each step gets the smaller of its own limit and what remains, so that their sum never exceeds the whole;
    a step for which nothing remains is not waited for.
    """

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        """`seconds` for the whole stop, which `begin` starts; `now` is a monotonic clock in seconds."""
        self._seconds = seconds
        self._now = now
        self._until: float | None = None

    def begin(self) -> None:
        """Time runs from now on; later calls change nothing."""
        if self._until is None:
            self._until = self._now() + self._seconds

    def of(self, limit_seconds: float, *, share: float = 1.0) -> float:
        """How long a step may take that has a limit of its own, in seconds, and a share of what remains."""
        remaining = self._seconds if self._until is None else self._until - self._now()
        return max(0.0, min(limit_seconds, remaining * share))

    def for_calls(self) -> float:
        """How long calls under way may take to end, in seconds: all but what the steps after them need."""
        return max(0.0, self.of(self._seconds) - min(RESERVE_SECONDS, self._seconds / 2))

    async def step(
        self, work: Callable[[], Awaitable[object]], limit_seconds: float, *, share: float = 1.0
    ) -> bool:
        """Do one step, and cancel it when its time is over; answers whether it ended by itself."""
        try:
            async with asyncio.timeout(self.of(limit_seconds, share=share)):
                await work()
        except TimeoutError:
            return False
        return True
