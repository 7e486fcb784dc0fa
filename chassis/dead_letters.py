"""Deliveries that were given up: kept with their reason until somebody replays or drops them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row

from chassis.db import Database, Transaction
from chassis.kernel.refusal import not_found
from chassis.schema import dead_letter

LIST_LIMIT: Final = 500
REASON_LENGTH: Final = 500

Handle = Callable[[Mapping[str, str], bytes], Awaitable[None]]
"""Does what a consumer does with an event, and raises what it raises."""

_FIND = sa.select(dead_letter).where(
    dead_letter.c.consumer == sa.bindparam("by_consumer"), dead_letter.c.event_id == sa.bindparam("by_event")
)
_REMOVE = sa.delete(dead_letter).where(
    dead_letter.c.consumer == sa.bindparam("by_consumer"), dead_letter.c.event_id == sa.bindparam("by_event")
)
_LIST = sa.select(dead_letter).order_by(dead_letter.c.create_time, dead_letter.c.event_id).limit(LIST_LIMIT)
_INSERT = insert(dead_letter)
_KEEP = _INSERT.on_conflict_do_update(
    index_elements=["consumer", "event_id"],
    set_={"reason": _INSERT.excluded.reason, "deliveries": _INSERT.excluded.deliveries},
)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that `consumer` could not take in after `deliveries` attempts."""

    consumer: str
    event_id: str
    subject: str
    headers: Mapping[str, str]
    body: bytes
    reason: str
    deliveries: int
    create_time: datetime

    @property
    def type(self) -> str:
        """The full name of the event's message, as far as its headers tell."""
        return self.headers.get("ce-type", "")


class DeadLetters:
    """The dead letters of one service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, letter: DeadLetter) -> None:
        """Stores a letter; the newest reason wins when it is there already."""
        row = {column.name: getattr(letter, column.name) for column in dead_letter.c}

        async def work(tx: Transaction) -> None:
            await tx.execute(
                _KEEP, {**row, "headers": dict(letter.headers), "reason": letter.reason[:REASON_LENGTH]}
            )

        await self._database.transact(work)

    async def list(self) -> Sequence[DeadLetter]:
        """The oldest letters, 500 at most."""
        return [_letter(row) for row in await self._database.read(lambda tx: tx.fetch_all(_LIST))]

    async def show(self, consumer: str, event_id: str) -> DeadLetter:
        """One letter; Refusal NOT_FOUND."""
        key = {"by_consumer": consumer, "by_event": event_id}
        row = await self._database.read(lambda tx: tx.fetch_one(_FIND, key))
        if row is None:
            raise not_found(f"{consumer}/{event_id}")
        return _letter(row)

    async def replay(self, consumer: str, event_id: str, handle: Handle) -> None:
        """Has the event handled again, and removes the letter once that succeeds. What `handle` raises, this
        raises, and the letter stays. Refusal NOT_FOUND.
        """
        letter = await self.show(consumer, event_id)
        await handle(letter.headers, letter.body)
        await self.drop(consumer, event_id)

    async def drop(self, consumer: str, event_id: str) -> None:
        """Gives the event up for good; Refusal NOT_FOUND."""
        key = {"by_consumer": consumer, "by_event": event_id}

        async def work(tx: Transaction) -> int:
            return (await tx.execute(_REMOVE, key)).rowcount

        if await self._database.transact(work) == 0:
            raise not_found(f"{consumer}/{event_id}")


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(*tuple(row))
