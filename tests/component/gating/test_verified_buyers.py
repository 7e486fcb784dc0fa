"""Buyers whom the marketplace verified, and sellers who do not ask them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, Identity, refused, service
from chassis.wire import timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.buyer_verification_pb2 import (
    BuyerVerification,
    ListBuyerVerificationsRequest,
    SetBuyerVerificationRequest,
)
from parley.gating.v1.events_pb2 import BuyerVerificationSet
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.gating.v1.order_settings_pb2 import OrderSettings
from tests.component.gating.conftest import (
    ANA,
    BEN,
    BUYER,
    OPERATOR,
    OWNER,
    SETTINGS,
    Seconds,
    World,
    world_of,
)
from tests.component.gating.test_simulation import place, simulate

HOUR = timedelta(hours=1)
UNVERIFIED = OrderSettings.AUDIENCE_UNVERIFIED_BUYERS
NEW_UNVERIFIED = OrderSettings.AUDIENCE_NEW_UNVERIFIED_BUYERS
PAPERS = service("papers")


async def verify(
    world: World,
    verified: bool = True,
    *,
    who: Identity = OPERATOR,
    until: datetime | None = None,
    **fields: Any,
) -> BuyerVerification:
    """Somebody says of Ana whether she is verified."""
    request = SetBuyerVerificationRequest(
        name=BUYER, verified=verified, expire_time=None if until is None else timestamp(until), **fields
    )
    response = await world.stub(who).SetBuyerVerification(request)
    found: BuyerVerification = response.buyer_verification
    return found


async def said(world: World, **fields: Any) -> Any:
    request = ListBuyerVerificationsRequest(parent=BUYER, **fields)
    return await world.stub(OPERATOR).ListBuyerVerifications(request)


async def reason(world: World, who: Identity = ANA) -> str:
    found = (await world.evaluate(who)).reason
    return GateDecision.Reason.Name(found).removeprefix("REASON_")


@pytest.mark.covers("X17")
async def test_verified_buyers_order_at_once_until_the_verification_lapses(world: World) -> None:
    await world.close_gate(audience=UNVERIFIED)
    assert await reason(world) == "ALWAYS"
    until = world.clock.now() + HOUR
    found = await verify(world, until=until)
    assert (found.effective, found.author, found.etag) == (True, "users/operator", "v1")
    decision = await world.evaluate()
    assert (decision.outcome, decision.reason) == (
        GateDecision.OUTCOME_ALLOWED,
        GateDecision.REASON_VERIFIED_BUYER,
    )
    assert decision.next_change_time == timestamp(until)
    assert (await refused(world.submit())).metadata["reason"] == "VERIFIED_BUYER"
    assert await reason(world, BEN) == "ALWAYS"
    world.clock.set(until - timedelta(microseconds=1))
    assert await reason(world) == "VERIFIED_BUYER"
    world.clock.set(until)
    assert await reason(world) == "ALWAYS"
    (lapsed,) = (await said(world)).buyer_verifications
    assert (lapsed.verified, lapsed.effective) == (True, False)
    assert (await world.submit()).name


@pytest.mark.covers("X17")
async def test_a_verification_that_is_taken_back_opens_no_gate(world: World) -> None:
    await world.close_gate(audience=UNVERIFIED)
    await verify(world)
    assert await reason(world) == "VERIFIED_BUYER"
    await verify(world, False, who=PAPERS)
    assert await reason(world) == "ALWAYS"


@pytest.mark.covers("X17", "G15")
async def test_returning_or_verified_buyers_pass_a_full_seller(world: World) -> None:
    await world.close_gate(audience=NEW_UNVERIFIED, max_open_orders=1, capacity_only=True)
    await world.tell_order(who="users/carol")
    assert await reason(world) == await reason(world, BEN) == "AT_CAPACITY"
    await verify(world)
    await world.tell_order(who="users/ben", number=2)
    assert (await reason(world), await reason(world, BEN)) == ("VERIFIED_BUYER", "RETURNING_BUYER")
    await world.save(audience=OrderSettings.AUDIENCE_NEW_BUYERS)
    assert (await reason(world), await reason(world, BEN)) == ("AT_CAPACITY", "RETURNING_BUYER")
    await world.save(audience=UNVERIFIED)
    assert (await reason(world), await reason(world, BEN)) == ("VERIFIED_BUYER", "AT_CAPACITY")


async def test_everything_that_was_said_is_kept_with_who_said_it(world: World) -> None:
    assert list((await said(world)).buyer_verifications) == []
    await verify(world)
    world.clock.advance(HOUR)
    await verify(world, who=PAPERS)
    await verify(world, False, who=PAPERS, etag="v1")
    world.clock.advance(HOUR)
    last = await verify(world, until=world.clock.now() + HOUR, etag="v2")
    page = await said(world, page_size=2)
    rest = await said(world, page_size=2, page_token=page.next_page_token)
    versions = [*page.buyer_verifications, *rest.buyer_verifications]
    assert versions[0] == last
    assert [(each.verified, each.effective, each.author) for each in versions] == [
        (True, True, "users/operator"),
        (False, False, "services/papers"),
        (True, False, "users/operator"),
    ]
    first, second, third = await world.events(f"{BUYER}/verification")
    for version, event in enumerate((first, second, third), 1):
        assert isinstance(event, BuyerVerificationSet)
        assert (event.version, event.buyer_verification.author) == (version, "")


async def test_saying_it_twice_with_one_id_says_it_once(world: World) -> None:
    first = await verify(world, request_id="once")
    await verify(world, False)
    assert await verify(world, request_id="once") == first
    assert len((await said(world)).buyer_verifications) == 2


async def test_of_those_who_speak_at_once_each_is_heard_in_turn(world: World) -> None:
    found = await asyncio.gather(*(verify(world, number % 2 == 0) for number in range(6)))
    versions = [each.etag for each in (await said(world)).buyer_verifications]
    assert versions == [f"v{number}" for number in range(len(versions), 0, -1)]
    assert {each.etag for each in found} <= {*versions, "v0"}
    one_wins = await asyncio.gather(
        *(verify(world, until=world.clock.now() + hours * HOUR, etag=versions[0]) for hours in (1, 2, 3)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, BuyerVerification) for each in one_wins) == 1


async def test_another_replica_follows_within_a_second(
    backends: Backends, clock: ManualClock, seconds: Seconds
) -> None:
    dsn = await backends.database("services.gating.migrations")
    async with (
        world_of(backends, clock, seconds, dsn=dsn) as one,
        world_of(backends, clock, seconds, dsn=dsn) as two,
    ):
        await one.close_gate(audience=UNVERIFIED)
        await two.service.settle()
        seconds.now += 1.0
        assert await reason(two) == "ALWAYS"
        await verify(one)
        seconds.now += 1.0
        assert await reason(two) == "VERIFIED_BUYER"


@pytest.mark.covers("X17", "X04")
async def test_a_simulation_knows_who_was_verified_when(world: World) -> None:
    await world.close_gate(audience=UNVERIFIED)
    await place(world, 1)
    world.clock.advance(HOUR)
    await verify(world, until=world.clock.now() + 3 * HOUR)
    await place(world, 2)
    world.clock.advance(HOUR)
    await verify(world, False)
    await place(world, 3)
    world.clock.advance(HOUR)
    await verify(world, until=world.clock.now() + HOUR)
    world.clock.advance(HOUR)
    await place(world, 4)
    world.clock.advance(HOUR)
    found = await simulate(world)
    assert [(GateDecision.Reason.Name(each.reason), each.placements) for each in found.rules] == [
        ("REASON_ALWAYS", 3),
        ("REASON_VERIFIED_BUYER", 1),
    ]
    (passed,) = [each for each in found.examples if each.reason == GateDecision.REASON_VERIFIED_BUYER]
    assert passed.placement == "orders/000002"


async def test_the_choice_is_kept_with_the_settings(world: World) -> None:
    saved = await world.close_gate(audience=NEW_UNVERIFIED)
    request = pb.GetOrderSettingsRequest(name=SETTINGS)
    assert (await world.stub(OWNER).GetOrderSettings(request)).order_settings.audience == NEW_UNVERIFIED
    assert saved.audience == NEW_UNVERIFIED
