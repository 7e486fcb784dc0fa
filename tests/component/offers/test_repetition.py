"""Request ids: one answer for each, however often and however simultaneously it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from chassis.kernel.refusal import Kind
from chassis.testing import Identity, refused
from parley.offers.v1 import listing_pb2, offer_settings_pb2, offer_template_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.type.v1 import commerce_pb2
from tests.component.offers.scene import ACME, ACME_AGENT, ANA, HOUR, Scene, create, listing, money, terms

KEY = "0198a000-key"


async def creation(scene: Scene) -> tuple[Any, Any]:
    request = create(scene.origins.add(), send=True, note="first", request_id=KEY)
    other = pb.CreateOfferRequest()
    other.CopyFrom(request)
    other.note = "second"
    return request, other


async def on_offer(
    scene: Scene, request: Callable[..., Any], *, send: bool = True, other: dict[str, Any], **fields: Any
) -> tuple[Any, Any]:
    offer = await scene.offer(send=send)
    return request(name=offer.name, **fields, request_id=KEY), request(
        name=offer.name, **{**fields, **other}, request_id=KEY
    )


async def revival(scene: Scene) -> tuple[Any, Any]:
    offer = await scene.offer(expires_in=HOUR)
    await scene.service.advance(HOUR)
    return pb.ReviveOfferRequest(name=offer.name, request_id=KEY), pb.ReviveOfferRequest(
        name=offer.name, etag="v2", request_id=KEY
    )


async def wish(scene: Scene) -> tuple[Any, Any]:
    offer = await scene.offer(expires_in=HOUR)
    await scene.service.advance(HOUR)
    return pb.RequestNewQuoteRequest(name=offer.name, request_id=KEY), pb.RequestNewQuoteRequest(
        name=offer.name, text="please", request_id=KEY
    )


async def settings_change(_: Scene) -> tuple[Any, Any]:
    name = "sellers/acme/offerSettings"
    berlin = offer_settings_pb2.OfferSettings(name=name, time_zone="Europe/Berlin")
    lima = offer_settings_pb2.OfferSettings(name=name, time_zone="America/Lima")
    return (
        pb.UpdateOfferSettingsRequest(offer_settings=berlin, request_id=KEY),
        pb.UpdateOfferSettingsRequest(offer_settings=lima, request_id=KEY),
    )


async def submission(scene: Scene) -> tuple[Any, Any]:
    limits = offer_settings_pb2.OfferSettings(name="sellers/acme/offerSettings", approval_limits=[money(10)])
    await scene.by(ACME).UpdateOfferSettings(pb.UpdateOfferSettingsRequest(offer_settings=limits))
    return await on_offer(scene, pb.SubmitOfferRequest, send=False, other={"text": "please"})


async def decision(scene: Scene, request: Callable[..., Any], *, other: dict[str, Any]) -> tuple[Any, Any]:
    submitting, _ = await submission(scene)
    await scene.by(ACME_AGENT).SubmitOffer(submitting)
    return request(name=submitting.name, request_id=KEY), request(
        name=submitting.name, **other, request_id=KEY
    )


async def template_creation(_: Scene) -> tuple[Any, Any]:
    def made(title: str) -> pb.CreateOfferTemplateRequest:
        template = offer_template_pb2.OfferTemplate(title=title, terms=terms())
        return pb.CreateOfferTemplateRequest(parent="sellers/acme", offer_template=template, request_id=KEY)

    return made("Logo"), made("Card")


async def template_change(scene: Scene) -> tuple[Any, Any]:
    request, _ = await template_creation(scene)
    request.request_id = "another-key"
    name = (await scene.by(ACME).CreateOfferTemplate(request)).offer_template.name

    def changed(title: str) -> pb.UpdateOfferTemplateRequest:
        template = offer_template_pb2.OfferTemplate(name=name, title=title)
        return pb.UpdateOfferTemplateRequest(offer_template=template, request_id=KEY)

    return changed("New"), changed("Newer")


async def template_removal(scene: Scene) -> tuple[Any, Any]:
    change, _ = await template_change(scene)
    name = change.offer_template.name
    return (
        pb.DeleteOfferTemplateRequest(name=name, request_id=KEY),
        pb.DeleteOfferTemplateRequest(name=name, etag="v1", request_id=KEY),
    )


async def listing_change(scene: Scene) -> tuple[Any, Any]:
    await scene.listing("logo")
    name = "sellers/acme/listings/logo"
    return (
        pb.UpdateListingRequest(listing=listing_pb2.Listing(name=name, title="New"), request_id=KEY),
        pb.UpdateListingRequest(listing=listing_pb2.Listing(name=name, title="Newer"), request_id=KEY),
    )


async def listing_retirement(scene: Scene) -> tuple[Any, Any]:
    await scene.listing("logo")
    name = "sellers/acme/listings/logo"
    return (
        pb.RetireListingRequest(name=name, request_id=KEY),
        pb.RetireListingRequest(name=name, request_id=KEY, etag="v1"),
    )


async def listing_move(scene: Scene, request: Any, *, published: bool) -> tuple[Any, Any]:
    name = (await scene.listing(published=published)).name
    return request(name=name, request_id=KEY), request(name=name, request_id=KEY, etag="v1")


async def listing_creation(scene: Scene) -> tuple[Any, Any]:
    return (
        pb.CreateListingRequest(parent="sellers/acme", listing=listing(), request_id=KEY),
        pb.CreateListingRequest(parent="sellers/acme", listing=listing(title=" again"), request_id=KEY),
    )


PLAYS: list[tuple[str, Identity, Callable[[Scene], Any]]] = [
    ("CreateListing", ACME, listing_creation),
    ("UpdateListing", ACME, listing_change),
    ("RetireListing", ACME, listing_retirement),
    ("PublishListing", ACME, lambda s: listing_move(s, pb.PublishListingRequest, published=False)),
    ("UnpublishListing", ACME, lambda s: listing_move(s, pb.UnpublishListingRequest, published=True)),
    ("CreateOffer", ACME, creation),
    ("SendOffer", ACME, lambda s: on_offer(s, pb.SendOfferRequest, send=False, other={"etag": "v1"})),
    ("OpenOffer", ANA, lambda s: on_offer(s, pb.OpenOfferRequest, other={"etag": "v1"})),
    (
        "ReviseOffer",
        ACME,
        lambda s: on_offer(s, pb.ReviseOfferRequest, terms=terms(1), other={"terms": terms(2)}),
    ),
    (
        "CounterOffer",
        ANA,
        lambda s: on_offer(s, pb.CounterOfferRequest, revision=1, terms=terms(1), other={"terms": terms(2)}),
    ),
    ("AcceptOffer", ANA, lambda s: on_offer(s, pb.AcceptOfferRequest, revision=1, other={"etag": "v1"})),
    (
        "DeclineOffer",
        ANA,
        lambda s: on_offer(s, pb.DeclineOfferRequest, reason="no", other={"reason": "nay"}),
    ),
    ("WithdrawOffer", ACME, lambda s: on_offer(s, pb.WithdrawOfferRequest, other={"etag": "v1"})),
    ("ReviveOffer", ACME, revival),
    ("RequestNewQuote", ANA, wish),
    ("CreateOfferTemplate", ACME, template_creation),
    ("UpdateOfferTemplate", ACME, template_change),
    ("DeleteOfferTemplate", ACME, template_removal),
    ("SubmitOffer", ACME_AGENT, submission),
    ("ApproveOffer", ACME, lambda s: decision(s, pb.ApproveOfferRequest, other={"etag": "v2"})),
    ("ReturnOffer", ACME, lambda s: decision(s, pb.ReturnOfferRequest, other={"text": "less"})),
    ("UpdateOfferSettings", ACME, settings_change),
]


@pytest.mark.covers("X01")
@pytest.mark.parametrize(("method", "who", "prepare"), PLAYS, ids=[play[0] for play in PLAYS])
async def test_the_first_answer_is_given_again_and_another_body_is_refused(
    scene: Scene, method: str, who: Identity, prepare: Callable[[Scene], Any]
) -> None:
    request, other = await prepare(scene)
    call = getattr(scene.by(who), method)
    first = await call(request)
    # What the call set in motion is over: a timer of its own may fire at once.
    await scene.service.settle()
    before = await scene.written()
    scene.clock.advance(HOUR)
    assert await call(request) == first
    refusal = await refused(call(other))
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "REQUEST_ID_REUSED")
    assert refusal.metadata["request_id"] == KEY
    assert await scene.written() == before


def test_every_mutating_method_is_among_them() -> None:
    methods = pb.DESCRIPTOR.services_by_name["OffersService"].methods
    mutating = {method.name for method in methods if "request_id" in method.input_type.fields_by_name}
    assert {play[0] for play in PLAYS} == mutating


async def test_a_refused_call_does_not_use_up_its_key(scene: Scene) -> None:
    offer = await scene.offer(payment_method=commerce_pb2.PAYMENT_METHOD_ONLINE)
    accepting = pb.AcceptOfferRequest(name=offer.name, revision=1, request_id=KEY)
    assert (await refused(scene.by(ANA).AcceptOffer(accepting))).reason == "PAYMENT_TOKEN_REQUIRED"
    accepting.payment_token = "tok_1"
    assert (await scene.by(ANA).AcceptOffer(accepting)).order


@pytest.mark.covers("X01", "X02")
async def test_a_hundred_identical_acceptances_are_one(scene: Scene) -> None:
    offer = await scene.offer(expires_in=HOUR)
    accepting = pb.AcceptOfferRequest(name=offer.name, revision=1, request_id=KEY)
    answers = await asyncio.gather(*(scene.by(ANA).AcceptOffer(accepting) for _ in range(100)))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].order == offer.name.replace("offers/", "orders/")
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferAccepted"]


@pytest.mark.covers("X01", "X02")
async def test_of_a_hundred_acceptances_with_keys_of_their_own_one_wins(scene: Scene) -> None:
    offer = await scene.offer()

    async def accept(number: int) -> str:
        accepting = pb.AcceptOfferRequest(name=offer.name, revision=1, request_id=f"key-{number}")
        call = scene.by(ANA).AcceptOffer(accepting)
        try:
            return str((await call).order)
        except grpc.aio.AioRpcError:
            refusal = await refused(call)
            assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
            assert refusal.metadata == {
                "resource": offer.name,
                "state": "ACCEPTED",
                "action": "accept",
                "allowed_actions": "",
            }
            return ""

    answers = await asyncio.gather(*(accept(number) for number in range(100)))
    assert sorted(answers) == [""] * 99 + [offer.name.replace("offers/", "orders/")]
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferAccepted"]
