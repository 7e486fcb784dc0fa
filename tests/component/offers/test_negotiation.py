"""Negotiations through the API, against a real database and a real broker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.kernel.refusal import Kind
from chassis.testing import refused
from chassis.wire import timestamp
from parley.offers.v1 import events_pb2, offer_pb2
from parley.offers.v1 import offers_service_pb2 as pb
from parley.type.v1 import commerce_pb2
from tests.component.offers.scene import (
    ACME,
    ACME_AGENT,
    ANA,
    BEN,
    HOUR,
    NOW,
    OPERATOR,
    ORDERS,
    OTHER,
    Scene,
    create,
    money,
    package,
    terms,
)

Author = offer_pb2.OfferRevision.Author
TICK = timedelta(microseconds=1)
HOME = commerce_pb2.Address(
    recipient="Ana Berger", address_lines=["1 Way"], postal_code="8010", locality="Graz", region_code="AT"
)


@pytest.mark.covers("G34", "X03")
async def test_a_request_is_answered_by_an_offer_and_negotiated_to_an_order(scene: Scene) -> None:
    request = scene.origins.add("orderRequests")
    made = await scene.by(ACME).CreateOffer(create(request, send=True, note="Gladly", terms=terms(100)))
    offer = made.offer
    assert (offer.order_request, offer.state) == (request, offer_pb2.Offer.STATE_OPEN)
    assert offer.on_accept == offer_pb2.Offer.ON_ACCEPT_CREATE_ORDER
    assert (offer.seller, offer.buyer, offer.etag) == ("sellers/acme", "users/ana", "v1")

    wanted = pb.CounterOfferRequest(name=offer.name, revision=1, terms=terms(80), note="Less?")
    countered = (await scene.by(ANA).CounterOffer(wanted)).offer
    assert countered.current_revision.number == 2
    assert countered.current_revision.author == Author.AUTHOR_BUYER
    halfway = pb.ReviseOfferRequest(name=offer.name, revision=2, terms=terms(90), note="Halfway")
    revised = (await scene.by(ACME_AGENT).ReviseOffer(halfway)).offer
    assert revised.current_revision.total == money(90)

    accepted = await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=3))
    order = offer.name.replace("offers/", "orders/")
    assert accepted.order == order
    assert accepted.offer.state == offer_pb2.Offer.STATE_ACCEPTED
    assert (accepted.offer.acceptance.revision, accepted.offer.acceptance.order) == (3, order)

    history = await scene.by(ANA).ListOfferRevisions(pb.ListOfferRevisionsRequest(name=offer.name))
    assert [(r.number, r.total.units, r.note) for r in history.revisions] == [
        (1, 100, "Gladly"),
        (2, 80, "Less?"),
        (3, 90, "Halfway"),
    ]
    events = await scene.events(offer.name)
    assert [type(event).__name__ for event in events] == [
        "OfferSent",
        "OfferCountered",
        "OfferRevised",
        "OfferAccepted",
    ]
    told = events[-1]
    assert isinstance(told, events_pb2.OfferAccepted)
    assert (told.offer.order, told.offer.order_request, told.offer.version) == (order, request, 4)
    assert told.offer.total == money(90)


async def test_events_reach_the_broker(scene: Scene) -> None:
    offer = await scene.offer()
    await scene.service.settle()
    bus = scene.service.host.bus
    subject = f"parley.offers.v1.offer.sent.{offer.name.removeprefix('offers/')}"
    found = await bus.client.jetstream().get_last_msg("PARLEY_OFFERS", subject)
    assert events_pb2.OfferSent.FromString(found.data or b"").offer.name == offer.name
    assert (found.headers or {})["ce-sequence"] == "1"


async def test_a_quote_changes_the_price_of_its_order(scene: Scene) -> None:
    order = scene.origins.add("orders")
    offer = await scene.offer(order, payment_method=commerce_pb2.PAYMENT_METHOD_ONLINE)
    assert (offer.order, offer.on_accept) == (order, offer_pb2.Offer.ON_ACCEPT_UPDATE_ORDER_PRICE)
    accepting = pb.AcceptOfferRequest(
        name=offer.name, revision=1, payment_token="tok_1", billing_address=HOME
    )
    accepted = await scene.by(ANA).AcceptOffer(accepting)
    assert (accepted.order, accepted.offer.acceptance.billing_address) == (order, HOME)
    sent, told = await scene.events(offer.name)
    assert isinstance(sent, events_pb2.OfferSent)
    assert sent.offer.order == order
    assert isinstance(told, events_pb2.OfferAccepted)
    assert (told.payment_token, told.has_addresses) == ("tok_1", True)
    assert b"Berger" not in told.SerializeToString()
    # A quoted order may be quoted again, also after an acceptance.
    assert (await scene.offer(order)).state == offer_pb2.Offer.STATE_OPEN


@pytest.mark.covers("G35")
async def test_an_offer_is_based_on_a_package_or_on_free_requirements(scene: Scene) -> None:
    await scene.listing("logo")
    inquiry = scene.origins.add("conversations")
    based = await scene.offer(inquiry, package="sellers/acme/listings/logo/packages/basic")
    assert based.conversation == inquiry
    assert based.current_revision.terms.package == "sellers/acme/listings/logo/packages/basic"
    free = await scene.offer(scene.origins.add("conversations"), scope="Three drafts, one round of changes")
    assert free.current_revision.terms.package == ""
    assert free.current_revision.terms.scope == "Three drafts, one round of changes"
    facts = (await scene.events(free.name))[0]
    assert b"Three drafts" not in facts.SerializeToString()


async def test_nobody_but_the_seller_knows_of_a_draft(scene: Scene) -> None:
    offer = await scene.offer(send=False)
    again = pb.ReviseOfferRequest(name=offer.name, revision=1, terms=terms(70))
    assert (await scene.by(ACME).ReviseOffer(again)).offer.current_revision.number == 2
    unseen = [
        scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name)),
        scene.by(ANA).ListOfferRevisions(pb.ListOfferRevisionsRequest(name=offer.name)),
        scene.by(ANA).OpenOffer(pb.OpenOfferRequest(name=offer.name)),
        scene.by(ANA).SendOffer(pb.SendOfferRequest(name=offer.name)),
        scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=2)),
    ]
    for call in unseen:
        assert (await refused(call)).reason == "NOT_FOUND"
    assert not (await scene.by(ANA).ListOffers(pb.ListOffersRequest())).offers
    assert len((await scene.by(ACME).ListOffers(pb.ListOffersRequest(seller="sellers/acme"))).offers) == 1
    assert await scene.events() == []

    sent = (await scene.by(ACME).SendOffer(pb.SendOfferRequest(name=offer.name, etag="v2"))).offer
    assert (sent.state, sent.etag) == (offer_pb2.Offer.STATE_OPEN, "v3")
    seen = await scene.by(ANA).ListOfferRevisions(pb.ListOfferRevisionsRequest(name=offer.name))
    assert [revision.number for revision in seen.revisions] == [2]
    everything = await scene.by(ACME).ListOfferRevisions(pb.ListOfferRevisionsRequest(name=offer.name))
    assert [revision.number for revision in everything.revisions] == [1, 2]
    (told,) = await scene.events()
    assert isinstance(told, events_pb2.OfferSent)
    assert told.offer.version == 3


async def test_a_draft_that_was_withdrawn_was_never_there(scene: Scene) -> None:
    offer = await scene.offer(send=False)
    withdrawn = (await scene.by(ACME).WithdrawOffer(pb.WithdrawOfferRequest(name=offer.name))).offer
    assert withdrawn.state == offer_pb2.Offer.STATE_WITHDRAWN
    assert (await refused(scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name)))).reason == "NOT_FOUND"
    assert await scene.events() == []


@pytest.mark.covers("G40")
async def test_an_offer_is_frozen_whatever_becomes_of_the_package(scene: Scene) -> None:
    listing = await scene.listing("logo")
    name = "sellers/acme/listings/logo/packages/basic"
    offer = await scene.offer(amount=100, package=name)
    listing.ClearField("packages")
    listing.packages.append(package("plus", units=900))
    listing.published = False
    changed = pb.UpdateListingRequest(listing=listing, update_mask=FieldMask(paths=["packages", "published"]))
    await scene.by(ACME).UpdateListing(changed)
    seen = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
    assert seen.current_revision == offer.current_revision
    # What is agreed on may be repeated; another package must be for sale.
    counter = pb.CounterOfferRequest(name=offer.name, revision=1, terms=terms(95, package=name))
    assert (await scene.by(ANA).CounterOffer(counter)).offer.current_revision.terms.package == name
    hidden = terms(95, package="sellers/acme/listings/logo/packages/plus")
    back = pb.ReviseOfferRequest(name=offer.name, terms=hidden)
    assert (await scene.by(ACME).ReviseOffer(back)).offer.current_revision.number == 3
    accepted = await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=3))
    assert accepted.offer.current_revision.total == money(95)


async def test_a_buyer_counters_only_with_what_he_can_see(scene: Scene) -> None:
    await scene.listing("secret", published=False)
    offer = await scene.offer()
    hidden = terms(package="sellers/acme/listings/secret/packages/basic")
    counter = pb.CounterOfferRequest(name=offer.name, revision=1, terms=hidden)
    assert (await refused(scene.by(ANA).CounterOffer(counter))).reason == "PACKAGE_UNKNOWN"


@pytest.mark.covers("G38", "G39", "X02")
async def test_expiry_is_exact_and_decided_by_the_acceptance_itself(scene: Scene) -> None:
    kept = await scene.offer(expires_in=HOUR)
    late = await scene.offer(expires_in=HOUR)
    forever = await scene.offer()
    scene.clock.set(NOW + HOUR - TICK)
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=kept.name, revision=1))
    scene.clock.set(NOW + HOUR)
    accepting = pb.AcceptOfferRequest(name=late.name, revision=1)
    before = await refused(scene.by(ANA).AcceptOffer(accepting))
    await scene.service.settle()
    after = await refused(scene.by(ANA).AcceptOffer(accepting))
    for refusal in (before, after):
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "OFFER_EXPIRED")
        assert refusal.metadata == {"resource": late.name, "expire_time": "2026-06-01T13:00:00Z"}
    swept = (await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=late.name))).offer
    assert (swept.state, swept.close_time) == (offer_pb2.Offer.STATE_EXPIRED, timestamp(NOW + HOUR))
    assert await scene.event_names(late.name) == ["OfferSent", "OfferExpired"]
    # The sweeper came by here as well, and found nothing open.
    assert await scene.event_names(kept.name) == ["OfferSent", "OfferAccepted"]
    scene.clock.advance(timedelta(days=3000))
    await scene.service.settle()
    still = await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=forever.name, revision=1))
    assert still.offer.state == offer_pb2.Offer.STATE_ACCEPTED


async def test_a_new_revision_brings_its_own_expiry(scene: Scene) -> None:
    offer = await scene.offer(expires_in=HOUR)
    longer = pb.ReviseOfferRequest(name=offer.name, terms=terms(expires_in=3 * HOUR))
    await scene.by(ACME).ReviseOffer(longer)
    await scene.service.advance(2 * HOUR)
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferRevised"]
    await scene.service.advance(HOUR)
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferRevised", "OfferExpired"]
    unlimited = await scene.offer(expires_in=5 * HOUR)
    await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=unlimited.name, terms=terms()))
    await scene.service.advance(9 * HOUR)
    assert await scene.event_names(unlimited.name) == ["OfferSent", "OfferRevised"]


@pytest.mark.covers("V07")
async def test_the_first_opening_is_recorded_once_and_by_the_buyer_only(scene: Scene) -> None:
    offer = await scene.offer()
    opening = pb.OpenOfferRequest(name=offer.name)
    assert (await refused(scene.by(ACME).OpenOffer(opening))).reason == "PERMISSION_DENIED"
    await scene.by(ANA).GetOffer(pb.GetOfferRequest(name=offer.name))
    assert await scene.event_names(offer.name) == ["OfferSent"]
    scene.clock.advance(HOUR)
    first = (await scene.by(ANA).OpenOffer(opening)).offer
    assert first.first_open_time == timestamp(NOW + HOUR)
    scene.clock.advance(HOUR)
    assert (await scene.by(ANA).OpenOffer(opening)).offer.first_open_time == timestamp(NOW + HOUR)
    seen = (await scene.by(ACME).GetOffer(pb.GetOfferRequest(name=offer.name))).offer
    assert seen.first_open_time == timestamp(NOW + HOUR)
    sent, opened = await scene.events(offer.name)
    assert isinstance(opened, events_pb2.OfferOpened)
    assert opened.first_open_time == timestamp(NOW + HOUR)
    assert isinstance(sent, events_pb2.OfferSent)


async def test_an_expired_offer_is_revived_by_the_seller(scene: Scene) -> None:
    swept = await scene.offer(expires_in=HOUR)
    await scene.service.advance(HOUR)
    again = pb.ReviveOfferRequest(name=swept.name, expire_time=timestamp(NOW + 9 * HOUR))
    revived = (await scene.by(ACME).ReviveOffer(again)).offer
    assert (revived.state, revived.current_revision.number) == (offer_pb2.Offer.STATE_OPEN, 2)
    assert revived.current_revision.terms.expire_time == timestamp(NOW + 9 * HOUR)
    assert not revived.HasField("close_time")
    assert await scene.event_names(swept.name) == ["OfferSent", "OfferExpired", "OfferRevived"]
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=swept.name, revision=2))


async def test_an_offer_that_no_sweeper_has_met_expires_before_it_is_revived(scene: Scene) -> None:
    offer = await scene.offer(expires_in=HOUR)
    await scene.service.host.background.stop("timers")
    scene.clock.advance(HOUR)
    revived = (await scene.by(ACME).ReviveOffer(pb.ReviveOfferRequest(name=offer.name))).offer
    assert (revived.state, revived.etag) == (offer_pb2.Offer.STATE_OPEN, "v3")
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferExpired", "OfferRevived"]
    await scene.service.settle()
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferExpired", "OfferRevived"]


async def test_repeating_a_move_changes_nothing(scene: Scene) -> None:
    declined, withdrawn, sent = await scene.offer(), await scene.offer(), await scene.offer()
    for _ in range(2):
        no = pb.DeclineOfferRequest(name=declined.name, reason="Too late", revision=1)
        answer = (await scene.by(ANA).DeclineOffer(no)).offer
        assert (answer.state, answer.decline_reason) == (offer_pb2.Offer.STATE_DECLINED, "Too late")
        back = (await scene.by(ACME).WithdrawOffer(pb.WithdrawOfferRequest(name=withdrawn.name))).offer
        assert (back.state, back.etag) == (offer_pb2.Offer.STATE_WITHDRAWN, "v2")
        assert (await scene.by(ACME).SendOffer(pb.SendOfferRequest(name=sent.name))).offer.etag == "v1"
    assert await scene.event_names(declined.name) == ["OfferSent", "OfferDeclined"]
    assert await scene.event_names(withdrawn.name) == ["OfferSent", "OfferWithdrawn"]
    told = (await scene.events(declined.name))[-1]
    assert b"Too late" not in told.SerializeToString()
    # The seller reads why.
    seen = (await scene.by(ACME).GetOffer(pb.GetOfferRequest(name=declined.name))).offer
    assert (seen.decline_reason, seen.close_time) == ("Too late", timestamp(NOW))


async def test_an_acceptance_without_a_key_can_be_asked_for_again(scene: Scene) -> None:
    offer = await scene.offer()
    accepting = pb.AcceptOfferRequest(name=offer.name, revision=1)
    first = await scene.by(ANA).AcceptOffer(accepting)
    assert await scene.by(ANA).AcceptOffer(accepting) == first
    accepting.request_id = "another-key"
    refusal = await refused(scene.by(ANA).AcceptOffer(accepting))
    assert (refusal.reason, refusal.metadata["state"]) == ("TRANSITION_FORBIDDEN", "ACCEPTED")
    assert await scene.event_names(offer.name) == ["OfferSent", "OfferAccepted"]


@pytest.mark.covers("X06")
async def test_everybody_is_told_what_he_can_do_and_why_not_the_rest(scene: Scene) -> None:
    offer = await scene.offer(expires_in=HOUR)

    async def actions(who: object) -> tuple[list[str], dict[str, str]]:
        seen = (await scene.by(who).GetOffer(pb.GetOfferRequest(name=offer.name))).offer  # type: ignore[arg-type]
        assert all(action.explanation for action in seen.unavailable_actions)
        return list(seen.allowed_actions), {a.action: a.reason for a in seen.unavailable_actions}

    not_yet = {"requestNewQuote": "TRANSITION_FORBIDDEN"}
    assert await actions(ANA) == (["open", "counter", "accept", "decline"], not_yet)
    assert await actions(ACME) == (
        ["revise", "withdraw"],
        {
            "send": "TRANSITION_FORBIDDEN",
            "submitForReview": "TRANSITION_FORBIDDEN",
            "approve": "TRANSITION_FORBIDDEN",
            "returnToDraft": "TRANSITION_FORBIDDEN",
            "counter": "NOT_YOUR_TURN",
            "revive": "TRANSITION_FORBIDDEN",
        },
    )
    assert await actions(OPERATOR) == ([], {})
    assert await actions(ORDERS) == ([], {})
    counter = pb.CounterOfferRequest(name=offer.name, revision=1, terms=terms(80, expires_in=HOUR))
    await scene.by(ANA).CounterOffer(counter)
    assert await actions(ANA) == (
        ["open", "decline"],
        {"counter": "NOT_YOUR_TURN", "accept": "NOT_YOUR_TURN", **not_yet},
    )
    assert (await actions(ACME))[0] == ["revise", "counter", "withdraw"]
    # A refusal says the same.
    too_early = pb.RequestNewQuoteRequest(name=offer.name)
    assert (await refused(scene.by(ANA).RequestNewQuote(too_early))).metadata[
        "allowed_actions"
    ] == "open,decline"
    # Time is up, and the sweeper has not come by yet.
    await scene.service.host.background.stop("timers")
    scene.clock.advance(HOUR)
    assert await actions(ANA) == (
        ["requestNewQuote"],
        {
            "open": "TRANSITION_FORBIDDEN",
            "counter": "OFFER_EXPIRED",
            "accept": "OFFER_EXPIRED",
            "decline": "TRANSITION_FORBIDDEN",
        },
    )
    assert (await actions(ACME))[0] == ["revive"]


async def test_lists_hold_what_the_caller_may_see_newest_first(scene: Scene) -> None:
    names = []
    for _ in range(5):
        names.append((await scene.offer()).name)
        scene.clock.advance(HOUR)
    await scene.offer(scene.origins.add(addressee="ben"))
    mine = pb.ListOffersRequest(page_size=2)
    found: list[str] = []
    while True:
        page = await scene.by(ANA).ListOffers(mine)
        found += [offer.name for offer in page.offers]
        if not page.next_page_token:
            break
        mine.page_token = page.next_page_token
    assert found == names[::-1]
    assert len((await scene.by(BEN).ListOffers(pb.ListOffersRequest())).offers) == 1
    assert not (await scene.by(OTHER).ListOffers(pb.ListOffersRequest())).offers
    team = await scene.by(ACME_AGENT).ListOffers(pb.ListOffersRequest(seller="sellers/acme"))
    assert len(team.offers) == 6
    assert len((await scene.by(OPERATOR).ListOffers(pb.ListOffersRequest(seller="sellers/acme"))).offers) == 6
    await scene.by(ANA).DeclineOffer(pb.DeclineOfferRequest(name=names[0]))
    wanted = pb.ListOffersRequest(states=[offer_pb2.Offer.STATE_DECLINED])
    assert [offer.name for offer in (await scene.by(ANA).ListOffers(wanted)).offers] == [names[0]]
    origin = team.offers[0].order_request
    by_origin = pb.ListOffersRequest(seller="sellers/acme", origin=origin)
    assert [offer.order_request for offer in (await scene.by(ACME).ListOffers(by_origin)).offers] == [origin]


async def test_revisions_come_in_pages_oldest_first(scene: Scene) -> None:
    offer = await scene.offer()
    for amount in (90, 80):
        await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=terms(amount)))
    first = pb.ListOfferRevisionsRequest(name=offer.name, page_size=2)
    page = await scene.by(ANA).ListOfferRevisions(first)
    rest = pb.ListOfferRevisionsRequest(name=offer.name, page_size=2, page_token=page.next_page_token)
    last = await scene.by(ANA).ListOfferRevisions(rest)
    assert [r.number for r in (*page.revisions, *last.revisions)] == [1, 2, 3]
    assert last.next_page_token == ""
