"""Timers are rows: they fire once, whoever runs them, and survive a runner that dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from chassis import schema
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import ManualClock
from chassis.timers import CONCURRENCY, LEASE, SHARE, LaneHandler, TimerRunner
from tests.integration.chassis.conftest import balance_of, change, count

HOUR = timedelta(hours=1)


class Expiry:
    """A make-believe timer that counts its firings in the database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.seen: list[DueTimer] = []
        self.failures = 0

    async def __call__(self, timer: DueTimer) -> None:
        self.seen.append(timer)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not yet")

        async def work(tx: Transaction) -> None:
            await change(timer.key)(tx)

        await self.database.fire(timer, work)


async def schedule(
    database: Database, key: str, due: datetime, payload: dict[str, Any] | None = None
) -> None:
    async def work(tx: Transaction) -> None:
        tx.schedule("expire", key, due, payload)

    await database.transact(work)


def runner(database: Database, clock: ManualClock, expiry: Expiry) -> TimerRunner:
    return TimerRunner(database, clock, {"expire": expiry})


async def test_a_timer_fires_when_it_is_due_and_not_before(database: Database, clock: ManualClock) -> None:
    expiry = Expiry(database)
    timers = runner(database, clock, expiry)
    due = clock.now() + HOUR
    await schedule(database, "offers/a", due, {"revision": 2})
    assert await timers.run_due() == 0
    clock.advance(HOUR - timedelta(microseconds=1))
    assert await timers.run_due() == 0
    clock.advance(timedelta(microseconds=1))
    assert await timers.run_due() == 1
    [timer] = expiry.seen
    assert (timer.kind, timer.key, timer.due, timer.payload, timer.attempts) == (
        "expire",
        "offers/a",
        due,
        {"revision": 2},
        1,
    )
    assert await balance_of(database, "offers/a") == 1
    assert await count(database, schema.timer) == 0
    assert await timers.run_due() == 0


async def test_a_timer_can_be_moved_and_removed(database: Database, clock: ManualClock) -> None:
    expiry = Expiry(database)
    await schedule(database, "offers/a", clock.now() + HOUR)
    await schedule(database, "offers/a", clock.now() + 3 * HOUR)
    await schedule(database, "offers/b", clock.now() + HOUR)

    async def remove(tx: Transaction) -> None:
        tx.unschedule("expire", "offers/b")

    await database.transact(remove)
    clock.advance(2 * HOUR)
    assert await runner(database, clock, expiry).run_due() == 0
    clock.advance(HOUR)
    assert await runner(database, clock, expiry).run_due() == 1


async def test_two_runners_fire_each_timer_once(
    database: Database, replica: Database, clock: ManualClock
) -> None:
    for number in range(200):
        await schedule(database, f"offers/{number}", clock.now())
    expiries = [Expiry(database), Expiry(replica)]
    runners = [runner(expiry.database, clock, expiry) for expiry in expiries]
    done = await asyncio.gather(*(each.run_due() for each in runners * 2))
    assert sum(done) == 200
    assert len({timer.key for expiry in expiries for timer in expiry.seen}) == 200
    assert await count(database, schema.timer) == 0
    assert await count(database, schema.outbox) == 200


async def test_a_timer_of_a_dead_runner_fires_later_and_the_dead_one_can_do_no_harm(
    database: Database, replica: Database, clock: ManualClock
) -> None:
    await schedule(database, "offers/a", clock.now())
    dead = runner(database, clock, Expiry(database))
    [claimed] = await dead._claim(["expire"], 1)
    heir = Expiry(replica)
    assert await runner(replica, clock, heir).run_due() == 0
    clock.advance(LEASE)
    assert await runner(replica, clock, heir).run_due() == 1
    assert heir.seen[0].attempts == 2
    await Expiry(database)(claimed)
    assert await balance_of(database, "offers/a") == 1


async def test_a_timer_that_was_set_anew_in_the_meantime_does_not_fire_on_the_old_claim(
    database: Database, clock: ManualClock
) -> None:
    await schedule(database, "offers/a", clock.now())
    [claimed] = await runner(database, clock, Expiry(database))._claim(["expire"], 1)
    await schedule(database, "offers/a", clock.now() + HOUR)
    await Expiry(database)(claimed)
    assert await balance_of(database, "offers/a") is None
    assert await count(database, schema.timer) == 1


async def test_a_failing_timer_is_tried_again_with_growing_delays(
    database: Database, clock: ManualClock
) -> None:
    expiry = Expiry(database)
    expiry.failures = 3
    timers = runner(database, clock, expiry)
    await schedule(database, "offers/a", clock.now())
    for delay in (1, 2, 4):
        assert await timers.run_due() == 1
        clock.advance(timedelta(seconds=delay) - timedelta(microseconds=1))
        assert await timers.run_due() == 0
        clock.advance(timedelta(microseconds=1))
    assert await timers.run_due() == 1
    assert [timer.attempts for timer in expiry.seen] == [1, 2, 3, 4]
    assert await balance_of(database, "offers/a") == 1


async def test_a_handler_can_set_its_own_timer_again(database: Database, clock: ManualClock) -> None:
    async def renew(timer: DueTimer) -> None:
        async def work(tx: Transaction) -> None:
            await change(timer.key)(tx)
            tx.schedule("expire", timer.key, timer.due + HOUR)

        await database.fire(timer, work)

    timers = TimerRunner(database, clock, {"expire": renew})
    await schedule(database, "plans/a", clock.now())
    for step in range(1, 4):
        assert await timers.run_due() == 1
        assert await balance_of(database, "plans/a") == step
        clock.advance(HOUR)
    # What was missed is made up for in one go.
    clock.advance(HOUR)
    assert await timers.run_due() == 2


async def test_kinds_of_an_unknown_future_wait(database: Database, clock: ManualClock) -> None:
    async def work(tx: Transaction) -> None:
        tx.schedule("other", "x", clock.now())

    await database.transact(work)
    assert await runner(database, clock, Expiry(database)).run_due() == 0
    assert await TimerRunner(database, clock, {}).run_due() == 0
    assert await count(database, schema.timer, schema.timer.c.attempts == sa.literal(0)) == 1


async def test_a_running_runner_is_woken_by_a_commit(database: Database, clock: ManualClock) -> None:
    fired = asyncio.Event()

    async def fire(timer: DueTimer) -> None:
        async def work(_tx: Transaction) -> None:
            pass

        await database.fire(timer, work)
        fired.set()

    timers = TimerRunner(database, clock, {"expire": fire})
    task = asyncio.create_task(timers.run())
    async with asyncio.timeout(10):
        await schedule(database, "offers/a", clock.now())
        await fired.wait()
    timers.stop()
    await task


@pytest.mark.parametrize("attempt", range(3))
async def test_a_timer_and_a_command_that_race_have_one_winner(
    database: Database, replica: Database, clock: ManualClock, attempt: int
) -> None:
    key = f"offers/{attempt}"
    await schedule(database, key, clock.now())

    async def accept(tx: Transaction) -> None:
        gone = await tx.execute(sa.delete(schema.timer).where(schema.timer.c.key == key))
        if gone.rowcount:
            await change(key, by=100)(tx)

    expiry = Expiry(replica)
    await asyncio.gather(database.transact(accept), runner(replica, clock, expiry).run_due())
    assert await balance_of(database, key) in {1, 100}


async def test_a_slow_handler_holds_up_nobody_else(database: Database, clock: ManualClock) -> None:
    release, fired = asyncio.Event(), asyncio.Event()

    async def slow(timer: DueTimer) -> None:
        await release.wait()
        await database.fire(timer, _nothing)

    async def quick(timer: DueTimer) -> None:
        await database.fire(timer, _nothing)
        fired.set()

    runner = TimerRunner(database, clock, {"slow": slow, "quick": quick})
    running = asyncio.create_task(runner.run())

    async def set_timer(kind: str) -> None:
        async def work(tx: Transaction) -> None:
            tx.schedule(kind, "a", clock.now())

        await database.transact(work)

    await set_timer("slow")
    await set_timer("quick")
    async with asyncio.timeout(10):
        await fired.wait()
        release.set()
        runner.stop()
        await running


async def test_who_never_answers_takes_the_places_of_nobody_else(
    database: Database, clock: ManualClock
) -> None:
    release, at_work, fired = asyncio.Event(), Counter[str](), asyncio.Event()

    def owner(key: str) -> str:
        return key.partition("/")[0]

    async def post(timer: DueTimer) -> None:
        at_work[owner(timer.key)] += 1
        if owner(timer.key) == "quick":
            await database.fire(timer, _nothing)
            fired.set()
            return
        await release.wait()
        await database.fire(timer, _nothing)

    async def work(tx: Transaction) -> None:
        for number in range(3 * CONCURRENCY):
            tx.schedule("post", f"s%_\\low/{number}", clock.now() - HOUR)
        tx.schedule("post", "quick/1", clock.now())

    await database.transact(work)
    runner = TimerRunner(database, clock, {"post": LaneHandler(post, "posts", owner)})
    running = asyncio.create_task(runner.run())
    async with asyncio.timeout(10):
        await fired.wait()
        assert at_work == {"s%_\\low": SHARE, "quick": 1}
        release.set()
        while await count(database, schema.timer):
            await runner.run_due()
        runner.stop()
        await running
    assert at_work == {"s%_\\low": 3 * CONCURRENCY, "quick": 1}


async def test_no_more_timers_run_at_once_than_there_are_places(
    database: Database, clock: ManualClock
) -> None:
    at_once, most = 0, 0

    async def counted(timer: DueTimer) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await database.fire(timer, _nothing)
        at_once -= 1

    async def work(tx: Transaction) -> None:
        for number in range(3 * CONCURRENCY):
            tx.schedule("counted", str(number), clock.now())

    await database.transact(work)
    runner = TimerRunner(database, clock, {"counted": counted})
    assert await runner.run_due() == 3 * CONCURRENCY
    assert most == CONCURRENCY


async def _nothing(_: Transaction) -> None:
    return


async def test_what_removes_a_timer_first_never_meets_its_handler_in_a_deadlock(
    database: Database, clock: ManualClock
) -> None:
    expiry = Expiry(database)
    await schedule(database, "offers/a", clock.now())
    removed, firing, runs = asyncio.Event(), asyncio.Event(), 0

    async def answer(tx: Transaction) -> None:
        nonlocal runs
        runs += 1
        await tx.remove_timer("expire", "offers/a")
        removed.set()
        await firing.wait()
        await change("offers/a")(tx)

    async def fire() -> None:
        await removed.wait()
        firing.set()
        await expiry(DueTimer("expire", "offers/a", clock.now(), {}, 1, ""))

    await asyncio.gather(database.transact(answer), fire())
    assert (runs, await balance_of(database, "offers/a")) == (1, 1)
