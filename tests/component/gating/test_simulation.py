"""SimulateGate through the API: what settings would have said to what really was placed."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.db import Transaction
from chassis.testing.service import refused, seller
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.gate_simulation_pb2 import GateSimulation
from parley.gating.v1.order_settings_pb2 import OrderSettings
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1.order_pb2 import Order
from services.gating.adapters.repository.placements import PlacementsRepository
from services.gating.app import simulation
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    LISTING,
    NIGHTS,
    OPERATOR,
    OTHER_PACKAGE,
    OWNER,
    PACKAGE,
    SELLER,
    SETTINGS,
    STRANGER,
    World,
    at,
    windows,
)

ALL = OrderSettings.Scope(all_packages=True)
NOON = at("2026-06-01T10:00:00")
NIGHT = at("2026-06-01T20:00:00")
MORNING_AFTER = at("2026-06-02T09:00:00")


async def place(
    world: World,
    number: int,
    *,
    who: str = "users/ana",
    intake: Any = Order.INTAKE_INSTANT,
    package: str = PACKAGE,
    shop: str = SELLER,
    settle: bool = True,
) -> None:
    """An order was placed now."""
    state = Order.STATE_PENDING
    facts = orders_events.OrderFacts(
        name=f"orders/{number:06d}", version=1, seller=shop, buyer=who, package=package, intake=intake
    )
    if intake in {Order.INTAKE_INSTANT, Order.INTAKE_OFFER}:
        state = Order.STATE_CONFIRMED
        facts.confirm_time.CopyFrom(timestamp(world.clock.now()))
    facts.state = state
    await world.publish(orders_events.OrderPlaced(order=facts), aggregate=facts.name, version=1)
    if settle:
        await world.service.settle()


async def messages(world: World, who: Any = OWNER, **fields: Any) -> list[pb.SimulateGateResponse]:
    call = world.stub(who).SimulateGate(pb.SimulateGateRequest(name=SETTINGS, **fields))
    return [message async for message in call]


async def simulate(world: World, **fields: Any) -> GateSimulation:
    return (await messages(world, **fields))[-1].simulation


def counts(found: GateSimulation) -> dict[str, tuple[int, int]]:
    return {
        GateDecision.Reason.Name(rule.reason).removeprefix("REASON_"): (rule.orders, rule.order_requests)
        for rule in found.rules
    }


@pytest.fixture
async def past(world: World) -> World:
    """Three orders by day, two by night, a request by night; now it is the morning after."""
    await world.close_gate(windows=windows(*NIGHTS))
    world.clock.set(NOON)
    for number, who in ((1, "users/ana"), (2, "users/ben"), (3, "users/ana")):
        await place(world, number, who=who)
        world.clock.advance(timedelta(minutes=1))
    world.clock.set(NIGHT)
    await world.submit(ANA)
    await place(world, 4, who="users/ana")
    await place(world, 5, who="users/carol", package=OTHER_PACKAGE)
    world.clock.set(MORNING_AFTER)
    return world


@pytest.mark.covers("G27", "X04")
async def test_the_saved_settings_are_replayed_per_rule(past: World) -> None:
    progress, last = await messages(past)
    assert (progress.progress.judged, progress.progress.total) == (0, 6)
    found = last.simulation
    assert (found.sample_size, found.gated, found.newly_gated, found.newly_instant) == (6, 3, 2, 0)
    assert counts(found) == {"OUTSIDE_WINDOWS": (3, 0), "INSIDE_WINDOW": (2, 1)}
    (night,) = [rule for rule in found.rules if rule.outcome == GateDecision.OUTCOME_REQUEST_REQUIRED]
    assert (night.matched_window, night.placements) == ("MON 21:00-24:00", 3)
    assert found.settings_version == 1
    assert found.end_time == timestamp(MORNING_AFTER)
    assert found.start_time == timestamp(MORNING_AFTER - timedelta(days=90))
    example = found.examples[0]
    assert (example.placement, example.buyer, example.package) == ("orders/000001", "users/ana", PACKAGE)
    assert example.local_time == "2026-06-01T12:00:00+02:00"


@pytest.mark.covers("G27", "X04")
async def test_proposed_settings_are_replayed_and_not_saved(past: World) -> None:
    before = await past.contents()
    proposed = OrderSettings(
        enabled=True,
        scope=ALL,
        audience=OrderSettings.AUDIENCE_NEW_BUYERS,
        time_zone="Europe/Berlin",
    )
    found = await simulate(past, proposed=proposed)
    # Ana's first order by day made her a returning buyer; Ben's and Carol's were their first.
    assert counts(found) == {"ALWAYS": (3, 0), "RETURNING_BUYER": (2, 1)}
    assert (found.settings_version, found.newly_gated, found.newly_instant) == (0, 3, 1)
    one = await simulate(
        past, proposed=OrderSettings(enabled=True, scope=OrderSettings.Scope(packages=[OTHER_PACKAGE]))
    )
    assert counts(one) == {"OUT_OF_SCOPE": (4, 1), "ALWAYS": (1, 0)}
    capacity = await simulate(
        past, proposed=OrderSettings(enabled=True, scope=ALL, max_open_orders=3, capacity_only=True)
    )
    assert counts(capacity) == {"BELOW_CAPACITY": (3, 0), "AT_CAPACITY": (2, 1)}
    off = await simulate(past, proposed=OrderSettings())
    assert counts(off) == {"SWITCHED_OFF": (5, 1)}
    assert await past.contents() == before


@pytest.mark.covers("G37", "X04")
async def test_any_saved_version_can_be_replayed(past: World) -> None:
    await past.save("enabled", enabled=False)
    assert counts(await simulate(past)) == {"SWITCHED_OFF": (5, 1)}
    earlier = await simulate(past, settings_version=1)
    assert (earlier.settings_version, earlier.gated) == (1, 3)
    missing = await refused(messages(past, settings_version=3))
    assert (missing.reason, missing.metadata["resource"]) == ("NOT_FOUND", f"{SETTINGS}/versions/3")


async def test_the_period_is_half_open_and_ends_now(past: World) -> None:
    found = await simulate(past, start_time=timestamp(NOON), end_time=timestamp(NIGHT))
    assert found.sample_size == 3
    later = NOON + timedelta(microseconds=1)
    found = await simulate(past, start_time=timestamp(later), end_time=timestamp(NIGHT))
    assert found.sample_size == 2
    found = await simulate(past, end_time=timestamp(MORNING_AFTER + timedelta(days=9)))
    assert found.end_time == timestamp(MORNING_AFTER)
    for start, end in ((NIGHT, NOON), (NIGHT, NIGHT), (NOON - timedelta(days=366), NOON + timedelta(days=1))):
        refusal = await refused(messages(past, start_time=timestamp(start), end_time=timestamp(end)))
        assert refusal.reason == "VALIDATION_FAILED"
    long_ago = timestamp(MORNING_AFTER - timedelta(days=367))
    assert (await refused(messages(past, start_time=long_ago))).metadata["field"] == "start_time"
    # Nothing is placed in the future.
    ahead = await simulate(past, start_time=timestamp(MORNING_AFTER + timedelta(days=1)))
    assert ahead.sample_size == 0


@pytest.mark.covers("G12", "X04")
async def test_offers_count_as_they_were_held_then(world: World) -> None:
    await world.close_gate()
    world.clock.set(NOON)
    await place(world, 1)
    world.clock.advance(timedelta(hours=1))
    await world.tell_offer(offers_events.OfferSent)
    world.clock.advance(timedelta(hours=1))
    await place(world, 2)
    world.clock.advance(timedelta(hours=1))
    await world.tell_offer(offers_events.OfferWithdrawn, version=3, state=Offer.STATE_WITHDRAWN)
    world.clock.advance(timedelta(hours=1))
    await place(world, 3)
    world.clock.set(NIGHT)
    found = await simulate(world)
    assert counts(found) == {"ALWAYS": (2, 0), "OPEN_OFFER": (1, 0)}
    (passed,) = [example for example in found.examples if example.reason == GateDecision.REASON_OPEN_OFFER]
    assert (passed.placement, bool(passed.offer)) == ("orders/000002", True)


async def test_what_no_settings_decide_is_left_out_and_counted(past: World) -> None:
    past.clock.set(MORNING_AFTER)
    await place(past, 6, intake=Order.INTAKE_OFFER)
    await place(past, 7, intake=Order.INTAKE_BY_QUOTE)
    away = pb.SetAvailabilityRequest(name=LISTING, available=False)
    await past.stub(OWNER).SetAvailability(away)
    await past.submit(ANA, OTHER_PACKAGE)
    past.clock.advance(timedelta(hours=1))
    found = await simulate(past)
    assert counts(found) == {
        "OUTSIDE_WINDOWS": (3, 0),
        "INSIDE_WINDOW": (2, 1),
        "INTAKE_NOT_INSTANT": (1, 0),
    }
    assert {exclusion.reason: exclusion.placements for exclusion in found.exclusions} == {
        GateSimulation.EXCLUSION_REASON_OFFER_ACCEPTED: 1,
        GateSimulation.EXCLUSION_REASON_UNAVAILABLE: 1,
    }


async def test_many_are_judged_in_portions_that_meet(past: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await simulate(past, max_examples=20)
    for portion in (1, 2, 3, 6):
        monkeypatch.setattr(simulation, "PORTION", portion)
        *told, last = await messages(past, max_examples=20)
        assert last.simulation == whole
        assert [one.progress.judged for one in told] == list(range(0, 7, portion))
        assert {one.progress.total for one in told} == {6}


async def test_too_many_are_refused(past: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "MAX_PLACEMENTS", 5)
    found = await refused(messages(past))
    assert (found.reason, found.metadata["limit"]) == ("SIMULATION_TOO_LARGE", "5")


async def test_proposed_settings_are_checked_like_saved_ones(past: World) -> None:
    foreign = OrderSettings.Scope(packages=["sellers/x/listings/y/packages/z"])
    for proposed, reason, field in (
        (OrderSettings(time_zone="Mars/Olympus"), "UNKNOWN_TIME_ZONE", "time_zone"),
        (OrderSettings(scope=foreign), "SCOPE_FOREIGN", "scope.packages[0]"),
        (OrderSettings(windows=windows(("09:00", "09:00"))), "WINDOW_INVALID", "windows[0]"),
        (OrderSettings(capacity_only=True), "VALIDATION_FAILED", "capacity_only"),
    ):
        found = await refused(messages(past, proposed=proposed))
        assert (found.reason, found.metadata["field"]) == (reason, f"proposed.{field}")
    for bad in ({"settings_version": 0}, {"max_examples": 21}, {"max_examples": -1}):
        assert (await refused(messages(past, **bad))).reason == "VALIDATION_FAILED"


@pytest.mark.covers("X04")
async def test_a_seller_sees_his_own_placements_only(past: World) -> None:
    await place(past, 9, shop="sellers/other", package="sellers/other/listings/a/packages/b")
    assert (await simulate(past, who=AGENT)).sample_size == 6
    call = past.stub(seller("other")).SimulateGate(pb.SimulateGateRequest(name="sellers/other/orderSettings"))
    past.clock.advance(timedelta(hours=1))
    found = [message async for message in call][-1].simulation
    assert (found.sample_size, found.settings_version) == (1, 0)
    for who in (STRANGER, ANA, OPERATOR):
        assert (await refused(messages(past, who))).reason == "NOT_FOUND"


KNOWN_ORDERS = """
INSERT INTO known_order (name, version, seller, buyer, package, intake, is_open, confirm_time, close_time)
SELECT 'orders/' || n, 1, :seller, 'users/b', :package, 'INSTANT', closed IS NULL, confirmed, closed
FROM unnest(CAST(:numbers AS int[]), CAST(:confirmed AS timestamptz[]), CAST(:closed AS timestamptz[]))
    AS made (n, confirmed, closed)
"""


async def test_a_seller_was_full_when_as_many_orders_were_open(world: World) -> None:
    generator, instants = Random(7), [NOON + timedelta(seconds=second) for second in range(12)]
    orders: list[tuple[int, datetime | None, datetime | None]] = []
    for number in range(30):
        confirmed = generator.choice([None, *instants[:9]])
        later = [instant for instant in instants if confirmed is not None and instant >= confirmed]
        orders.append((number, confirmed, generator.choice([None, *later])))
    numbers, confirmed_times, closed_times = ([*column] for column in zip(*orders, strict=True))
    rows = {"numbers": numbers, "confirmed": confirmed_times, "closed": closed_times}

    async def work(tx: Transaction) -> None:
        await tx.execute(sa.text(KNOWN_ORDERS), {"seller": SELLER, "package": PACKAGE, **rows})
        for limit in (1, 3, 6, 31):
            found = await PlacementsRepository().workload(tx, SELLER, limit=limit, before=instants[6])
            for instant in instants[:7]:
                count = sum(
                    confirmed is not None
                    and confirmed < instant
                    and not (closed is not None and closed < instant)
                    for _, confirmed, closed in orders
                )
                assert found.is_full(instant) is (count >= limit)

    await world.service.host.database.transact(work)
