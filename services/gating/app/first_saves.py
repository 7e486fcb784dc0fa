"""Saves that race for a row that is not there yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from chassis.db import Transaction

T = TypeVar("T")


def until_won(
    attempt: Callable[[Transaction], Awaitable[T | None]],
) -> Callable[[Transaction], Awaitable[T]]:
    """Two saves cannot lock a row that is not there yet; the loser looks again and finds it."""

    async def work(tx: Transaction) -> T:
        while True:
            result = await attempt(tx)
            if result is not None:
                return result

    return work
