"""What a service keeps about a person, made unreadable.

A service says in SQL what that is; `Eraser` runs it in one transaction when the person is to be erased. Then
it looks through the stored answers to calls, some in each transaction, empties those that were given to him
or name him, and says that it is done. The order matters: once his words are gone, no new answer repeats them.
Running any of it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from chassis.db import Database, DueTimer, Transaction
from chassis.envelope import Delivery, EventRecord, record_for
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.timers import Handler
from chassis.wire import timestamp

FORGET_ANSWERS: Final = "forget_answers"
"""The timer that looks through the stored answers, step by step."""
ANSWERS: Final = 1_000
"""Stored answers that one transaction looks at: no index tells what they say."""

# The key and its fingerprint stay: a repeated call is still known, and answered with nothing. The limit is
# written out, because a plan for any number of rows is made for a tenth of the table.
_FORGET_SOME: Final = sa.text(
    f"""
    WITH looked AS (
        SELECT principal, method, key,
            answer <> '' AND (principal = :user OR position(:named IN answer) > 0) AS his
        FROM idempotency WHERE (principal, method, key) > (:principal, :method, :key)
        ORDER BY principal, method, key LIMIT {ANSWERS}
    ), emptied AS (
        UPDATE idempotency AS kept SET answer = '' FROM looked
        WHERE his AND kept.principal = looked.principal AND kept.method = looked.method
            AND kept.key = looked.key
    )
    SELECT principal, method, key FROM looked ORDER BY principal, method, key OFFSET {ANSWERS - 1}
    """  # noqa: S608 -- a constant of ours
).bindparams(
    *(sa.bindparam(name, type_=sa.Text) for name in ("user", "principal", "method", "key")),
    sa.bindparam("named", type_=sa.LargeBinary),
)
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

    @property
    def timers(self) -> dict[str, Handler]:
        """What the service has to fire for it."""
        return {FORGET_ANSWERS: self.forget}

    async def erase(self, delivery: Delivery, wish: Wish) -> None:
        """What the service keeps, once for each wish."""

        async def work(tx: Transaction) -> None:
            for statement in self._statements:
                await tx.execute(statement, {"user": wish.user})
            tx.schedule(FORGET_ANSWERS, wish.erasure, self._clock.now(), {"user": wish.user})

        await self._database.react(delivery, work)

    async def forget(self, timer: DueTimer) -> None:
        """Some of the answers; the last of them ends it."""

        async def work(tx: Transaction) -> None:
            now, user = self._clock.now(), timer.payload["user"]
            place = await forget_answers(tx, user, timer.payload.get("place"))
            if place is None:
                tx.record(Erased(timer.key, now))
            else:
                tx.schedule(FORGET_ANSWERS, timer.key, now, {"user": user, "place": place})

        await self._database.fire(timer, work)


def bound(statement: str, **kinds: Any) -> Any:
    """A statement about `:user`; `kinds` are the types of what else it names."""
    named = {"user": sa.Text, **kinds}
    return sa.text(statement).bindparams(*(sa.bindparam(name, type_=kind) for name, kind in named.items()))


async def forget_answers(tx: Transaction, user: str, place: Sequence[str] | None) -> list[str] | None:
    """Empties the stored answers that were given to a person, and those to others that name him, as far as
    one transaction goes: from `place` on, from the beginning where it is None. Answers where to go on; None
    at the end.
    """
    name = user.encode()
    # With its length before it, a name is not found in a longer one.
    named = bytes([len(name)]) + name if len(name) < _SHORT_BYTES else name
    principal, method, key = place or ("", "", "")
    row = await tx.fetch_one(
        _FORGET_SOME,
        {
            "user": user,
            "named": named,
            "principal": principal,
            "method": method,
            "key": key,
        },
    )
    return None if row is None else [row.principal, row.method, row.key]


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
