"""Consumers: each event once, in any order, and a bad one in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
import sqlalchemy as sa

from chassis import inbox, schema
from chassis.bus import Bus
from chassis.db import Database, Transaction
from chassis.dead_letters import DeadLetters
from chassis.envelope import Delivery, Order, encode_headers
from chassis.inbox import Consumer, Reactions, on
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Refusal, unavailable
from chassis.testing import NatsServer
from parley.offers.v1 import events_pb2, listing_pb2
from tests.integration.chassis.conftest import account, balance_of, count

TYPE = "parley.offers.v1.ListingUpdated"


class Ledger:
    """A make-believe consumer: adds up what it is told, or keeps the newest snapshot."""

    def __init__(self, database: Database, order: Order) -> None:
        self.database = database
        self.order = order
        self.applied: list[tuple[str, int]] = []
        self.before: Callable[[Delivery], None] = lambda _: None

    def reactions(self, name: str = "ledger-on-test") -> Reactions:
        return Reactions(name, [on(events_pb2.ListingUpdated, self.decode, self.react, order=self.order)])

    @staticmethod
    def decode(message: events_pb2.ListingUpdated) -> int:
        if message.version < 0:
            raise ValueError("a version is not negative")
        return message.version

    async def react(self, delivery: Delivery, version: int) -> None:
        self.before(delivery)

        async def work(tx: Transaction) -> None:
            upsert = sa.text(
                "INSERT INTO account (name, version, balance) VALUES (:name, :version, 1) ON CONFLICT (name) "
                "DO UPDATE SET version = excluded.version, balance = account.balance + 1"
            )
            await tx.execute(upsert.bindparams(name=delivery.aggregate, version=version))

        if await self.database.react(delivery, work):
            self.applied.append((delivery.aggregate, version))


class Producer:
    """Publishes by hand, so that a test can repeat, shuffle and spoil."""

    def __init__(self, bus: Bus, name: str, now: datetime) -> None:
        self.bus, self.name, self.now, self.sent = bus, name, now, 0

    async def send(
        self,
        aggregate: str,
        version: int,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.sent += 1
        listing = listing_pb2.Listing(name=aggregate)
        message = events_pb2.ListingUpdated(listing=listing, version=version)
        made = encode_headers(
            event_id=f"{aggregate}-{version}",
            type_name=TYPE,
            aggregate=aggregate,
            version=version,
            time=self.now,
            traceparent="",
        )
        # The stream must take repetitions, so the broker's own duplicate check is left out.
        made["Nats-Msg-Id"] = f"{self.name}-{self.sent}"
        subject = f"parley.{self.name}.v1.listing.updated.{aggregate.rpartition('/')[2]}"
        await self.bus.publish(
            subject, made | dict(headers or {}), message.SerializeToString() if body is None else body
        )


@pytest.fixture
async def sender(bus: Bus, producer: str, clock: ManualClock) -> Producer:
    await bus.ensure_stream(producer)
    return Producer(bus, producer, clock.now())


@asynccontextmanager
async def consuming(
    bus: Bus, producer: str, reactions: Reactions, database: Database
) -> AsyncIterator[Consumer]:
    consumer = Consumer(producer=producer, reactions=reactions, bus=bus, database=database)
    task = asyncio.create_task(consumer.run())
    yield consumer
    consumer.stop()
    async with asyncio.timeout(10):
        await task


async def test_each_event_is_applied_once_whatever_the_order(sender: Producer, database: Database) -> None:
    for version in (3, 1, 1, 2, 3, 3, 2, 1):
        await sender.send("listings/a", version)
    ledger = Ledger(database, Order.EACH)
    async with consuming(sender.bus, sender.name, ledger.reactions(), database) as consumer:
        await consumer.caught_up()
    assert ledger.applied == [("listings/a", version) for version in (3, 1, 2)]
    assert await balance_of(database, "listings/a") == 3


async def test_snapshots_only_ever_move_forward(sender: Producer, database: Database) -> None:
    for version in (2, 1, 2, 5, 4, 3, 5, 6):
        await sender.send("listings/a", version)
    await sender.send("listings/b", 1)
    ledger = Ledger(database, Order.LATEST)
    gaps = inbox.GAPS.labels("ledger-on-test")._value.get()
    async with consuming(sender.bus, sender.name, ledger.reactions(), database) as consumer:
        await consumer.caught_up()
    assert [version for name, version in ledger.applied if name == "listings/a"] == [2, 5, 6]
    assert ("listings/b", 1) in ledger.applied
    assert inbox.GAPS.labels("ledger-on-test")._value.get() - gaps == 2


async def test_two_replicas_share_the_work_and_apply_each_event_once(
    sender: Producer, database: Database, replica: Database
) -> None:
    one, other = Ledger(database, Order.EACH), Ledger(replica, Order.EACH)
    async with (
        consuming(sender.bus, sender.name, one.reactions(), database) as first,
        consuming(sender.bus, sender.name, other.reactions(), replica),
    ):
        for version in range(1, 101):
            await sender.send(f"listings/{version % 5}", version)
            await sender.send(f"listings/{version % 5}", version)
        await first.caught_up()
    assert len(one.applied) + len(other.applied) == 100
    assert await count(database, schema.inbox) == 100


async def test_one_delivery_that_arrives_twice_at_once_is_applied_once(
    database: Database, replica: Database, clock: ManualClock
) -> None:
    for order in Order:
        ledgers = [Ledger(which, order) for which in (database, replica)]
        delivery = Delivery(f"c-{order.value}", "e1", TYPE, f"listings/{order.value}", 1, clock.now(), order)
        await asyncio.gather(*(ledger.react(delivery, 1) for ledger in ledgers * 10))
        assert await balance_of(database, f"listings/{order.value}") == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xff\xff", {}),
        (events_pb2.ListingUpdated(version=-1).SerializeToString(), {}),
        (None, {"ce-sequence": "many"}),
        (None, {"ce-time": "yesterday"}),
    ],
)
async def test_an_undecodable_event_is_set_aside_at_once_and_blocks_nobody(
    sender: Producer, database: Database, body: bytes | None, headers: dict[str, str]
) -> None:
    await sender.send("listings/a", 1)
    await sender.send("listings/a", 2, body=body, headers=headers)
    await sender.send("listings/a", 3)
    ledger = Ledger(database, Order.EACH)
    async with consuming(sender.bus, sender.name, ledger.reactions(), database) as consumer:
        await consumer.caught_up()
    assert ledger.applied == [("listings/a", 1), ("listings/a", 3)]
    [letter] = await DeadLetters(database).list()
    assert (letter.consumer, letter.event_id, letter.deliveries) == ("ledger-on-test", "listings/a-2", 1)
    assert letter.type == TYPE
    assert letter.reason


async def test_a_poison_event_is_tried_eight_times_then_set_aside_and_replayed_once_it_can_work(
    sender: Producer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "RETRY_DELAYS_SECONDS", (0.01,))
    attempts = 0

    def before(delivery: Delivery) -> None:
        nonlocal attempts
        if delivery.version == 2:
            attempts += 1
            raise RuntimeError("poison")

    ledger = Ledger(database, Order.EACH)
    ledger.before = before
    async with consuming(sender.bus, sender.name, ledger.reactions(), database) as consumer:
        for version in (1, 2, 3):
            await sender.send("listings/a", version)
        await consumer.caught_up()
    assert attempts == 8
    assert ledger.applied == [("listings/a", 1), ("listings/a", 3)]
    letters = DeadLetters(database)
    [letter] = await letters.list()
    assert (letter.deliveries, letter.reason) == (8, "RuntimeError: poison")
    assert await letters.show(letter.consumer, letter.event_id) == letter
    with pytest.raises(RuntimeError):
        await letters.replay(letter.consumer, letter.event_id, consumer.reactions.redo)
    ledger.before = lambda _: None
    await letters.replay(letter.consumer, letter.event_id, consumer.reactions.redo)
    assert ledger.applied[-1] == ("listings/a", 2)
    assert await letters.list() == []
    with pytest.raises(Refusal):
        await letters.drop(letter.consumer, letter.event_id)


async def test_nothing_is_given_up_while_the_storage_is_away(
    sender: Producer, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "RETRY_DELAYS_SECONDS", (0.01,))
    attempts = 0

    def before(_: Delivery) -> None:
        nonlocal attempts
        attempts += 1
        if attempts <= 20:
            raise unavailable("STORAGE_UNAVAILABLE", "away")

    ledger = Ledger(database, Order.EACH)
    ledger.before = before
    await sender.send("listings/a", 1)
    async with consuming(sender.bus, sender.name, ledger.reactions(), database) as consumer:
        await consumer.caught_up()
    assert ledger.applied == [("listings/a", 1)]
    assert await count(database, schema.dead_letter) == 0


async def test_types_that_nobody_asked_for_are_passed_over(sender: Producer, database: Database) -> None:
    await sender.send("listings/a", 1, headers={"ce-type": "parley.offers.v1.SomethingNew"})
    await sender.send("listings/a", 2)
    ledger = Ledger(database, Order.EACH)
    async with consuming(sender.bus, sender.name, ledger.reactions(), database) as consumer:
        await consumer.caught_up()
    assert ledger.applied == [("listings/a", 2)]
    assert await count(database, schema.dead_letter) == 0


async def test_a_type_has_one_reaction(database: Database) -> None:
    ledger = Ledger(database, Order.EACH)
    twice = on(events_pb2.ListingUpdated, ledger.decode, ledger.react)
    with pytest.raises(ValueError, match="twice"):
        Reactions("ledger-on-test", [twice, twice])


async def test_a_consumer_survives_a_lost_consumer_and_a_lost_stream(
    sender: Producer, database: Database
) -> None:
    ledger = Ledger(database, Order.EACH)
    async with consuming(sender.bus, sender.name, ledger.reactions(), database) as consumer:
        await sender.send("listings/a", 1)
        await consumer.caught_up()
        await sender.bus.delete_stream(sender.name)
        await sender.bus.ensure_stream(sender.name)
        await sender.send("listings/a", 2)
        await _reached(database, "listings/a", 2)
    assert ledger.applied == [("listings/a", 1), ("listings/a", 2)]


async def test_a_consumer_survives_the_death_of_the_broker(
    database: Database, producer: str, clock: ManualClock, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    bus = await Bus.connect(server.url)
    sender = Producer(bus, producer, clock.now())
    ledger = Ledger(database, Order.EACH)
    async with consuming(bus, producer, ledger.reactions(), database) as consumer:
        server.start()
        assert await bus.wait_connected(20)
        await bus.ensure_stream(producer)
        for version in (1, 2):
            await sender.send("listings/a", version)
        await consumer.caught_up()
        for _ in range(2):
            server.kill()
            server.start()
            await _connected(bus)
            await sender.send("listings/a", sender.sent + 1)
            await _reached(database, "listings/a", sender.sent)
    await bus.close()
    server.stop()
    assert await balance_of(database, "listings/a") == 4


async def _connected(bus: Bus) -> None:
    back = asyncio.Event()
    bus.on_connected(back.set)
    async with asyncio.timeout(20):
        await back.wait()


async def _reached(database: Database, name: str, version: int) -> None:
    query = sa.select(account.c.version).where(account.c.name == name)
    async with asyncio.timeout(20):
        while await database.read(lambda tx: tx.scalar(query)) != version:
            pass
