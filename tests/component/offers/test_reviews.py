"""An owner approves what an agent offers above the limit, through the API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.testing import refused
from chassis.wire import timestamp
from parley.offers.v1 import offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offer_settings_pb2 import OfferReview, OfferSettings
from tests.component.offers.scene import (
    ACME,
    ACME_AGENT,
    ANA,
    HOUR,
    NOW,
    OPERATOR,
    Scene,
    create,
    money,
    terms,
)

State = offer_pb2.Offer


async def limit(scene: Scene, *limits: Any) -> None:
    settings = OfferSettings(name="sellers/acme/offerSettings", approval_limits=limits or [money(100)])
    await scene.by(ACME).UpdateOfferSettings(pb.UpdateOfferSettingsRequest(offer_settings=settings))


async def draft(scene: Scene, units: int = 101) -> offer_pb2.Offer:
    request = create(scene.origins.add(), terms=terms(units))
    made: pb.CreateOfferResponse = await scene.by(ACME_AGENT).CreateOffer(request)
    return made.offer


async def seen(scene: Scene, who: Any, name: str) -> Any:
    return (await scene.by(who).GetOffer(pb.GetOfferRequest(name=name))).offer


def reasons(offer: offer_pb2.Offer) -> dict[str, str]:
    return {action.action: action.reason for action in offer.unavailable_actions}


@pytest.mark.covers("X18")
async def test_a_draft_above_the_limit_is_approved_by_the_owner_and_sent_by_the_agent(scene: Scene) -> None:
    await limit(scene)
    offer = await draft(scene)
    assert reasons(offer)["send"] == "APPROVAL_REQUIRED"
    assert "submitForReview" in offer.allowed_actions
    refusal = await refused(scene.by(ACME_AGENT).SendOffer(pb.SendOfferRequest(name=offer.name)))
    assert refusal.reason == "APPROVAL_REQUIRED"
    assert refusal.metadata == {"resource": offer.name, "limit": "100.00 EUR"}

    asking = pb.SubmitOfferRequest(name=offer.name, text="A big one")
    submitted = (await scene.by(ACME_AGENT).SubmitOffer(asking)).offer
    assert submitted.state == State.STATE_IN_REVIEW
    assert reasons(submitted)["approve"] == "PERMISSION_DENIED"
    assert (await scene.by(ACME_AGENT).SubmitOffer(asking)).offer.etag == submitted.etag
    approving = pb.ApproveOfferRequest(name=offer.name)
    assert (await refused(scene.by(ACME_AGENT).ApproveOffer(approving))).reason == "PERMISSION_DENIED"
    waiting = pb.ListOffersRequest(seller="sellers/acme", states=[State.STATE_IN_REVIEW])
    (listed,) = (await scene.by(ACME).ListOffers(waiting)).offers
    assert {"approve", "returnToDraft", "withdraw"} == set(listed.allowed_actions)
    # A draft under review is as unknown to the buyer as any.
    assert (await refused(scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name)))).reason == "NOT_FOUND"

    scene.clock.advance(HOUR)
    approved = (await scene.by(ACME).ApproveOffer(approving)).offer
    assert approved.state == State.STATE_DRAFT
    assert approved.review == OfferReview(
        revision=1,
        submitter=ACME_AGENT.subject,
        submit_time=timestamp(NOW),
        submit_text="A big one",
        verdict=OfferReview.VERDICT_APPROVED,
        reviewer=ACME.subject,
        review_time=timestamp(NOW + HOUR),
    )
    assert (await scene.by(ACME).ApproveOffer(approving)).offer.etag == approved.etag
    sent = (await scene.by(ACME_AGENT).SendOffer(pb.SendOfferRequest(name=offer.name))).offer
    assert sent.state == State.STATE_OPEN
    # Neither the buyer nor the operator learns of it, and no event tells.
    for who in (ANA, OPERATOR):
        assert not (await seen(scene, who, offer.name)).HasField("review")
    assert await scene.event_names(offer.name) == ["OfferSent"]
    assert b"big one" not in (await scene.events(offer.name))[0].SerializeToString()


@pytest.mark.covers("X18")
async def test_what_is_given_back_or_changed_needs_another_approval(scene: Scene) -> None:
    await limit(scene)
    offer = await draft(scene, 300)
    submitting = pb.SubmitOfferRequest(name=offer.name)
    await scene.by(ACME_AGENT).SubmitOffer(submitting)
    revising = pb.ReviseOfferRequest(name=offer.name, terms=terms(200))
    refusal = await refused(scene.by(ACME_AGENT).ReviseOffer(revising))
    assert (refusal.reason, refusal.metadata["state"]) == ("TRANSITION_FORBIDDEN", "IN_REVIEW")
    back = pb.ReturnOfferRequest(name=offer.name, text="Less, please")
    returned = (await scene.by(ACME).ReturnOffer(back)).offer
    assert (returned.state, returned.review.review_text) == (State.STATE_DRAFT, "Less, please")
    await scene.by(ACME_AGENT).ReviseOffer(revising)
    await scene.by(ACME_AGENT).SubmitOffer(submitting)
    await scene.by(ACME).ApproveOffer(pb.ApproveOfferRequest(name=offer.name))
    await scene.by(ACME_AGENT).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=terms(201)))
    sending = pb.SendOfferRequest(name=offer.name)
    assert (await refused(scene.by(ACME_AGENT).SendOffer(sending))).reason == "APPROVAL_REQUIRED"
    # The owner needs nobody.
    assert (await scene.by(ACME).SendOffer(sending)).offer.state == State.STATE_OPEN


@pytest.mark.covers("X18")
async def test_there_is_no_way_around_the_limit(scene: Scene) -> None:
    await limit(scene)
    at_once = create(scene.origins.add(), send=True, terms=terms(101))
    assert (await refused(scene.by(ACME_AGENT).CreateOffer(at_once))).reason == "APPROVAL_REQUIRED"
    within = create(scene.origins.add(), send=True, terms=terms(100))
    name = (await scene.by(ACME_AGENT).CreateOffer(within)).offer.name
    more = pb.ReviseOfferRequest(name=name, terms=terms(101))
    assert (await refused(scene.by(ACME_AGENT).ReviseOffer(more))).reason == "APPROVAL_REQUIRED"
    wanted = pb.CounterOfferRequest(name=name, revision=1, terms=terms(150, expires_in=HOUR))
    await scene.by(ANA).CounterOffer(wanted)
    back = pb.CounterOfferRequest(name=name, revision=2, terms=terms(140))
    assert (await refused(scene.by(ACME_AGENT).CounterOffer(back))).reason == "APPROVAL_REQUIRED"
    await scene.service.advance(HOUR)
    # Reviving a counter-offer of the buyer makes it the seller's.
    reviving = pb.ReviveOfferRequest(name=name)
    assert (await refused(scene.by(ACME_AGENT).ReviveOffer(reviving))).reason == "APPROVAL_REQUIRED"
    assert (await scene.by(ACME).ReviveOffer(reviving)).offer.state == State.STATE_OPEN


async def test_an_agent_revives_what_was_offered_before(scene: Scene) -> None:
    offer = await scene.offer(amount=500, expires_in=HOUR)
    await limit(scene)
    await scene.service.advance(HOUR)
    revived = await scene.by(ACME_AGENT).ReviveOffer(pb.ReviveOfferRequest(name=offer.name))
    assert revived.offer.state == State.STATE_OPEN


async def test_a_counter_offer_above_the_limit_is_revived_by_the_owner(scene: Scene) -> None:
    await limit(scene)
    offer = await scene.offer(amount=90)
    end = timestamp(NOW + HOUR)
    wanted = pb.CounterOfferRequest(name=offer.name, revision=1, terms=terms(101, expire_time=end))
    await scene.by(ANA).CounterOffer(wanted)
    await scene.service.advance(HOUR)
    expired = await seen(scene, ACME_AGENT, offer.name)
    assert (list(expired.allowed_actions), reasons(expired)["revive"]) == ([], "APPROVAL_REQUIRED")
    reviving = pb.ReviveOfferRequest(name=offer.name)
    assert (await refused(scene.by(ACME_AGENT).ReviveOffer(reviving))).reason == "APPROVAL_REQUIRED"
    assert "revive" in (await seen(scene, ACME, offer.name)).allowed_actions
    assert (await scene.by(ACME).ReviveOffer(reviving)).offer.state == State.STATE_OPEN


async def test_deciding_withdrawing_and_sending_at_once_have_one_order(scene: Scene) -> None:
    await limit(scene)
    for number in range(8):
        name = (await draft(scene)).name
        await scene.by(ACME_AGENT).SubmitOffer(pb.SubmitOfferRequest(name=name))
        calls = [
            scene.by(ACME).ApproveOffer(pb.ApproveOfferRequest(name=name, etag="v2")),
            scene.by(ACME).ReturnOffer(pb.ReturnOfferRequest(name=name, etag="v2")),
            scene.by(ACME).WithdrawOffer(pb.WithdrawOfferRequest(name=name, etag="v2")),
            scene.by(ACME_AGENT).SendOffer(pb.SendOfferRequest(name=name, etag="v2")),
        ]
        turn = number % len(calls)
        answers = await asyncio.gather(*calls[turn:], *calls[:turn], return_exceptions=True)
        assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
        found = await seen(scene, ACME, name)
        assert (found.etag, found.state) in {("v3", State.STATE_DRAFT), ("v3", State.STATE_WITHDRAWN)}
        assert await scene.event_names(name) == []
