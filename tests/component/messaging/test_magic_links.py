"""Links in mails: what they show, that only a POST acts, once, for one person, through the offers service."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import text

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Refusal
from chassis.testing import Backends, Identity, refused, running, service
from chassis.testing.producer import ForeignProducer
from chassis.wire import timestamp
from parley.gating.v1 import events_pb2 as gating_events
from parley.messaging.v1 import conversation_methods_pb2 as talking
from parley.messaging.v1 import conversation_pb2, timeline_pb2
from parley.messaging.v1 import magic_link_pb2 as pb
from parley.messaging.v1 import messaging_service_pb2 as messaging
from parley.messaging.v1 import profile_pb2 as profiles
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2, offers_service_pb2
from parley.type.v1 import commerce_pb2
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import ANA, BEN, OFFER, OLGA, OTTO, offer_facts, request_facts
from tests.component.messaging.link_office import SITE, LinkOffice, office, terms
from tests.component.messaging.mailbox import Mailbox, reachable, text_of, update
from tests.component.messaging.personal_records import (
    a_used_link_says_how,
    mails_and_links_are_handed_out_once,
)

DAY = timedelta(days=1)
POSTAL = commerce_pb2.Address(
    recipient="Ana", address_lines=["Canary Road 7f3a9c"], locality="Bern", region_code="CH"
)


async def nothing(office: LinkOffice, token: str, action: str = "decline") -> set[str]:
    """What somebody learns who has no link: the same, looking and acting."""
    answers = [await refused(office.look(token)), await refused(office.act(token, action))]
    return {f"{each.kind} {each.reason} {dict(each.metadata)} {each.message}" for each in answers}


LINK_INVALID = {"invalid LINK_INVALID {'field': 'token'} token: opens nothing"}


@pytest.mark.covers("X20")
async def test_an_offer_is_accepted_by_the_link_of_its_mail(
    backends: Backends, clock: ManualClock, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with office(backends, clock, tmp_path / "mail") as made:
        inquiry = (await made.inquiry()).conversation.name
        await made.settle()
        made.box.new()
        sent = await made.offer(inquiry)
        (mail,) = made.box.new("ana@mail.example")
        (token,) = made.links(mail)
        assert "Accept or decline the offer" in text_of(mail)
        # The mail was the only place of the secret.
        assert token.partition(".")[2] not in str(await made.written())
        await _looking_changes_nothing(made, token, sent)
        await _strangers_learn_nothing(made, token)
        await mails_and_links_are_handed_out_once(made, token, sent.name)
        await _only_one_answer_counts(made, token, sent)
        await a_used_link_says_how(made)
        entries = (await made.of(ANA).ListTimeline(messaging.ListTimelineRequest(parent=inquiry))).entries
        assert [
            (each.event.side, each.event.by_link)
            for each in entries
            if each.event.type == timeline_pb2.TimelineEvent.TYPE_OFFER_ACCEPTED
        ] == [(conversation_pb2.SIDE_BUYER, True)]
        # Nothing of it stands where others read: no event, no trace of the address, no log line.
        for host in (made.service, made.offers):
            bodies = str(await made.rows("SELECT body FROM outbox", of=host))
            assert not [each for each in (*made.tokens, "Canary Road", "mail.example") if each in bodies]
    written = "".join(capfd.readouterr())
    assert "magic_link_used" in written
    secrets = [part for each in made.tokens for part in (each, each.partition(".")[2])]
    assert not [each for each in (*secrets, "Canary Road", "@mail.example") if each in written]


async def _looking_changes_nothing(made: LinkOffice, token: str, sent: offer_pb2.Offer) -> None:
    before = await made.written()
    shown = await made.look(token)
    for _ in range(99):
        assert await made.look(token) == shown
    assert await made.written() == before
    assert (shown.kind, shown.offer, shown.revision) == (pb.MagicLink.KIND_OFFER, sent.name, 1)
    assert (shown.total.units, shown.counterpart) == (120, "acme")
    assert list(shown.allowed_actions) == ["accept", "decline"]
    assert not shown.unavailable_actions
    assert not shown.payment_token_required
    assert shown.expire_time == timestamp(made.clock.now() + 7 * DAY)
    # Who else is logged in does not matter: the token is who asks.
    assert await made.look(token, BEN) == shown


async def _strangers_learn_nothing(made: LinkOffice, token: str) -> None:
    before = await made.written()
    link_id, _, secret = token.partition(".")
    unknown = "0190a000-0000-7000-8000-00000000ffff"
    guesses = ("guess", link_id, f"{link_id}.", f"{link_id}.{secret[:-1]}", f"{unknown}.{secret}", "." * 200)
    for guess in guesses:
        assert await nothing(made, guess) == LINK_INVALID
    refusal = await refused(made.act(token, "counter"))
    assert (refusal.reason, refusal.metadata["allowed_actions"]) == ("LINK_ACTION_UNKNOWN", "accept,decline")
    # Nobody but messaging speaks for a buyer, and messaging only where the contract says so.
    for who, subject, method in (
        (ANA, "users/ben", "GetOffer"),
        (service("orders"), "users/ana", "GetOffer"),
        (service("messaging"), "users/ana", "OpenOffer"),
        (service("messaging"), "sellers/acme", "GetOffer"),
    ):
        offer = (await made.look(token)).offer
        request = getattr(offers_service_pb2, f"{method}Request")(name=offer)
        call = getattr(made.of_offers(who), method)(request, metadata=(("parley-acting-for", subject),))
        stranger = await refused(call)
        assert (stranger.reason, stranger.metadata) == ("UNAUTHENTICATED", {"problem": "wrong_delegate"})
    assert await made.written() == before


async def _only_one_answer_counts(made: LinkOffice, token: str, sent: offer_pb2.Offer) -> None:
    accepting = [made.act(token, "accept", delivery_address=POSTAL) for _ in range(3)]
    answers = await asyncio.gather(*accepting)
    await made.settle()
    (facts,) = await made.events("OfferAccepted")
    assert (facts.buyer, facts.revision, facts.by_link) == ("users/ana", 1, True)
    first = answers[0]
    assert [each == first for each in answers] == [True] * 3
    assert (first.action, first.offer, first.order) == ("accept", sent.name, facts.order)
    # Asked again it answers the same; for anything else it is used up.
    assert await made.act(token, "accept") == first
    for other in (made.act(token, "decline"), made.look(token)):
        refusal = await refused(other)
        assert (refusal.reason, dict(refusal.metadata)) == ("LINK_USED", {})
    # An answer that was lost on its way, or a crash before it was noted, is asked again.
    await made.service.host.database.transact(
        partial(
            Transaction.execute,
            statement=text("UPDATE magic_link SET used_action = NULL, use_time = NULL, used_order = NULL"),
        )
    )
    again = await made.act(token, "accept", delivery_address=POSTAL)
    assert (again.order, len(await made.events("OfferAccepted"))) == (first.order, 1)
    stored = await made.of_offers(ANA).GetOffer(offers_service_pb2.GetOfferRequest(name=sent.name))
    assert stored.offer.acceptance.delivery_address == POSTAL


async def test_a_link_ends_with_what_it_was_about_and_with_whom_it_was_for(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    async with office(backends, clock, tmp_path / "mail") as made:
        await _a_newer_revision_takes_its_place(made)
        await _who_has_not_answered_is_reminded(made)
        await _what_expires_cannot_be_accepted(made)
        await _a_changed_address_takes_links_back(made)
        await _one_of_two_actions_wins(made)


async def _one_of_two_actions_wins(made: LinkOffice) -> None:
    token, offer = await _agreed(made)
    racing = [made.act(token, action) for action in ("decline", "accept", "decline", "accept")]
    answers = await asyncio.gather(*racing, return_exceptions=True)
    done = [each for each in answers if isinstance(each, pb.UseMagicLinkResponse)]
    assert len({each.SerializeToString() for each in done}) == 1
    assert done[0].offer == offer.name
    facts = [*await made.events("OfferAccepted"), *await made.events("OfferDeclined")]
    assert [each.by_link for each in facts if each.name == offer.name] == [True]
    lost = [each for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert len(done) + len(lost) == 4
    assert {each.code() for each in lost} == {grpc.StatusCode.FAILED_PRECONDITION}


async def _agreed(made: LinkOffice, **changes: Any) -> tuple[str, offer_pb2.Offer]:
    """A new inquiry and its offer; the token of the mail about it."""
    inquiry = (await made.inquiry()).conversation.name
    await made.settle()
    made.box.new()
    offer = await made.offer(inquiry, **changes)
    (mail,) = [mail for mail in made.box.new("ana@mail.example") if "offer" in mail["Subject"]]
    (token,) = made.links(mail)
    return token, offer


async def _a_newer_revision_takes_its_place(made: LinkOffice) -> None:
    token, offer = await _agreed(made)
    online = commerce_pb2.PAYMENT_METHOD_ONLINE
    revised = offers_service_pb2.ReviseOfferRequest(
        name=offer.name, revision=1, terms=terms(90, payment_method=online)
    )
    await made.of_offers(OTTO).ReviseOffer(revised)
    await made.settle()
    (mail,) = made.box.new("ana@mail.example")
    (newer,) = made.links(mail)
    old = await made.look(token)
    assert (list(old.allowed_actions), old.total.units) == ([], 120)
    assert {(each.action, each.reason) for each in old.unavailable_actions} == {
        ("accept", "REVISION_STALE"),
        ("decline", "REVISION_STALE"),
    }
    for action in ("accept", "decline"):
        assert (await refused(made.act(token, action))).reason == "REVISION_STALE"
    shown = await made.look(newer)
    assert (shown.revision, shown.total.units, shown.payment_token_required) == (2, 90, True)
    # A refusal does not use a link up.
    assert (await refused(made.act(newer, "accept"))).reason == "PAYMENT_TOKEN_REQUIRED"
    assert (await made.act(newer, "accept", payment_token="tok_ok")).order
    (facts,) = await made.events("OfferAccepted")
    assert facts.revision == 2


async def _what_expires_cannot_be_accepted(made: LinkOffice) -> None:
    soon = timestamp(made.clock.now() + DAY)
    token, _ = await _agreed(made, expire_time=soon)
    assert (await made.look(token)).expire_time == soon
    forever, _ = await _agreed(made)
    made.clock.advance(DAY)
    shown = await made.look(token)
    assert ("accept", "OFFER_EXPIRED") in {(each.action, each.reason) for each in shown.unavailable_actions}
    assert (await refused(made.act(token, "accept"))).reason == "OFFER_EXPIRED"
    made.clock.advance(6 * DAY - timedelta(microseconds=1))
    assert list((await made.look(forever)).allowed_actions) == ["accept", "decline"]
    made.clock.advance(timedelta(microseconds=1))
    for each in (forever, token):
        assert await nothing(made, each) == LINK_INVALID


async def _who_has_not_answered_is_reminded(made: LinkOffice) -> None:
    ends = timestamp(made.clock.now() + 2 * DAY)
    token, offer = await _agreed(made, expire_time=ends)
    declined, _ = await _agreed(made, expire_time=ends)
    await made.act(declined, "decline")
    # Who has less than a day from the beginning was just told of it.
    await _agreed(made, expire_time=timestamp(made.clock.now() + DAY))
    made.box.new()
    await made.service.advance(DAY)
    (mail,) = [mail for mail in made.box.new("ana@mail.example") if "ends soon" in mail["Subject"]]
    (again,) = made.links(mail)
    shown = await made.look(again)
    assert (shown.offer, shown.revision, shown.total.units) == (offer.name, 1, 120)
    assert shown.expire_time == ends
    await made.act(again, "accept")
    assert list((await made.look(token)).allowed_actions) == []
    made.box.new()


async def _a_changed_address_takes_links_back(made: LinkOffice) -> None:
    token, offer = await _agreed(made)
    await update(made, ANA, display_name="Ana")
    assert (await made.look(token)).offer == offer.name
    await update(made, ANA, email="ana@elsewhere.example")
    assert await nothing(made, token) == LINK_INVALID
    # Neither does the old address become the right one again.
    await reachable(made, made.box, ANA)
    assert await nothing(made, token) == LINK_INVALID
    assert not await made.rows(
        "SELECT 1 FROM magic_link WHERE used_action IS NULL AND recipient = 'users/ana'"
    )
    stored = await made.of_offers(ANA).GetOffer(offers_service_pb2.GetOfferRequest(name=offer.name))
    assert stored.offer.state == offer_pb2.Offer.STATE_OPEN


async def test_inquiries_are_declined_by_links_also_while_offers_are_away(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "mail_folder": tmp_path / "mail",
        "public_url": SITE,
        "attachments_url": (tmp_path / "files").as_uri(),
    }
    async with running(DEFINITION, backends, clock=clock, **settings) as alone:
        made = LinkOffice(
            alone, ForeignProducer(alone.host.bus), clock, box=Mailbox(tmp_path / "mail"), offers=None
        )
        await reachable(made, made.box, ANA, display_name="Ana M.")
        await reachable(made, made.box, OTTO, locale="de")
        await reachable(made, made.box, OLGA)
        await _the_team_declines(made)
        await _who_left_has_no_link(made)
        await _offers_are_away(made)


async def _inquired(made: LinkOffice) -> tuple[str, str, str]:
    """A new inquiry, and the tokens of otto and olga."""
    inquiry = (await made.inquiry()).conversation.name
    await made.settle()
    (to_otto,), (to_olga,) = made.box.new("otto@mail.example"), made.box.new("olga@mail.example")
    (of_otto,), (of_olga,) = made.links(to_otto), made.links(to_olga)
    assert "Anfrage ablehnen" in text_of(to_otto)
    return inquiry, of_otto, of_olga


async def _the_team_declines(made: LinkOffice) -> None:
    inquiry, of_otto, of_olga = await _inquired(made)
    before = await made.written()
    shown = await made.look(of_otto)
    assert (shown.kind, shown.conversation, shown.offer) == (pb.MagicLink.KIND_INQUIRY, inquiry, "")
    assert (shown.counterpart, list(shown.allowed_actions)) == ("Ana M.", ["decline"])
    refusal = await refused(made.act(of_otto, "accept"))
    assert (refusal.reason, refusal.metadata["allowed_actions"]) == ("LINK_ACTION_UNKNOWN", "decline")
    assert await made.written() == before
    first, second = await asyncio.gather(made.act(of_otto, "decline"), made.act(of_otto, "decline"))
    assert first == second
    assert (first.action, first.conversation, first.order) == ("decline", inquiry, "")
    seen = await made.see(ANA, inquiry)
    assert seen.state == conversation_pb2.Conversation.STATE_CLOSED
    entries = (await made.of(ANA).ListTimeline(messaging.ListTimelineRequest(parent=inquiry))).entries
    declined = [each.event for each in entries if each.event.by_link]
    assert [(each.type, each.side) for each in declined] == [
        (timeline_pb2.TimelineEvent.TYPE_INQUIRY_DECLINED, conversation_pb2.SIDE_SELLER)
    ]
    # The same rules as in the interface: it is done already, and olga's link is not used up by that.
    late = await made.look(of_olga)
    assert [each.reason for each in late.unavailable_actions] == ["TRANSITION_FORBIDDEN"]
    assert (await refused(made.act(of_olga, "decline"))).reason == "TRANSITION_FORBIDDEN"
    await made.of(OTTO).ReopenConversation(talking.ReopenConversationRequest(name=inquiry))
    assert list((await made.look(of_olga)).allowed_actions) == ["decline"]
    reason = conversation_pb2.Conversation.DECLINE_REASON_BUDGET
    await made.act(of_olga, "decline", decline_reason=reason)
    rows = await made.rows("SELECT body FROM outbox WHERE type LIKE '%InquiryDeclined' ORDER BY time")
    assert [part for (body,) in rows for part in (b"users/otto", b"users/olga") if part in body] == [
        b"users/otto",
        b"users/olga",
    ]


async def _who_left_has_no_link(made: LinkOffice) -> None:
    inquiry, _, of_olga = await _inquired(made)
    left = Identity(OLGA.subject, ("buyer",))
    await made.of(left).GetProfile(profiles.GetProfileRequest(name=f"{OLGA.subject}/profile"))
    assert await nothing(made, of_olga) == LINK_INVALID
    assert (await made.see(ANA, inquiry)).state == conversation_pb2.Conversation.STATE_OPEN


async def _offers_are_away(made: LinkOffice) -> None:
    request = request_facts(1)
    submitted = gating_events.OrderRequestSubmitted(order_request=request)
    sent = offers_events.OfferSent(offer=offer_facts(1))
    revised = offers_events.OfferRevised(offer=offer_facts(2))
    for version, fact in ((1, submitted), (1, sent), (2, revised)):
        name = request.name if fact is submitted else f"offers/{OFFER}"
        await made.others.publish(fact, aggregate=name, version=version, time=made.clock.now())
    made.box.new()
    await made.settle()
    tokens = [token for mail in made.box.new("ana@mail.example") for token in made.links(mail)]
    for call in (made.look(tokens[-1]), made.act(tokens[-1], "accept")):
        away: Refusal = await refused(call)
        assert (away.reason, away.metadata["peer"]) == ("PEER_UNAVAILABLE", "offers")
        assert away.retry_after_seconds
    used = await made.rows("SELECT count(*) FROM magic_link WHERE used_action IS NOT NULL AND kind = 'offer'")
    assert used == [(0,)]
