"""Timers that are handled together share a transaction, and none of them holds up another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from chassis import schema
from chassis.db import ConstraintError, Database, DueTimer, Transaction
from chassis.kernel.clock import ManualClock
from chassis.timers import TOGETHER, GroupHandler, TimerRunner
from tests.integration.chassis.conftest import account, balance_of, change, count

HOUR = timedelta(hours=1)
_ADD = sa.insert(account)
_RAISE = (
    sa.update(account)
    .where(account.c.name == sa.bindparam("key"), account.c.version == sa.bindparam("expected"))
    .values(version=sa.bindparam("next"))
    .returning(account.c.name)
)


class Renewals:
    """A make-believe group handler; the transaction of a poisoned key fails."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.poisoned: set[str] = set()
        self.groups: list[int] = []

    async def __call__(self, timers: Sequence[DueTimer]) -> None:
        async def work(tx: Transaction, taken: Sequence[DueTimer]) -> None:
            self.groups.append(len(taken))
            for timer in taken:
                await change(timer.key)(tx)
                if timer.key in self.poisoned:
                    raise RuntimeError(timer.key)

        await self.database.fire_together(timers, work)


async def schedule(database: Database, clock: ManualClock, keys: Sequence[str]) -> None:
    async def work(tx: Transaction) -> None:
        for key in keys:
            tx.schedule("renew", key, clock.now())

    await database.transact(work)


async def test_what_is_due_at_once_is_done_together(database: Database, clock: ManualClock) -> None:
    renewals = Renewals(database)
    keys = [f"plans/{number}" for number in range(TOGETHER + 3)]
    await schedule(database, clock, keys)
    timers = TimerRunner(database, clock, {"renew": GroupHandler(renewals)})
    assert await timers.run_due() == len(keys)
    assert sorted(renewals.groups) == [3, TOGETHER]
    assert [await balance_of(database, key) for key in keys] == [1] * len(keys)
    assert await count(database, schema.timer) == 0


async def test_one_that_does_not_work_holds_up_no_other(database: Database, clock: ManualClock) -> None:
    renewals = Renewals(database)
    renewals.poisoned = {"plans/1"}
    keys = [f"plans/{number}" for number in range(4)]
    await schedule(database, clock, keys)
    timers = TimerRunner(database, clock, {"renew": GroupHandler(renewals)})
    await timers.run_due()
    assert [await balance_of(database, key) for key in keys] == [1, None, 1, 1]
    assert await count(database, schema.timer) == 1
    # It is tried again later, by itself.
    renewals.poisoned.clear()
    clock.advance(HOUR)
    assert await timers.run_due() == 1
    assert await balance_of(database, "plans/1") == 1


async def test_of_a_group_only_those_are_done_whose_claim_still_holds(
    database: Database, replica: Database, clock: ManualClock
) -> None:
    await schedule(database, clock, ["plans/a", "plans/b", "plans/c"])
    claimed = await TimerRunner(database, clock, {})._claim(["renew"], 5)
    # Somebody set one anew and removed another in the meantime.
    await schedule(replica, clock, ["plans/a"])
    await replica.transact(lambda tx: tx.remove_timers("renew", ["plans/b"]))
    renewals = Renewals(database)
    await renewals(claimed)
    assert renewals.groups == [1]
    assert [await balance_of(database, f"plans/{key}") for key in "abc"] == [None, None, 1]
    # Once more, as after an answer that was lost: nothing is left of them.
    await renewals(claimed)
    assert renewals.groups == [1]


async def test_postponed_writes_run_together_in_the_order_of_their_kinds(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        for name in ("a", "b"):
            tx.postpone(_ADD, {"name": name, "version": 1, "balance": 0})
            row = {"key": name, "expected": 1, "next": 2}
            tx.postpone(_RAISE, row, lost=LookupError(name))
        assert await tx.scalar(sa.select(sa.func.count()).select_from(account)) == 0

    await database.transact(work)
    assert await count(database, account, account.c.version == sa.literal(2)) == 2


async def test_a_postponed_write_that_is_lost_or_refused_takes_everything_back(database: Database) -> None:
    async def lost(tx: Transaction) -> None:
        tx.postpone(_ADD, {"name": "a", "version": 1, "balance": 0})
        tx.postpone(_RAISE, {"key": "a", "expected": 7, "next": 8}, lost=LookupError("a"))

    async def twice(tx: Transaction) -> None:
        for _ in range(2):
            tx.postpone(_ADD, {"name": "a", "version": 1, "balance": 0})

    with pytest.raises(LookupError):
        await database.transact(lost)
    with pytest.raises(ConstraintError):
        await database.transact(twice)
    assert await count(database, account) == 0

    async def reading(tx: Transaction) -> None:
        tx.postpone(_ADD, {"name": "a", "version": 1, "balance": 0})

    with pytest.raises(RuntimeError):
        await database.read(reading)
