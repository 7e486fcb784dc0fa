"""Moves that meet on one offer, or on one origin, at the same moment: exactly one of them wins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import grpc
import pytest

from chassis.kernel.refusal import Refusal
from chassis.testing import refused
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import order_request_pb2
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from tests.component.offers.scene import ACME, ANA, HOUR, Scene, create, terms

ROUNDS = 12
FINAL = {
    "OfferAccepted": offer_pb2.Offer.STATE_ACCEPTED,
    "OfferDeclined": offer_pb2.Offer.STATE_DECLINED,
    "OfferWithdrawn": offer_pb2.Offer.STATE_WITHDRAWN,
    "OfferExpired": offer_pb2.Offer.STATE_EXPIRED,
}
# What a move may be told that came too late.
TOO_LATE = {"TRANSITION_FORBIDDEN", "REVISION_STALE", "OFFER_EXPIRED"}


async def outcome(call: Any) -> Refusal | None:
    """None where the call succeeded."""
    try:
        await call
    except grpc.aio.AioRpcError:
        return await refused(call)
    return None


async def all_at_once(*calls: Awaitable[Any]) -> list[Refusal | None]:
    return list(await asyncio.gather(*(outcome(call) for call in calls)))


@pytest.mark.covers("X02", "X03")
async def test_accept_withdraw_decline_and_counter_have_one_winner(scene: Scene) -> None:
    for number in range(ROUNDS):
        name = (await scene.offer()).name
        calls = [
            scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=name, revision=1)),
            scene.by(ACME).WithdrawOffer(pb.WithdrawOfferRequest(name=name, etag="v1")),
            scene.by(ANA).DeclineOffer(pb.DeclineOfferRequest(name=name, revision=1, etag="v1")),
            scene.by(ANA).CounterOffer(
                pb.CounterOfferRequest(name=name, revision=1, terms=terms(1), etag="v1")
            ),
        ]
        turn = number % len(calls)
        outcomes = await all_at_once(*calls[turn:], *calls[:turn])
        assert sum(refusal is None for refusal in outcomes) == 1
        assert {r.reason for r in outcomes if r} <= {*TOO_LATE, "ETAG_MISMATCH"}
        (_, winner) = await scene.event_names(name)
        found = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=name))).offer
        assert found.state == FINAL.get(winner, offer_pb2.Offer.STATE_OPEN)


@pytest.mark.covers("X02", "G39")
async def test_accept_and_expiry_at_the_same_instant_have_one_winner(scene: Scene) -> None:
    await scene.service.host.background.stop("timers")
    sweep = scene.service.host.timers.run_due
    for number in range(ROUNDS):
        offer = await scene.offer()
        now = scene.clock.now()
        short = terms()
        short.expire_time.FromDatetime(now + HOUR)
        await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=short))
        scene.clock.set(now + HOUR - timedelta(microseconds=1))
        accepting = outcome(scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=2)))
        if number % 3 == 0:
            # The hand of the clock is on the instant itself: the acceptance is too late, whoever comes first.
            scene.clock.set(now + HOUR)
        task = asyncio.create_task(accepting)
        for _ in range(number):
            await asyncio.sleep(0)
        scene.clock.set(now + HOUR)
        await sweep()
        refusal = await task
        found = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
        if refusal is None:
            assert number % 3 != 0
            assert found.state == offer_pb2.Offer.STATE_ACCEPTED
            assert found.acceptance.accept_time.ToNanoseconds() < short.expire_time.ToNanoseconds()
        else:
            assert refusal.reason == "OFFER_EXPIRED"
            assert found.state == offer_pb2.Offer.STATE_EXPIRED
        winner = "OfferExpired" if refusal else "OfferAccepted"
        assert await scene.event_names(offer.name) == ["OfferSent", "OfferRevised", winner]


async def test_of_many_offers_for_one_request_one_becomes_open(scene: Scene) -> None:
    for _ in range(4):
        origin = scene.origins.add()
        drafts = [(await scene.offer(origin, send=False)).name for _ in range(4)]
        outcomes = await all_at_once(
            *(scene.by(ACME).SendOffer(pb.SendOfferRequest(name=name)) for name in drafts),
            *(scene.by(ACME).CreateOffer(create(origin, send=True)) for _ in range(4)),
        )
        assert sum(refusal is None for refusal in outcomes) == 1
        listed = pb.ListOffersRequest(
            seller="sellers/acme", origin=origin, states=[offer_pb2.Offer.STATE_OPEN]
        )
        (winner,) = (await scene.by(ACME).ListOffers(listed)).offers
        for refusal in outcomes:
            if refusal is not None:
                assert refusal.reason == "OPEN_OFFER_EXISTS"
                assert refusal.metadata == {"origin": origin, "offer": winner.name}


async def test_no_open_offer_outlives_its_request(scene: Scene) -> None:
    """Whichever comes first, the offer or the end of the request: none stays open."""
    for _ in range(ROUNDS):
        origin = scene.origins.add()
        facts = gating_events.OrderRequestFacts(
            name=origin, version=2, state=order_request_pb2.OrderRequest.STATE_WITHDRAWN
        )
        ended = gating_events.OrderRequestWithdrawn(order_request=facts)
        offering = outcome(scene.by(ACME).CreateOffer(create(origin, send=True)))
        refusal, _ = await asyncio.gather(offering, scene.tell(ended, facts))
        await scene.service.settle()
        listed = pb.ListOffersRequest(seller="sellers/acme", origin=origin)
        states = [offer.state for offer in (await scene.by(ACME).ListOffers(listed)).offers]
        if refusal is None:
            assert states == [offer_pb2.Offer.STATE_WITHDRAWN]
        else:
            assert refusal.reason == "ORIGIN_CLOSED"
            assert states == []
