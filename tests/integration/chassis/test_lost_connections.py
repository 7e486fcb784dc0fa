"""Connections that are lost, cancelled or never made."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from chassis.db import Database, Transaction
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind, Refusal
from tests.integration.chassis.conftest import Encode, balance_of, call, change


async def test_a_lost_connection_is_a_refusal_and_the_next_call_works(
    database: Database, replica: Database
) -> None:
    async def work(tx: Transaction) -> int:
        pid = await tx.scalar(sa.text("SELECT pg_backend_pid()"))
        await replica.read(
            lambda other: other.scalar(sa.text("SELECT pg_terminate_backend(:pid)").bindparams(pid=pid))
        )
        return await change("accounts/a")(tx)

    with pytest.raises(Refusal) as refused:
        await database.command(call("k1"), work)
    assert (refused.value.kind, refused.value.reason) == (Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert await database.command(call("k1"), change("accounts/a")) == 1
    await database.ping()


async def test_a_cancelled_call_leaves_nothing_and_gives_its_connection_back(
    dsn: str, clock: ManualClock, encode: Encode
) -> None:
    database = await Database.open(dsn, clock=clock, encode_event=encode, pool_size=1)
    inside = asyncio.Event()

    async def work(tx: Transaction) -> None:
        await change("accounts/a")(tx)
        inside.set()
        await tx.execute(sa.text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(database.transact(work))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await balance_of(database, "accounts/a") is None
    assert await database.transact(change("accounts/a")) == 1
    await database.close()


async def test_an_unreachable_database_is_a_refusal(clock: ManualClock, encode: Encode) -> None:
    with pytest.raises(Refusal) as refused:
        await Database.open("postgresql://nobody@127.0.0.1:1/none", clock=clock, encode_event=encode)
    assert refused.value.kind is Kind.UNAVAILABLE


async def test_a_connection_lost_while_it_is_given_back_changes_no_answer(database: Database) -> None:
    async def refuse() -> None:
        async with database.connection() as connection:
            # The loss is noticed between the two halves of the pool's own release.
            asyncio.get_running_loop().call_soon(connection._con._transport.abort)
            raise Refusal(Kind.NOT_FOUND, "NOT_FOUND", "the answer")

    with pytest.raises(Refusal) as caught:
        await refuse()
    assert caught.value.reason == "NOT_FOUND"
    await database.ping()
