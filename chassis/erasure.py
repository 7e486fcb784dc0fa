"""What a service keeps about a person, made unreadable.

A service says in SQL what that is; `Eraser` runs it when the person is to be erased, empties the stored
answers that name him, and says that it is done. All of it is one transaction, and running it again changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from chassis.db import Database, Transaction
from chassis.envelope import Delivery, EventRecord, record_for
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.wire import timestamp

# The key and its fingerprint stay: a repeated call is still known, and answered with nothing.
_FORGET_ANSWERS: Final = sa.text(
    "UPDATE idempotency SET answer = '' WHERE answer <> '' "
    "AND (principal = :user OR position(:named IN answer) > 0)"
).bindparams(sa.bindparam("user", type_=sa.Text), sa.bindparam("named", type_=sa.LargeBinary))
_SHORT_BYTES: Final = 128
"""Texts below this length have one byte of length before them in an encoded message."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`user` (`users/{user}`) is to be erased; `erasure` is the name of the wish."""

    erasure: str
    user: str


@dataclass(frozen=True, slots=True)
class Erased:
    """The event that tells that this service has done it."""

    erasure: str
    time: datetime


class Eraser:
    """Does it when it is told to."""

    def __init__(self, database: Database, statements: Sequence[str], clock: Clock) -> None:
        """Each of `statements` changes what is kept about `:user`."""
        self._database = database
        self._statements = [bound(statement) for statement in statements]
        self._clock = clock

    async def erase(self, delivery: Delivery, wish: Wish) -> None:
        """Once for each wish."""

        async def work(tx: Transaction) -> None:
            for statement in self._statements:
                await tx.execute(statement, {"user": wish.user})
            await forget_answers(tx, wish.user)
            tx.record(Erased(wish.erasure, self._clock.now()))

        await self._database.react(delivery, work)


def bound(statement: str) -> Any:
    """A statement about `:user`."""
    return sa.text(statement).bindparams(sa.bindparam("user", type_=sa.Text))


async def forget_answers(tx: Transaction, user: str) -> None:
    """Empties the stored answers that were given to a person, and those to others that name him."""
    name = user.encode()
    # With its length before it, a name is not found in a longer one.
    named = bytes([len(name)]) + name if len(name) < _SHORT_BYTES else name
    await tx.execute(_FORGET_ANSWERS, {"user": user, "named": named})


def wish_of(message: Any) -> Wish:
    """The wish in an event."""
    return Wish(message.erasure, message.user)


def with_erasure(
    encode: Callable[[Any], EventRecord], message: Callable[..., Any], ids: Ids
) -> Callable[[Any], EventRecord]:
    """An encoder of events that knows `Erased` as well, which is told as `message`."""

    def encode_all(event: Any) -> EventRecord:
        if not isinstance(event, Erased):
            return encode(event)
        told = message(erasure=event.erasure, erase_time=timestamp(event.time))
        return record_for(told, aggregate=event.erasure, version=1, ids=ids, time=event.time)

    return encode_all
