"""The currency of an offer is that of the price which its buyer was told already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing import refused
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from tests.component.offers.scene import ACME, HOUR, Scene, create, money, terms


@pytest.mark.parametrize("collection", ["orders", "orderRequests"])
async def test_what_has_a_price_takes_offers_in_its_currency_only(scene: Scene, collection: str) -> None:
    acme, dollars = scene.by(ACME), terms(90, currency="USD")
    origin = scene.origins.add(collection, currency="EUR")
    draft = await scene.offer(origin, send=False)
    # These two were made in dollars before anything said that the price is in euros.
    unpriced = scene.origins.add(collection)
    foreign = await scene.offer(unpriced, send=False, currency="USD")
    overdue = await scene.offer(scene.origins.add(collection), currency="USD", expires_in=HOUR)
    await scene.service.advance(HOUR)
    for name in (unpriced, overdue.order or overdue.order_request):
        scene.origins.known[name] = replace(scene.origins.known[name], currency="EUR")
    before = await scene.written()
    for call in (
        acme.CreateOffer(create(origin, terms=dollars)),
        acme.CreateOffer(create(origin, terms=dollars, send=True)),
        acme.ReviseOffer(pb.ReviseOfferRequest(name=draft.name, terms=dollars)),
        acme.SendOffer(pb.SendOfferRequest(name=foreign.name)),
        acme.ReviveOffer(pb.ReviveOfferRequest(name=overdue.name)),
    ):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.INVALID, "CURRENCY_MISMATCH")
        assert refusal.metadata == {"field": "terms.line_items", "expected": "EUR", "actual": "USD"}
    assert await scene.written() == before

    # The draft is mended and sent; a draft that keeps its currency is revised whoever is down.
    mended = pb.ReviseOfferRequest(name=foreign.name, terms=terms(80))
    assert (await acme.ReviseOffer(mended)).offer.current_revision.total == money(80)
    sent = (await acme.SendOffer(pb.SendOfferRequest(name=foreign.name))).offer
    assert sent.state == offer_pb2.Offer.STATE_OPEN
    scene.origins.break_down()
    await acme.ReviseOffer(pb.ReviseOfferRequest(name=draft.name, terms=terms(70)))
    away = acme.ReviseOffer(pb.ReviseOfferRequest(name=draft.name, terms=dollars))
    assert (await refused(away)).reason == "PEER_UNAVAILABLE"
