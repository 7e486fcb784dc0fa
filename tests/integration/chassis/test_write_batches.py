"""Writes that share a round trip and a commit."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
import sqlalchemy as sa

from chassis.db import Database, Transaction
from chassis.kernel.refusal import Refusal

ADD_UP = sa.text(
    "INSERT INTO balance AS held (account, amount) VALUES (:account, :amount) "
    "ON CONFLICT (account) DO UPDATE SET amount = held.amount + excluded.amount "
    "RETURNING account, 100 / :amount, txid_current()"
)


async def _balances(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        await tx.execute(sa.text("CREATE TABLE balance (account text PRIMARY KEY, amount integer NOT NULL)"))

    await database.transact(work)


async def test_writes_that_come_at_the_same_time_share_a_commit(database: Database) -> None:
    await _balances(database)

    async def add(number: int) -> tuple[str, int]:
        row = {"account": f"a{number % 20}", "amount": 1}
        found = await database.write_together(lambda tx: tx.fetch_one(ADD_UP, row))
        assert found is not None
        assert found.account == row["account"]
        return found.account, found.txid_current

    done = await asyncio.gather(*(add(number) for number in range(100)))
    assert len({transaction for _, transaction in done}) == 2
    # The same row twice in one trip is no conflict.
    total = await database.read(
        lambda tx: tx.scalar(sa.text("SELECT array_agg(DISTINCT amount) FROM balance"))
    )
    assert total == [5]


async def test_a_write_that_fails_takes_nobody_with_it(database: Database) -> None:
    await _balances(database)

    async def add(number: int) -> str:
        row = {"account": f"a{number}", "amount": 0 if number in {7, 30} else 1}
        found = await database.write_together(lambda tx: tx.fetch_one(ADD_UP, row))
        assert found is not None
        return str(found.account)

    done = await asyncio.gather(*(add(number) for number in range(40)), return_exceptions=True)
    failed = {number for number, each in enumerate(done) if isinstance(each, BaseException)}
    assert failed == {7, 30}
    assert {str(done[number]) for number in failed} == {"division by zero"}
    kept = await database.read(lambda tx: tx.scalar(sa.text("SELECT count(*) FROM balance")))
    assert kept == 38


async def test_a_shared_write_whose_caller_leaves_is_done_for_the_others(database: Database) -> None:
    await _balances(database)

    async def add(number: int) -> str:
        row = {"account": f"a{number}", "amount": 1}
        return str(await database.write_together(lambda tx: tx.scalar(ADD_UP, row)))

    writes = [asyncio.create_task(add(number)) for number in range(3)]
    rows = [{"account": f"a{number}", "amount": 1} for number in range(3)]
    writes = [
        asyncio.create_task(
            database.write_together(partial(Transaction.scalar, statement=ADD_UP, parameters=row))
        )
        for row in rows
    ]
    await asyncio.sleep(0)
    writes[0].cancel()
    writes[1].cancel()
    assert await writes[2] == "a2"
    with pytest.raises(asyncio.CancelledError):
        await writes[0]


async def test_a_statement_that_answers_no_row_is_no_shared_write(database: Database) -> None:
    await _balances(database)
    nothing = sa.text("SELECT 1 WHERE false")
    with pytest.raises(ValueError, match="not enough values"):
        await database.write_together(lambda tx: tx.fetch_all(nothing))
    done = await asyncio.gather(
        *(database.write_together(lambda tx: tx.fetch_all(nothing)) for _ in range(3)), return_exceptions=True
    )
    assert [type(each) for each in done] == [ValueError] * 3


async def test_shared_writes_say_that_the_database_is_away(database: Database) -> None:
    await _balances(database)
    await database.close()
    row = {"account": "a", "amount": 1}
    done = await asyncio.gather(
        *(database.write_together(lambda tx: tx.scalar(ADD_UP, row)) for _ in range(5)),
        return_exceptions=True,
    )
    assert {each.reason for each in done if isinstance(each, Refusal)} == {"STORAGE_UNAVAILABLE"}
    assert len(done) == 5
