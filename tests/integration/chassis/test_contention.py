"""Transactions that get in each other's way, against a real PostgreSQL."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from chassis import schema
from chassis.db import Database, Transaction
from chassis.kernel.refusal import Kind, Refusal
from tests.integration.chassis.conftest import account, balance_of, call, change, count


@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_contention_is_worked_out_again_from_the_start(database: Database, code: str) -> None:
    attempts = 0

    async def work(tx: Transaction) -> int:
        nonlocal attempts
        attempts += 1
        version = await change("accounts/a")(tx)
        if attempts < 3:
            await tx.execute(sa.text(f"DO $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '{code}'; END $$"))
        return version

    assert await database.command(call("k1"), work) == 1
    assert attempts == 3
    assert await balance_of(database, "accounts/a") == 1
    assert await count(database, schema.outbox) == 1


async def test_endless_contention_becomes_a_refusal(database: Database) -> None:
    attempts = 0

    async def work(tx: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await tx.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '40001'; END $$"))

    with pytest.raises(Refusal) as refused:
        await database.transact(work)
    assert (refused.value.kind, refused.value.reason) == (Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    assert attempts == 5


async def test_real_serialization_failures_lose_no_update(database: Database) -> None:
    await database.transact(change("accounts/a", by=0))

    async def add(tx: Transaction) -> None:
        found = await tx.scalar(sa.select(account.c.balance).where(account.c.name == "accounts/a"))
        await tx.execute(sa.update(account).values(balance=found + 1))

    await asyncio.gather(*(database.transact(add, serializable=True) for _ in range(3)))
    assert await balance_of(database, "accounts/a") == 3


async def test_real_deadlocks_are_resolved(database: Database) -> None:
    for name in ("accounts/a", "accounts/b"):
        await database.transact(change(name, by=0))
    met = asyncio.Barrier(2)
    is_first = {"ab": True, "ba": True}

    async def both(order: str) -> None:
        async def work(tx: Transaction) -> None:
            for letter in order:
                await tx.execute(
                    sa.update(account)
                    .where(account.c.name == f"accounts/{letter}")
                    .values(balance=account.c.balance + 1)
                )
                if is_first[order]:
                    is_first[order] = False
                    await met.wait()

        await database.transact(work)

    await asyncio.gather(both("ab"), both("ba"))
    assert await balance_of(database, "accounts/a") == 2
    assert await balance_of(database, "accounts/b") == 2
