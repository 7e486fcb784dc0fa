"""How requests follow what offers and orders tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chassis.testing.service import refused
from chassis.wire import timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1.order_request_pb2 import OrderRequest
from parley.gating.v1.order_settings_pb2 import OrderSettings
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.offer_pb2 import Offer
from parley.orders.v1.order_pb2 import Order
from tests.component.gating.conftest import (
    BEN,
    ONE_DAY,
    OTHER_PACKAGE,
    PACKAGE,
    World,
    hours,
)
from tests.component.gating.moves import close, decline, timers, withdraw

ENDED = {
    "OfferDeclined": Offer.STATE_DECLINED,
    "OfferWithdrawn": Offer.STATE_WITHDRAWN,
    "OfferExpired": Offer.STATE_EXPIRED,
}


@pytest.mark.covers("G34", "G11")
async def test_an_offer_is_the_approval_and_its_acceptance_the_order(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    offered = await world.read(created.name)
    assert (offered.state, offered.order) == (OrderRequest.STATE_OFFERED, "")
    assert offered.offer == "offers/01900000-0000-7000-8000-000000000001"
    assert offered.first_response_time == timestamp(world.clock.now())
    assert not offered.HasField("expire_time")
    assert [*offered.allowed_actions] == ["withdraw"]
    assert await timers(world) == []
    await world.tell_offer(
        offers_events.OfferAccepted, request=created.name, version=3, state=Offer.STATE_ACCEPTED
    )
    converted = await world.read(created.name)
    assert converted.state == OrderRequest.STATE_CONVERTED
    assert converted.order == "orders/01900000-0000-7000-8000-000000000001"
    assert not converted.allowed_actions
    event: Any = (await world.events(created.name))[-1]
    assert isinstance(event, gating_events.OrderRequestConverted)
    assert event.order_request.order == converted.order


@pytest.mark.covers("G06")
async def test_the_answer_may_be_another_package(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    other: dict[str, Any] = {"request": created.name, "package": OTHER_PACKAGE}
    await world.tell_offer(offers_events.OfferSent, **other)
    offered = await world.read(created.name)
    assert (offered.state, offered.package) == (OrderRequest.STATE_OFFERED, PACKAGE)
    assert offered.package_snapshot == created.package_snapshot
    await world.tell_offer(offers_events.OfferAccepted, version=3, state=Offer.STATE_ACCEPTED, **other)
    assert (await world.read(created.name)).state == OrderRequest.STATE_CONVERTED


@pytest.mark.parametrize("ending", list(ENDED))
async def test_an_offer_that_ends_gives_the_seller_new_time(world: World, ending: str) -> None:
    await world.close_gate(request_ttl=hours(10))
    created = await world.submit()
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    world.clock.advance(30 * ONE_DAY)
    kind = getattr(offers_events, ending)
    await world.tell_offer(kind, request=created.name, version=3, state=ENDED[ending])
    reopened = await world.read(created.name)
    assert reopened.state == OrderRequest.STATE_PENDING
    assert reopened.expire_time == timestamp(world.clock.now() + timedelta(hours=10))
    await world.tell_offer(offers_events.OfferRevived, request=created.name, version=4)
    assert (await world.read(created.name)).state == OrderRequest.STATE_OFFERED
    await world.tell_offer(offers_events.OfferSent, request=created.name, number=2)
    assert (await world.read(created.name)).offer.endswith("2")


@pytest.mark.parametrize("ending", list(ENDED))
async def test_a_seller_who_offers_once_closes_what_was_in_vain(world: World, ending: str) -> None:
    once = OrderSettings.REOFFER_POLICY_CLOSE
    assert (await world.close_gate(reoffer_policy=once)).reoffer_policy == once
    created = await world.submit()
    # A request keeps the policy under which it came.
    await world.save("reoffer_policy")
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    kind = getattr(offers_events, ending)
    await world.tell_offer(kind, request=created.name, version=3, state=ENDED[ending])
    closed = await world.read(created.name)
    assert (closed.state, [*closed.allowed_actions]) == (OrderRequest.STATE_CLOSED, [])
    assert isinstance((await world.events(created.name))[-1], gating_events.OrderRequestClosed)
    assert await timers(world) == []
    again = await world.submit()
    assert again.name != created.name


async def test_facts_of_offers_may_come_late_twice_and_in_disorder(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    facts: dict[str, Any] = {"request": created.name, "settle": False}
    await world.tell_offer(offers_events.OfferAccepted, version=4, state=Offer.STATE_ACCEPTED, **facts)
    await world.tell_offer(offers_events.OfferSent, version=2, **facts)
    await world.tell_offer(offers_events.OfferRevised, version=3, **facts)
    await world.tell_offer(offers_events.OfferAccepted, version=4, state=Offer.STATE_ACCEPTED, **facts)
    await world.service.settle()
    converted = await world.read(created.name)
    assert (converted.state, converted.etag) == (OrderRequest.STATE_CONVERTED, "v2")


@pytest.mark.parametrize("end", [withdraw, decline, close])
async def test_an_accepted_offer_wins_over_an_end(world: World, end: Any) -> None:
    await world.close_gate()
    created = await world.submit()
    await end(world, created.name)
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    assert (await world.read(created.name)).state != OrderRequest.STATE_OFFERED
    await world.tell_offer(
        offers_events.OfferAccepted, request=created.name, version=3, state=Offer.STATE_ACCEPTED
    )
    assert (await world.read(created.name)).state == OrderRequest.STATE_CONVERTED


async def test_foreign_and_unknown_facts_change_nothing(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    unknown = "orderRequests/01900000-0000-7000-8000-0000000000ff"
    await world.tell_offer(offers_events.OfferSent, request=created.name, who="users/ben")
    await world.tell_offer(offers_events.OfferSent, request=unknown, number=2)
    await world.tell_offer(offers_events.OfferOpened, number=3)
    assert (await world.read(created.name)).state == OrderRequest.STATE_PENDING
    assert await world.rows("SELECT 1 FROM dead_letter") == []


async def test_withdrawing_an_offered_request_tells_offers(world: World) -> None:
    await world.close_gate()
    created = await world.submit()
    await world.tell_offer(offers_events.OfferSent, request=created.name)
    await withdraw(world, created.name)
    event: Any = (await world.events(created.name))[-1]
    assert isinstance(event, gating_events.OrderRequestWithdrawn)
    assert event.order_request.offer == "offers/01900000-0000-7000-8000-000000000001"


@pytest.mark.covers("G12")
async def test_a_holder_of_an_open_offer_needs_no_request(world: World) -> None:
    await world.close_gate()
    await world.tell_offer(offers_events.OfferSent)
    found = await refused(world.submit())
    assert (found.reason, found.metadata["reason"]) == ("REQUEST_NOT_REQUIRED", "OPEN_OFFER")


@pytest.mark.covers("G15")
async def test_a_returning_buyer_needs_no_request(world: World) -> None:
    await world.close_gate(audience=OrderSettings.AUDIENCE_NEW_BUYERS)
    await world.tell_order(state=Order.STATE_CONFIRMED)
    found = await refused(world.submit())
    assert (found.reason, found.metadata["reason"]) == ("REQUEST_NOT_REQUIRED", "RETURNING_BUYER")
    await world.submit(BEN)
