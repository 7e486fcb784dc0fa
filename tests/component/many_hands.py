"""A command that several hands send at once, and one whose commit fails: the same of every service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from chassis.db import Database
from chassis.testing import refused

HANDS = 5
_STOP = """
CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'terminating connection' USING ERRCODE = '57P01'; END $$;
CREATE CONSTRAINT TRIGGER refuse_all AFTER INSERT ON idempotency DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION refuse_all()
"""
_CURE = "DROP TRIGGER refuse_all ON idempotency; DROP FUNCTION refuse_all()"


@dataclass(frozen=True, slots=True)
class Command:
    """A request, and what sends it for whom it is for."""

    send: Callable[[Any], Awaitable[Any]]
    request: Any

    def by(self, key: str) -> Awaitable[Any]:
        """It is sent under a request id."""
        request = type(self.request)()
        request.CopyFrom(self.request)
        request.request_id = key
        return self.send(request)


@dataclass(frozen=True, slots=True)
class Books:
    """What a service has written: `number` moves by one with every change of a resource, `contents` is all
    that a command may write.
    """

    database: Database
    number: Callable[[], Awaitable[int]]
    contents: Callable[[], Awaitable[object]]


async def with_one_key(command: Command, books: Books, key: str) -> None:
    """All hands are given the one answer."""
    answers, reasons, changes = await _sent(command, books, [key] * HANDS)
    assert (len(answers), reasons, changes) == (HANDS, [], 1)
    assert all(answer == answers[0] for answer in answers)


async def with_own_keys(command: Command, books: Books, key: str, *, too_late: str, changes: int) -> None:
    """All hands but one are told why they are too late, or, where once is enough for all, nothing."""
    answers, reasons, changed = await _sent(command, books, [f"{key}-{hand}" for hand in range(HANDS)])
    assert reasons == ([too_late] * (HANDS - 1) if too_late else [])
    assert (len(answers) + len(reasons), changed) == (HANDS, changes)


async def with_a_commit_that_fails(command: Command, books: Books, key: str) -> None:
    """Nothing of it is left, and the same call does it once the database is back."""
    before = await books.contents()
    async with _stopped(books.database):
        assert (await refused(command.by(key))).reason == "STORAGE_UNAVAILABLE"
        assert await books.contents() == before
    number = await books.number()
    await command.by(key)
    assert abs(await books.number() - number) == 1


async def _sent(command: Command, books: Books, keys: Sequence[str]) -> tuple[list[Any], list[str], int]:
    """The answers, why others were refused, and by how much the resources changed."""
    before = await books.number()
    calls = [command.by(key) for key in keys]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    reasons = [
        (await refused(call)).reason
        for call, answer in zip(calls, answers, strict=True)
        if isinstance(answer, grpc.aio.AioRpcError)
    ]
    done = [answer for answer in answers if not isinstance(answer, BaseException)]
    return done, reasons, abs(await books.number() - before)


@asynccontextmanager
async def _stopped(database: Database) -> AsyncIterator[None]:
    """While the block runs, the database stops: whatever a command did, its commit fails."""
    async with database.connection() as connection:
        await connection.execute(_STOP)
        try:
            yield
        finally:
            # Another test gets this database.
            await connection.execute(_CURE)
