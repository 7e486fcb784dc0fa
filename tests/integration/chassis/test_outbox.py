"""The relay: nothing lost, nothing out of order, one leader, and a stream that can vanish."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from nats.js.api import DeliverPolicy
from nats.js.errors import NotFoundError

from chassis import schema
from chassis.bus import Bus, BusUnavailable, stream_name
from chassis.db import Database
from chassis.envelope import Headers
from chassis.kernel.clock import ManualClock
from chassis.kernel.ids import SequentialIds
from chassis.outbox import AGGREGATES, BATCH, CLAIM, LEASE, STREAM_CHECK_SECONDS, Relay
from chassis.testing import NatsServer
from tests.integration.chassis.conftest import change, count

UNPUBLISHED = schema.outbox.c.published_at.is_(None)


async def stream_of(bus: Bus, producer: str) -> list[Headers]:
    """Everything that the stream keeps, in its order."""
    js = bus.client.jetstream()
    info = await js.stream_info(stream_name(producer))
    subscription = await js.subscribe(
        f"parley.{producer}.v1.>", ordered_consumer=True, deliver_policy=DeliverPolicy.ALL
    )
    found = [
        Headers.decode((await subscription.next_msg(5)).headers or {}) for _ in range(info.state.messages)
    ]
    await subscription.unsubscribe()
    return found


def versions_by_aggregate(found: list[Headers]) -> dict[str, list[int]]:
    versions: dict[str, list[int]] = defaultdict(list)
    for headers in found:
        versions[headers.aggregate].append(headers.version)
    return versions


def leaders(*relays: Relay) -> list[bool]:
    return [relay.is_leading for relay in relays]


@pytest.fixture
def relay(database: Database, bus: Bus, clock: ManualClock, producer: str) -> Relay:
    return Relay(database, bus, clock, producer=producer, ids=SequentialIds(1))


@pytest.fixture
def other_relay(replica: Database, bus: Bus, clock: ManualClock, producer: str) -> Relay:
    return Relay(replica, bus, clock, producer=producer, ids=SequentialIds(2))


@pytest.fixture
def databases(database: Database, replica: Database) -> tuple[Database, Database]:
    return database, replica


async def test_an_event_travels_whole(
    database: Database, relay: Relay, bus: Bus, producer: str, clock: ManualClock
) -> None:
    await database.transact(change("accounts/a"))
    assert await relay.oldest_age() == timedelta(0)
    clock.advance(timedelta(seconds=3))
    assert await relay.oldest_age() == timedelta(seconds=3)
    await relay.flush()
    assert await relay.oldest_age() is None
    [headers] = await stream_of(bus, producer)
    row = await database.read(lambda tx: tx.fetch_one(sa.select(schema.outbox)))
    assert row is not None
    assert (headers.event_id, headers.type) == (row.event_id, "parley.offers.v1.ListingUpdated")
    assert (headers.aggregate, headers.version, headers.time) == ("accounts/a", 1, row.time)
    assert row.published_at == clock.now()


async def test_sixteen_writers_lose_nothing_and_keep_the_order_of_each_aggregate(
    databases: tuple[Database, Database], relay: Relay, other_relay: Relay, bus: Bus, producer: str
) -> None:
    for name in range(7):
        await databases[0].transact(change(f"accounts/{name}"))
    tasks = [asyncio.create_task(each.run()) for each in (relay, other_relay)]

    async def write(writer: int) -> None:
        which = databases[writer % 2]
        for step in range(25):
            await which.transact(change(f"accounts/{(writer + step) % 7}"))

    await asyncio.gather(*(write(writer) for writer in range(16)))
    for each in (relay, other_relay):
        await each.flush()
        each.stop()
    await asyncio.gather(*tasks)
    assert await count(databases[0], schema.outbox, UNPUBLISHED) == 0
    found = await stream_of(bus, producer)
    assert len({headers.event_id for headers in found}) == len(found) == 407
    versions = versions_by_aggregate(found)
    for seen in versions.values():
        assert seen == list(range(1, len(seen) + 1))


async def test_events_of_an_aggregate_keep_their_order_even_if_two_relays_overlap(
    database: Database, relay: Relay, other_relay: Relay, bus: Bus, producer: str
) -> None:
    for _ in range(50):
        await database.transact(change("accounts/a"))
    # Both publish at once, as if a lease had been lost in mid-flight.
    await relay.flush()
    await relay.republish()
    await asyncio.gather(*(each._publish_batch() for each in (relay, other_relay) * 4))
    while await relay._publish_batch():
        pass
    assert versions_by_aggregate(await stream_of(bus, producer))["accounts/a"] == list(range(1, 51))


async def test_only_the_leader_publishes_and_another_takes_over(
    database: Database, relay: Relay, other_relay: Relay, clock: ManualClock
) -> None:
    await relay.flush()
    await database.transact(change("accounts/a"))
    await other_relay.flush()
    assert leaders(relay, other_relay) == [True, False]
    assert await count(database, schema.outbox, UNPUBLISHED) == 1
    clock.advance(LEASE + timedelta(seconds=1))
    await other_relay.flush()
    assert leaders(relay, other_relay) == [False, True]
    assert await count(database, schema.outbox, UNPUBLISHED) == 0
    await relay.flush()
    assert leaders(relay, other_relay) == [False, True]
    await other_relay.release()
    await relay.flush()
    assert leaders(relay, other_relay) == [True, False]


async def test_a_leader_renews_its_lease_in_time(
    relay: Relay, other_relay: Relay, clock: ManualClock
) -> None:
    for _ in range(5):
        await relay.flush()
        clock.advance(LEASE * 0.8)
        await relay.flush()
        await other_relay.flush()
        assert leaders(relay, other_relay) == [True, False]


async def test_a_commit_wakes_the_relay(database: Database, relay: Relay, bus: Bus, producer: str) -> None:
    heard = asyncio.Event()

    async def hear(_subject: str, _body: bytes) -> None:
        heard.set()

    await bus.listen(f"parley.{producer}.v1.>", hear)
    task = asyncio.create_task(relay.run())
    await relay.flush()
    async with asyncio.timeout(10):
        await database.transact(change("accounts/a"))
        await heard.wait()
    relay.stop()
    await task


async def test_a_recreated_stream_is_filled_again(
    database: Database, relay: Relay, bus: Bus, producer: str
) -> None:
    for _ in range(3):
        await database.transact(change("accounts/a"))
    await relay.flush()
    before = await stream_of(bus, producer)
    await bus.delete_stream(producer)
    await database.transact(change("accounts/b"))
    with pytest.raises(BusUnavailable):
        await relay.flush()
    await relay.flush()
    found = await stream_of(bus, producer)
    assert {headers.event_id for headers in before} < {headers.event_id for headers in found}
    assert versions_by_aggregate(found) == {"accounts/a": [1, 2, 3], "accounts/b": [1]}


async def test_a_stream_that_somebody_else_recreated_is_noticed(
    database: Database, relay: Relay, bus: Bus, producer: str
) -> None:
    for _ in range(3):
        await database.transact(change("accounts/a"))
    await relay.flush()
    await bus.delete_stream(producer)
    # A consumer makes the stream that it reads, so publishing does not fail.
    await bus.ensure_consumer(producer, "somebody-on-test")
    await database.transact(change("accounts/b"))
    await relay.flush()
    await relay.flush()
    assert versions_by_aggregate(await stream_of(bus, producer))["accounts/a"] == [1, 2, 3]


async def test_a_stream_that_is_deleted_while_nothing_happens_is_filled_at_once(
    database: Database, relay: Relay, bus: Bus, producer: str
) -> None:
    await database.transact(change("accounts/a"))
    task = asyncio.create_task(relay.run())
    await _published(database)
    await bus.delete_stream(producer)
    # Sooner than the relay looks by itself.
    async with asyncio.timeout(STREAM_CHECK_SECONDS / 2):
        while True:
            with contextlib.suppress(NotFoundError):
                if await stream_of(bus, producer):
                    break
    relay.stop()
    await task


async def test_republish_since_a_moment(
    database: Database, relay: Relay, bus: Bus, producer: str, clock: ManualClock
) -> None:
    await database.transact(change("accounts/a"))
    moment = clock.advance(timedelta(minutes=5))
    await database.transact(change("accounts/a"))
    await relay.flush()
    assert await relay.republish(moment) == 1
    assert await count(database, schema.outbox, UNPUBLISHED) == 1
    await relay.flush()
    assert await relay.republish() == 2
    await relay.flush()
    # The stream knows what it has, so a republished event is no second one.
    assert versions_by_aggregate(await stream_of(bus, producer))["accounts/a"] == [1, 2]


async def test_republish_restores_what_the_stream_lost_a_moment_ago(
    database: Database, relay: Relay, bus: Bus, producer: str
) -> None:
    for _ in range(3):
        await database.transact(change("accounts/a"))
    await relay.flush()
    # The stream stays, and so does its memory of the ids that it took in during the last two minutes.
    await bus.client.jetstream().purge_stream(stream_name(producer))
    await relay.republish()
    await relay.flush()
    assert versions_by_aggregate(await stream_of(bus, producer)) == {"accounts/a": [1, 2, 3]}


async def test_commands_succeed_and_events_wait_while_the_broker_is_away(
    database: Database, clock: ManualClock, producer: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    bus = await Bus.connect(server.url)
    relay = Relay(database, bus, clock, producer=producer)
    task = asyncio.create_task(relay.run())
    await database.transact(change("accounts/a"))
    with pytest.raises(BusUnavailable):
        await relay.flush()
    server.start()
    assert await bus.wait_connected(20)
    await _published(database)
    server.kill()
    await database.transact(change("accounts/a"))
    server.wipe()
    server.start()
    await _published(database)
    async with asyncio.timeout(20):
        while versions_by_aggregate(await stream_of(bus, producer))["accounts/a"] != [1, 2]:
            await _published(database)
    relay.stop()
    await task
    await bus.close()
    server.stop()


async def _published(database: Database) -> None:
    async with asyncio.timeout(20):
        while await count(database, schema.outbox, UNPUBLISHED):
            pass


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
async def test_a_backlog_is_not_read_again_for_each_event(database: Database, plans: str) -> None:
    """However wrong the planner is about how many rows wait: after a day on which all were published at once,
    its figures say none.
    """
    made = (
        "INSERT INTO outbox SELECT $1 || a || '-' || v, 'accounts/' || $1 || a, v, 'type', 'subject', now(), "
        "'', '', $2 FROM generate_series(1, $3) AS a, generate_series(1, $4) AS v"
    )
    waiting = 1_200
    async with database.connection() as connection:
        await connection.execute(made, "published", database.clock.now(), 1_000, 3)
        await connection.execute("VACUUM (ANALYZE) outbox")
        await connection.execute(made, "waiting", None, waiting // 3, 3)
        await connection.execute(made, "long", None, 1, waiting)
        await connection.execute(f"SET plan_cache_mode = {plans}")
        [plan] = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {CLAIM}", AGGREGATES, BATCH
        )
        await connection.execute("RESET plan_cache_mode")
    assert plan["Plan"]["Actual Rows"] == BATCH
    # The oldest are looked for among all that wait, once; the rest is a few rows for each event.
    assert rows_read(plan["Plan"]) < 2 * waiting + 6 * BATCH


def rows_read(node: dict[str, Any]) -> float:
    """By a plan, in all its loops: what its scans found and what they threw away."""
    found = sum(rows_read(each) for each in node.get("Plans", ()))
    if "Relation Name" in node or node["Node Type"] == "Bitmap Index Scan":
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        found += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return float(found)
