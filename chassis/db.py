"""Transactions. Whoever changes state does it through one of `command`, `react`, `fire` and `transact`.

Each runs its work in ONE transaction that also holds the events, the timers and the answer, so that nothing
is ever half done. Round trips of a command: BEGIN, the request id, the work, one statement for everything
else, COMMIT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence, Sized
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from chassis import audit, idempotency, row_security
from chassis.connections import Connections
from chassis.effects import Effects, Single, flush_statement, single_statement
from chassis.envelope import Delivery, EventRecord, Order
from chassis.kernel.clock import Clock
from chassis.schema import NAMING_CONVENTION, metadata
from chassis.storage_errors import ConstraintError, is_contention, translated
from chassis.transaction import DueTimer, Transaction
from chassis.write_batches import WriteBatches

if TYPE_CHECKING:
    from chassis.call import Call

__all__ = [
    "NAMING_CONVENTION",
    "ConstraintError",
    "Database",
    "DueTimer",
    "Single",
    "Transaction",
    "metadata",
]

T = TypeVar("T")
Work = Callable[["Transaction"], Awaitable[T]]

POOL_SIZE: Final = 10
ATTEMPTS: Final = 5
"""How often work is done before contention (40001, 40P01) is given up."""
BACKOFF_SECONDS: Final = 0.01

_TAKE_IN = "INSERT INTO inbox (consumer, event_id, receive_time) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_MOVE_ON = (
    "INSERT INTO consumer_position AS held (consumer, aggregate, version) VALUES ($1, $2, $3) "
    "ON CONFLICT (consumer, aggregate) DO UPDATE SET version = excluded.version "
    "WHERE held.version < excluded.version"
)
_TAKE_TIMERS = (
    "DELETE FROM timer USING unnest($1::text[], $2::text[], $3::text[]) AS due (kind, key, claim) "
    "WHERE timer.kind = due.kind AND timer.key = due.key AND timer.claim = due.claim "
    "RETURNING timer.kind, timer.key"
)


class Database:
    """The database of one service."""

    def __init__(
        self,
        connections: Connections,
        *,
        clock: Clock,
        encode_event: Callable[[Any], EventRecord],
        audited: bool = False,
        guarded: bool = False,
    ) -> None:
        self._connections = connections
        self._clock = clock
        self._encode_event = encode_event
        self._audited = audited
        self._guarded = guarded
        self._random = Random()  # noqa: S311 - jitter, not a secret
        self._batches = WriteBatches(self.connection)
        self.events_written = asyncio.Event()
        """Set after a commit that recorded events; the relay clears it."""
        self.timers_changed = asyncio.Event()
        """Set after a commit that touched timers; the timer runner clears it."""

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        clock: Clock,
        encode_event: Callable[[Any], EventRecord],
        pool_size: int = POOL_SIZE,
        audited: bool = False,
        guarded: bool = False,
    ) -> Database:
        """Connects, and refuses with UNAVAILABLE when that fails. `encode_event` turns a recorded domain
        event into its record. `audited`: every transaction names its cause (`chassis.audit`). `guarded`:
        its connections are the process's own (`chassis.row_security`), and reads say for whom they are.
        """
        settings = row_security.AS_PROCESS if guarded else {}
        connections = await Connections.open(dsn, pool_size=pool_size, settings=settings)
        return cls(connections, clock=clock, encode_event=encode_event, audited=audited, guarded=guarded)

    async def close(self) -> None:
        """Waits for what runs, then disconnects."""
        await self._connections.close()

    @property
    def clock(self) -> Clock:
        """The clock of every row that the chassis writes."""
        return self._clock

    async def ping(self) -> None:
        """Refusal UNAVAILABLE when the database does not answer."""
        async with self.connection() as connection:
            await connection.fetchval("SELECT 1")

    async def command(self, call: Call, work: Work[T]) -> T:
        """Does the work of a call exactly once for its request id.

        Raises Replay with the first answer when the request id was answered before, Refusal INVALID
        (REQUEST_ID_REUSED) when it belonged to another request. A Refusal of the work leaves nothing behind.
        """
        key = call.idempotency

        async def begin(connection: Any) -> bool:
            if key is not None:
                await idempotency.claim(connection, key, self._clock.now())
            return True

        def answer(result: T) -> bytes | None:
            return None if key is None else call.answer(result).SerializeToString()

        found = await self._attempt(work, begin=begin, key=key, answer=answer)
        assert found
        return found[0]

    async def replay(self, call: Call) -> None:
        """Raises what `command` raises for a request id that was answered before, for calls that do something
        outside of the transaction first; returns for any other.
        """
        if call.idempotency is not None:
            async with self.connection() as connection:
                await idempotency.replay_answered(connection, call.idempotency)

    async def command_single(self, call: Call, single: Single[T]) -> T:
        """A whole command in one statement and one round trip: request id, inserts, events, timers, answer.

        For hot paths whose effect needs no row read first: everything is decided, ids included, before this
        is called. Those that come at the same time share a commit. Raises what `command` raises, and
        ConstraintError when an insert collides. ValueError for a guard, whose answer it would take for a
        request id that was used.
        """
        if single.guard is not None:
            raise ValueError("a command with a guard is for `command_if_current`")
        if (
            not await self._happened(single, self._statement_of(call, single))
            and call.idempotency is not None
        ):
            async with self.connection() as connection:
                await idempotency.replay(connection, call.idempotency)
        return single.result

    async def command_if_current(self, call: Call, single: Single[T]) -> bool:
        """`command_single` behind its guard. Answers False, with nothing done, where the guard found that the
        command was decided by something that has changed meanwhile. ValueError without a guard.
        """
        if single.guard is None:
            raise ValueError("a command without a guard is for `command_single`")
        try:
            return await self._happened(single, self._statement_of(call, single))
        except ConstraintError as error:
            if error.constraint == idempotency.PRIMARY_KEY and call.idempotency is not None:
                async with self.connection() as connection:
                    await idempotency.replay(connection, call.idempotency)
            raise

    def _statement_of(self, call: Call, single: Single[Any]) -> tuple[str, list[Any]]:
        key = call.idempotency
        answer = b"" if key is None else call.answer(single.result).SerializeToString()
        now = self._clock.now()
        cause = audit.cause_text(now) if self._audited else ""
        return single_statement(single, self._encode_event, now=now, key=key, answer=answer, cause=cause)

    async def react(self, delivery: Delivery, work: Work[None]) -> bool:
        """Does the work of an event once (`Order.EACH`), or only when it is newer than what was applied last
        (`Order.LATEST`). Answers whether it was done; False for a duplicate.
        """

        async def begin(connection: Any) -> bool:
            if delivery.order is Order.EACH:
                status = await connection.execute(
                    _TAKE_IN, delivery.consumer, delivery.event_id, self._clock.now()
                )
            else:
                status = await connection.execute(
                    _MOVE_ON, delivery.consumer, delivery.aggregate, delivery.version
                )
            return bool(status == "INSERT 0 1")

        return bool(await self._attempt(work, begin=begin, delivery=delivery))

    async def react_single(self, delivery: Delivery, single: Single[Any]) -> bool:
        """`react` once to an event (`Order.EACH`) in one statement and one round trip, as `command_single`
        does for a command; also raises ConstraintError when an insert collides, and ValueError for a guard.
        """
        assert delivery.order is Order.EACH
        now = self._clock.now()
        cause = audit.cause_text(now, delivery=delivery) if self._audited else ""
        statement = single_statement(single, self._encode_event, now=now, delivery=delivery, cause=cause)
        return await self._happened(single, statement)

    async def fire(self, timer: DueTimer, work: Work[None]) -> bool:
        """Removes a claimed timer and does its work, together. Answers False, with nothing done, when the
        claim has lapsed or the timer was set anew or removed meanwhile.
        """
        return await self.fire_together([timer], lambda tx, _: work(tx))

    async def discard(self, timer: DueTimer) -> bool:
        """Removes a claimed timer for which there is nothing to do any more. Answers what `fire` answers."""
        return await self.fire(timer, _nothing)

    async def fire_together(
        self,
        timers: Sequence[DueTimer],
        work: Callable[[Transaction, Sequence[DueTimer]], Awaitable[None]],
    ) -> bool:
        """Removes claimed timers and does the work of those that were still there, all in one transaction.
        Answers False, with nothing done, where none was.
        """
        taken: list[DueTimer] = []

        async def begin(connection: Any) -> bool:
            columns = zip(*((one.kind, one.key, one.claim) for one in timers), strict=True)
            rows = await connection.fetch(_TAKE_TIMERS, *columns)
            found = {(row["kind"], row["key"]) for row in rows}
            taken[:] = [one for one in timers if (one.kind, one.key) in found]
            return bool(taken)

        return bool(await self._attempt(lambda tx: work(tx, taken), begin=begin))

    async def transact(self, work: Work[T], *, serializable: bool = False) -> T:
        """Work in one transaction of its own, without a request id."""
        found = await self._attempt(work, serializable=serializable)
        assert found
        return found[0]

    async def read(self, work: Work[T]) -> T:
        """Reading work, each statement on its own snapshot; record and schedule are refused. Of tables that
        are protected (`chassis.row_security`) it sees no row.
        """
        if self._guarded:
            return await self._read_as(row_security.NOBODY, work)
        return await self._alone(work)

    async def read_for(self, call: Call, work: Work[T]) -> T:
        """`read`, which sees what the caller may see of protected tables."""
        return await self._read_as(row_security.viewer_of(call), work)

    async def read_as_process(self, work: Work[T]) -> T:
        """`read`, which sees every row of protected tables: for what is not done for a caller, or is decided
        by something else than who he is.
        """
        return await self._alone(work)

    async def _alone(self, work: Work[T]) -> T:
        async with self.connection() as connection:
            return await work(Transaction(connection, Effects(), writable=False))

    async def _read_as(self, viewer: str, work: Work[T]) -> T:
        async with self.connection() as connection:
            await connection.execute(f"BEGIN READ ONLY; {row_security.set_statement(viewer)}")
            result = await work(Transaction(connection, Effects(), writable=False))
            await connection.execute("COMMIT")
            return result

    async def write_once(self, work: Work[T]) -> T:
        """Work of ONE statement that does nothing when it is repeated, such as an insert that leaves
        conflicts alone: it is its own memory, so it needs neither inbox nor transaction. One round trip.
        """
        return await self._alone(work)

    async def write_together(self, work: Work[T]) -> T:
        """`write_once` for a statement that answers exactly one row: those that come at the same time share a
        round trip and a commit.
        """
        return await work(Transaction(self._batches, Effects(), writable=False))

    def connection(self) -> AbstractAsyncContextManager[Any]:
        """A raw asyncpg connection, for the chassis' own statements. Whatever is open at the end is rolled
        back, and errors of the driver leave translated.
        """
        return self._connections.lent()

    async def _attempt(
        self,
        work: Work[T],
        *,
        begin: Callable[[Any], Awaitable[bool]] | None = None,
        key: idempotency.IdempotencyKey | None = None,
        answer: Callable[[T], bytes | None] = lambda _: None,
        delivery: Delivery | None = None,
        serializable: bool = False,
    ) -> tuple[T] | tuple[()]:
        """The result in a tuple; an empty one when `begin` found nothing to do."""
        opening = "BEGIN ISOLATION LEVEL SERIALIZABLE" if serializable else "BEGIN"
        if self._audited:
            opening += "; " + audit.set_statement(audit.cause_text(self._clock.now(), delivery=delivery))
        attempt = 0
        while True:
            attempt += 1
            effects = Effects()
            try:
                async with self.connection() as connection:
                    await connection.execute(opening)
                    if begin is not None and not await begin(connection):
                        return ()
                    transaction = Transaction(connection, effects)
                    result = await work(transaction)
                    await transaction.write_postponed()
                    flush = flush_statement(effects, self._encode_event, key=key, answer=answer(result))
                    if flush is not None:
                        await connection.execute(flush[0], *flush[1])
                    if await connection.execute("COMMIT") != "COMMIT":
                        raise RuntimeError("work went on after one of its statements had failed")
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, ConstraintError) as error:
                await self._back_off(error, attempt)
            else:
                self._wake(effects.events, effects.timers)
                return (result,)

    async def _happened(self, single: Single[Any], statement: tuple[str, list[Any]]) -> bool:
        """Whether the statement of `single` did anything; then whoever waits for its effects is woken."""
        text, arguments = statement
        attempt = 0
        while True:
            attempt += 1
            try:
                (row,) = await self._batches.fetch(text, *arguments)
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, ConstraintError) as error:
                await self._back_off(error, attempt)
            else:
                if row[0]:
                    self._wake(single.events, single.timers)
                return bool(row[0])

    async def _back_off(self, error: Exception, attempt: int) -> None:
        if not is_contention(error):
            raise error
        if attempt >= ATTEMPTS:
            raise translated(error) from error
        await asyncio.sleep(self._random.uniform(0, BACKOFF_SECONDS * 2**attempt))

    def _wake(self, events: Sized, timers: Sized) -> None:
        if events:
            self.events_written.set()
        if timers:
            self.timers_changed.set()


async def _nothing(_transaction: Transaction) -> None:
    return
