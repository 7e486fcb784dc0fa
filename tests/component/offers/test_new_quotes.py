"""A buyer asks for a new quote in the place of an expired one."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from chassis.testing import refused
from chassis.wire import timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import order_request_pb2
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from tests.component.offers.scene import ACME, ANA, HOUR, NOW, OPERATOR, ORDERS, Scene

EXPIRED = offer_pb2.Offer.STATE_EXPIRED


async def expired(scene: Scene, collection: str = "orderRequests") -> offer_pb2.Offer:
    soon = timestamp(scene.clock.now() + HOUR)
    offer = await scene.offer(scene.origins.add(collection), expire_time=soon)
    await scene.service.advance(HOUR)
    return offer


async def ask(scene: Scene, name: str, text: str = "") -> Any:
    return (await scene.by(ANA).RequestNewQuote(pb.RequestNewQuoteRequest(name=name, text=text))).offer


@pytest.mark.covers("X11")
@pytest.mark.parametrize("collection", ["orderRequests", "orders", "conversations"])
async def test_an_expired_offer_is_asked_for_again_and_revived(scene: Scene, collection: str) -> None:
    offer = await expired(scene, collection)
    asked = await ask(scene, offer.name, "Is this still possible?")
    assert (asked.state, asked.etag) == (EXPIRED, "v3")
    assert asked.new_quote == offer_pb2.NewQuote(
        revision=1, request_time=timestamp(NOW + HOUR), text="Is this still possible?"
    )
    # Once is enough.
    assert (await ask(scene, offer.name, "Hello?")).new_quote == asked.new_quote
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferExpired", "OfferNewQuoteRequested"]
    told = (await scene.events(offer.name))[-1]
    assert b"possible" not in told.SerializeToString()

    seen = (await scene.by(ACME).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
    assert seen.new_quote.text == "Is this still possible?"
    for stranger in (OPERATOR, ORDERS):
        seen = (await scene.by(stranger).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
        assert (seen.new_quote.revision, seen.new_quote.text) == (1, "")

    again = pb.ReviveOfferRequest(name=offer.name, expire_time=timestamp(NOW + 2 * HOUR))
    revived = (await scene.by(ACME).ReviveOffer(again)).offer
    assert revived.new_quote == asked.new_quote
    await scene.service.advance(HOUR)
    # The new revision expired as well, so there is something new to ask for.
    assert (await ask(scene, offer.name)).new_quote.revision == 2


@pytest.mark.covers("X11")
async def test_another_offer_is_an_answer_too(scene: Scene) -> None:
    offer = await expired(scene)
    await ask(scene, offer.name)
    better = await scene.offer(offer.order_request, amount=90)
    assert better.state == offer_pb2.Offer.STATE_OPEN
    # Asked already: the first answer again.
    assert (await ask(scene, offer.name)).new_quote.revision == 1


async def test_nobody_asks_for_what_is_not_sold_any_more(scene: Scene) -> None:
    made = await scene.listing()
    package = made.packages[0].name
    offer = await scene.offer(expire_time=timestamp(NOW + HOUR), package=package)
    await scene.service.advance(HOUR)
    await scene.by(ACME).RetireListing(pb.RetireListingRequest(name=made.name))
    await scene.service.settle()
    before = await scene.written()
    refusal = await refused(scene.by(ANA).RequestNewQuote(pb.RequestNewQuoteRequest(name=offer.name)))
    assert (refusal.reason, refusal.metadata) == ("PACKAGE_RETIRED", {"package": package})
    assert await scene.written() == before


async def test_who_has_an_open_offer_answers_that_one(scene: Scene) -> None:
    offer = await expired(scene)
    better = await scene.offer(offer.order_request, amount=90)
    refusal = await refused(scene.by(ANA).RequestNewQuote(pb.RequestNewQuoteRequest(name=offer.name)))
    assert refusal.reason == "OPEN_OFFER_EXISTS"
    assert refusal.metadata == {"origin": offer.order_request, "offer": better.name}


async def test_where_the_request_has_ended_only_a_new_request_helps(scene: Scene) -> None:
    told, known = await expired(scene), await expired(scene)
    facts = gating_events.OrderRequestFacts(
        name=told.order_request, version=2, state=order_request_pb2.OrderRequest.STATE_WITHDRAWN
    )
    await scene.tell(gating_events.OrderRequestWithdrawn(order_request=facts), facts)
    scene.origins.set_state(known.order_request, "EXPIRED")
    before = await scene.written()
    for offer, state in ((told, "WITHDRAWN"), (known, "EXPIRED")):
        call = scene.by(ANA).RequestNewQuote(pb.RequestNewQuoteRequest(name=offer.name))
        refusal = await refused(call)
        assert refusal.reason == "ORIGIN_CLOSED"
        assert refusal.metadata == {"origin": offer.order_request, "state": state}
    assert await scene.written() == before


async def test_an_offer_that_no_sweeper_has_met_expires_before_it_is_asked_for(scene: Scene) -> None:
    offer = await scene.offer(expires_in=HOUR)
    await scene.service.host.background.stop("timers")
    scene.clock.advance(HOUR)
    assert (await ask(scene, offer.name)).etag == "v3"
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferExpired", "OfferNewQuoteRequested"]
    await scene.service.host.timers.run_due()
    assert len(await scene.event_names(offer.name)) == 3


async def test_asking_and_reviving_at_once_leave_one_open_offer(scene: Scene) -> None:
    for number in range(8):
        offer = await expired(scene)
        name = offer.name
        calls = [
            scene.by(ANA).RequestNewQuote(pb.RequestNewQuoteRequest(name=name)),
            scene.by(ACME).ReviveOffer(pb.ReviveOfferRequest(name=name)),
            scene.by(ANA).RequestNewQuote(pb.RequestNewQuoteRequest(name=name)),
        ]
        turn = number % 3
        answers = await asyncio.gather(*calls[turn:], *calls[:turn], return_exceptions=True)
        for answer in answers:
            if isinstance(answer, grpc.aio.AioRpcError):
                # Revived meanwhile: there is an open offer to answer.
                assert answer.code() is grpc.StatusCode.FAILED_PRECONDITION
        found = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=name))).offer
        assert found.state == offer_pb2.Offer.STATE_OPEN
        names = await scene.event_names(name)
        assert names.count("OfferNewQuoteRequested") <= 1
        assert names.count("OfferRevived") == 1
