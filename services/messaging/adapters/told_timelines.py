"""Timelines of which people are told: whoever adds an entry need not think of it, and cannot forget it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chassis.db import Transaction
from services.messaging.adapters.timeline_repository import TimelineRepository
from services.messaging.domain.timeline import Entry


class ToldTimelines(TimelineRepository):
    """Each `tell` keeps what is to be told of an entry, in the same transaction."""

    def __init__(self, *tell: Callable[[Transaction, Entry], Awaitable[None]]) -> None:
        self._tell = tell

    async def append(self, tx: Transaction, entry: Entry) -> None:
        """Adds an entry and has it told."""
        await super().append(tx, entry)
        for tell in self._tell:
            await tell(tx, entry)
