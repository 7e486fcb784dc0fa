"""The capacity gate through the API, fed by the events of orders."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from chassis import migrations
from chassis.kernel.clock import ManualClock
from chassis.testing import PostgresServer
from chassis.testing.service import Backends, refused
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.order_settings_pb2 import OrderSettings
from parley.offers.v1 import events_pb2 as offers_events
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1.order_pb2 import Order
from tests.component.gating.conftest import (
    ANA,
    BEN,
    BUYER,
    LISTING,
    NIGHTS,
    OWNER,
    PACKAGE,
    SELLER,
    SETTINGS,
    Seconds,
    World,
    windows,
    world_of,
)

CAROL = "users/carol"


async def reason(world: World, who: Any = ANA) -> str:
    found = (await world.evaluate(who)).reason
    return str(GateDecision.Reason.Name(found).removeprefix("REASON_"))


async def tell(
    world: World, kind: Any, *, number: int, version: int, state: Any, settle: bool = True
) -> None:
    """An event of an order of Carol's."""
    facts = orders_events.OrderFacts(
        name=f"orders/{number}",
        version=version,
        seller=SELLER,
        buyer=CAROL,
        package=PACKAGE,
        intake=Order.INTAKE_SELLER_REVIEW,
        state=state,
    )
    if state == Order.STATE_CONFIRMED:
        facts.confirm_time.CopyFrom(timestamp(world.clock.now()))
    await world.publish(kind(order=facts), aggregate=facts.name, version=version)
    if settle:
        await world.service.settle()


async def finish(world: World, number: int) -> None:
    """An order is over."""
    await world.rows(f"UPDATE known_order SET is_open = false WHERE name = 'orders/{number}' RETURNING 1")


@pytest.mark.covers("X17")
async def test_the_gate_closes_at_the_limit_and_opens_below_it(world: World, seconds: Seconds) -> None:
    await world.close_gate(windows=windows(*NIGHTS), max_open_orders=2)
    assert await reason(world) == "OUTSIDE_WINDOWS"
    await world.tell_order(who=CAROL, number=1)
    assert await reason(world) == "OUTSIDE_WINDOWS"
    await tell(world, orders_events.OrderPlaced, number=2, version=1, state=Order.STATE_PENDING)
    assert await reason(world) == "OUTSIDE_WINDOWS"
    await tell(world, orders_events.OrderConfirmed, number=2, version=2, state=Order.STATE_CONFIRMED)
    decision = await world.evaluate()
    assert decision.outcome == GateDecision.OUTCOME_REQUEST_REQUIRED
    assert decision.reason == GateDecision.REASON_AT_CAPACITY
    assert not decision.HasField("next_change_time")
    request = await world.submit()
    assert request.gate_decision.reason == GateDecision.REASON_AT_CAPACITY
    await finish(world, 2)
    seconds.now += 1.0
    assert await reason(world) == "OUTSIDE_WINDOWS"
    # The same confirmation once more, late: it is known.
    await tell(world, orders_events.OrderConfirmed, number=2, version=2, state=Order.STATE_CONFIRMED)
    assert await reason(world) == "OUTSIDE_WINDOWS"
    refusal = await refused(world.submit(BEN))
    assert refusal.reason == "REQUEST_NOT_REQUIRED"


@pytest.mark.covers("X17")
@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (orders_events.OrderCompleted, Order.STATE_COMPLETED),
        (orders_events.OrderCancelled, Order.STATE_CANCELLED),
    ],
)
@pytest.mark.parametrize("shuffled", [False, True])
async def test_an_order_that_ended_makes_room(
    world: World, seconds: Seconds, kind: Any, state: Any, shuffled: bool
) -> None:
    await world.close_gate(max_open_orders=1, capacity_only=True)
    told = [(orders_events.OrderConfirmed, 2, Order.STATE_CONFIRMED), (kind, 5, state)]
    for event, version, reached in reversed(told) if shuffled else told:
        await tell(world, event, number=1, version=version, state=reached)
        seconds.now += 1.0
        over = shuffled or event is kind
        assert await reason(world) == ("BELOW_CAPACITY" if over else "AT_CAPACITY")


@pytest.mark.covers("X17")
async def test_events_of_orders_count_in_any_order(world: World) -> None:
    await world.close_gate(max_open_orders=1, capacity_only=True)
    assert await reason(world) == "BELOW_CAPACITY"
    began = world.clock.now()
    world.clock.advance(timedelta(hours=1))
    await tell(world, orders_events.OrderConfirmed, number=1, version=2, state=Order.STATE_CONFIRMED)
    assert await reason(world) == "AT_CAPACITY"
    world.clock.set(began)
    await tell(world, orders_events.OrderPlaced, number=1, version=1, state=Order.STATE_PENDING)
    world.clock.advance(timedelta(hours=1))
    assert await reason(world) == "AT_CAPACITY"
    (row,) = await world.rows("SELECT version, is_open, place_time FROM known_order")
    assert (row.version, row.is_open, row.place_time) == (2, True, began)


@pytest.mark.covers("X17", "G12", "G15")
async def test_holders_of_an_offer_and_returning_buyers_pass(world: World) -> None:
    chosen = {"max_open_orders": 1, "capacity_only": True, "audience": OrderSettings.AUDIENCE_NEW_BUYERS}
    await world.close_gate(**chosen)
    await world.tell_order(who=CAROL)
    assert await reason(world) == "AT_CAPACITY"
    await world.tell_offer(offers_events.OfferSent)
    assert await reason(world) == "OPEN_OFFER"
    await world.tell_order(who="users/ben", number=2)
    assert await reason(world, BEN) == "RETURNING_BUYER"


@pytest.mark.covers("X17")
async def test_another_replica_notices_an_order_within_a_second(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate(max_open_orders=1, capacity_only=True)
        assert await reason(world) == "BELOW_CAPACITY"
        other = await asyncpg.connect(dsn)
        try:
            await other.execute(
                "INSERT INTO known_order (name, version, seller, buyer, package, intake, is_open) "
                "VALUES ('orders/9', 1, $1, $2, $3, 'INSTANT', true)",
                SELLER,
                BUYER,
                PACKAGE,
            )
            seconds.now += 1.0
            assert await reason(world) == "AT_CAPACITY"
            await other.execute("DELETE FROM known_order")
        finally:
            await other.close()
        seconds.now += 1.0
        assert await reason(world) == "BELOW_CAPACITY"


async def test_a_capacity_is_saved_read_back_and_checked(world: World) -> None:
    saved = (await world.save(max_open_orders=7)).order_settings
    assert (saved.max_open_orders, saved.capacity_only) == (7, False)
    more = (await world.save("capacity_only", capacity_only=True)).order_settings
    assert (more.max_open_orders, more.capacity_only, more.settings_version) == (7, True, 2)
    assert (await refused(world.save("max_open_orders"))).metadata["field"] == "order_settings.capacity_only"
    for wrong in (-1, 100_001):
        assert (await refused(world.save(max_open_orders=wrong))).reason == "VALIDATION_FAILED"
    request = pb.GetOrderSettingsRequest(name=SETTINGS)
    assert (await world.stub(OWNER).GetOrderSettings(request)).order_settings == more


async def test_settings_say_that_everything_in_scope_is_excluded(world: World) -> None:
    scope = OrderSettings.Scope(packages=[PACKAGE])
    await world.make_premium()
    saved = (await world.save(enabled=True, scope=scope, excluded_listings=[LISTING])).order_settings
    assert saved.inactive_reason == OrderSettings.INACTIVE_REASON_ALL_EXCLUDED


async def test_orders_from_before_are_counted_after_the_migration(postgres_server: PostgresServer) -> None:
    package = "services.gating.migrations"
    database = await postgres_server.create_database()
    dsn = postgres_server.dsn(database)
    try:
        await migrations.upgrade(package, dsn)
        while (await migrations.downgrade(package, dsn, "-1")) != "0004":
            pass
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(
                "INSERT INTO confirmed_order VALUES ('orders/1', 'users/ana', 'sellers/acme', now())"
            )
            await migrations.upgrade(package, dsn)
            found = await connection.fetch("SELECT name, version, seller, is_open FROM known_order")
        finally:
            await connection.close()
    finally:
        await postgres_server.drop_database(database)
    assert [tuple(row) for row in found] == [("orders/1", 0, "sellers/acme", True)]
