"""Transactions. Whoever changes state does it through one of `command`, `react`, `fire` and `transact`.

Each runs its work in ONE transaction that also holds the events, the timers and the answer, so that nothing
is ever half done. Round trips of a command: BEGIN, the request id, the work, one statement for everything
else, COMMIT.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence, Sized
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from chassis import audit, idempotency, statements
from chassis.effects import Effects, Single, flush_statement, single_statement
from chassis.envelope import Delivery, EventRecord, Order
from chassis.kernel.clock import Clock
from chassis.schema import NAMING_CONVENTION, metadata
from chassis.storage_errors import ConstraintError, is_contention, overloaded, translated
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
WARM_CONNECTIONS: Final = 4
"""Made before the first call: a new one takes 20 ms."""
ATTEMPTS: Final = 5
"""How often work is done before contention (40001, 40P01) is given up."""
BACKOFF_SECONDS: Final = 0.01
ACQUIRE_SECONDS: Final = 5.0
COMMAND_SECONDS: Final = 30.0
_SERVER_SETTINGS = {
    "application_name": "parley",
    "jit": "off",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
}

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
        self, pool: Any, *, clock: Clock, encode_event: Callable[[Any], EventRecord], audited: bool = False
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._encode_event = encode_event
        self._audited = audited
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
    ) -> Database:
        """Connects, and refuses with UNAVAILABLE when that fails. `encode_event` turns a recorded domain
        event into its record. `audited`: every transaction names its cause (`chassis.audit`).
        """
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=min(WARM_CONNECTIONS, pool_size),
                max_size=pool_size,
                init=statements.prepare_connection,
                # Transactions end here, in `_connection`: the usual reset would cost a round trip each time.
                reset=_keep_as_is,
                max_inactive_connection_lifetime=0,
                command_timeout=COMMAND_SECONDS,
                statement_cache_size=512,
                server_settings=_SERVER_SETTINGS,
            )
        except Exception as error:
            raise translated(error) from error
        return cls(pool, clock=clock, encode_event=encode_event, audited=audited)

    async def close(self) -> None:
        """Waits for what runs, then disconnects."""
        await self._pool.close()

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
        ConstraintError when an insert collides.
        """
        if (
            not await self._happened(single, self._statement_of(call, single))
            and call.idempotency is not None
        ):
            async with self.connection() as connection:
                await idempotency.replay(connection, call.idempotency)
        return single.result

    async def command_if_current(self, call: Call, single: Single[T]) -> bool:
        """`command_single` behind its guard. Answers False, with nothing done, where the guard found that the
        command was decided by something that has changed meanwhile.
        """
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
        does for a command; also raises ConstraintError when an insert collides.
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
        """Reading work, each statement on its own snapshot; record and schedule are refused."""
        async with self.connection() as connection:
            return await work(Transaction(connection, Effects(), writable=False))

    async def write_once(self, work: Work[T]) -> T:
        """Work of ONE statement that does nothing when it is repeated, such as an insert that leaves
        conflicts alone: it is its own memory, so it needs neither inbox nor transaction. One round trip.
        """
        return await self.read(work)

    async def write_together(self, work: Work[T]) -> T:
        """`write_once` for a statement that answers exactly one row: those that come at the same time share a
        round trip and a commit.
        """
        return await work(Transaction(self._batches, Effects(), writable=False))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A raw asyncpg connection, for the chassis' own statements. Whatever is open at the end is rolled
        back, and errors of the driver leave translated.
        """
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_SECONDS)
        except TimeoutError:
            raise overloaded() from None
        except Exception as error:
            raise translated(error) from error
        is_usable = True
        try:
            yield connection
        except Exception as error:
            if is_contention(error):
                raise
            known = translated(error)
            if known is error:
                raise
            is_usable = isinstance(known, ConstraintError)
            raise known from error
        finally:
            await asyncio.shield(self._give_back(connection, is_usable=is_usable))

    async def _give_back(self, connection: Any, *, is_usable: bool) -> None:
        try:
            if not is_usable:
                connection.terminate()
            elif not connection.is_closed() and connection.is_in_transaction():
                await connection.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - whatever went wrong, this connection is of no more use
            # A connection that was lost is out of the pool already, and says so by this error.
            with suppress(asyncpg.InterfaceError):
                connection.terminate()
        finally:
            # Here as well, when it was lost meanwhile: the answer is what happened before, not this.
            with suppress(asyncpg.InterfaceError, asyncpg.InternalClientError):
                await self._pool.release(connection)

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


async def _keep_as_is(_connection: Any) -> None:
    return


async def _nothing(_transaction: Transaction) -> None:
    return
