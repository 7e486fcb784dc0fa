"""Mails through the public API and a folder: who gets which, what stands in them, and what never does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from sqlalchemy import text

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, Identity, refused, running
from chassis.testing.producer import ForeignProducer
from parley.gating.v1 import events_pb2 as gating_events
from parley.messaging.v1 import participant_methods_pb2 as joining
from parley.messaging.v1 import profile_pb2 as pb
from parley.messaging.v1 import timeline_pb2
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2
from parley.orders.v1 import events_pb2 as orders_events
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import (
    ANA,
    BEN,
    OF_REQUEST,
    OFFER,
    OLGA,
    OTTO,
    RIVAL,
    Scene,
    offer_facts,
    request_facts,
)
from tests.component.messaging.mailbox import (
    Mailbox,
    choices,
    html_of,
    link_of,
    profile_of,
    reachable,
    text_of,
    token_in,
    update,
    verify,
)

CHOICE = pb.NotificationChoice
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SITE = "https://parley.example"


@dataclass
class Office(Scene):
    """Messaging whose mails go into `box`."""

    box: Mailbox

    async def passed(self, time: timedelta) -> None:
        """So much later, with everything done that was due."""
        await self.service.advance(time)

    async def happens(self, fact: Message, aggregate: str, version: int) -> None:
        """A fact of another service, and what follows from it."""
        await self.others.publish(fact, aggregate=aggregate, version=version, time=self.clock.now())
        await self.service.settle()

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What is stored."""
        asking = partial(Transaction.fetch_all, statement=text(statement))
        return [tuple(row) for row in await self.service.host.database.read_as_process(asking)]


@pytest.fixture
async def office(backends: Backends, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Office]:
    settings: dict[str, Any] = {"mail_folder": tmp_path / "mail", "public_url": f"{SITE}/"}
    async with running(DEFINITION, backends, clock=clock, **settings) as service:
        others = ForeignProducer(service.host.bus)
        yield Office(service, others, clock, Mailbox(tmp_path / "mail"))


async def test_an_address_is_verified_by_the_token_of_a_mail(office: Office) -> None:
    saved = await update(office, ANA, email="ana@mail.example", locale="de", display_name="Ana Müller")
    assert list(saved.allowed_actions) == ["update", "sendEmailVerification", "verifyEmail"]
    await office.service.settle()
    (mail,) = office.box.new()
    assert (mail["To"], mail["From"]) == ("ana@mail.example", "Parley <no-reply@parley.example>")
    assert mail["Subject"] == "Bitte bestätigen Sie Ihre E-Mail-Adresse"
    assert "Guten Tag Ana Müller," in text_of(mail)
    assert (mail["Auto-Submitted"], mail["List-Unsubscribe"]) == ("auto-generated", None)
    assert link_of(mail).startswith(f"{SITE}/verify-email#profile=users%2Fana%2Fprofile&token=")
    first = token_in(mail)
    # It is nowhere: the mail was the only place.
    ((token, state),) = await office.rows("SELECT token, state FROM mail")
    assert (token, state) == ("", "sent")
    assert first not in str(await office.rows("SELECT * FROM email_verification"))

    for who, wrong in ((ANA, "guess"), (ANA, first[:-1]), (OTTO, first)):
        assert (await refused(verify(office, who, wrong))).reason == "VERIFICATION_INVALID"
    again = pb.SendEmailVerificationRequest(name=f"{ANA.subject}/profile")
    await office.of(ANA).SendEmailVerification(again)
    await office.service.settle()
    (mail,) = office.box.new()
    assert (await refused(verify(office, ANA, first))).reason == "VERIFICATION_INVALID"
    verified = await verify(office, ANA, token_in(mail))
    assert (verified.email_state, verified.etag) == (pb.Profile.EMAIL_STATE_VERIFIED, "v2")
    assert list(verified.allowed_actions) == ["update"]
    assert (await refused(verify(office, ANA, token_in(mail)))).reason == "VERIFICATION_INVALID"
    refusal = await refused(office.of(ANA).SendEmailVerification(again))
    assert refusal.reason == "EMAIL_NOT_PENDING"

    # Nobody can have strangers mailed without end.
    for number in range(3):
        await update(office, ANA, email=f"stranger{number}@mail.example")
    refusal = await refused(update(office, ANA, email="stranger9@mail.example"))
    assert (refusal.reason, refusal.metadata) == ("VERIFICATION_LIMIT_REACHED", {"limit": "5"})
    assert (await profile_of(office, ANA)).email == "stranger2@mail.example"
    await office.service.settle()
    # The token of an address that was replaced proves nothing; the last one does.
    *superseded, last = office.box.new()
    for mail in superseded:
        assert (await refused(verify(office, ANA, token_in(mail)))).reason == "VERIFICATION_INVALID"
    assert (await verify(office, ANA, token_in(last))).email_state == pb.Profile.EMAIL_STATE_VERIFIED


async def test_a_token_works_for_a_day(office: Office) -> None:
    await update(office, ANA, email="ana@mail.example")
    await office.service.settle()
    (mail,) = office.box.new()
    await office.passed(24 * HOUR)
    assert (await refused(verify(office, ANA, token_in(mail)))).reason == "VERIFICATION_INVALID"


WORDS = ("Do you draw owls?", "Owls are what we do best.", "Charge double", "In May, please.")


PHONES = {ANA: "+4930111111", OTTO: "+4930222222", OLGA: "+4930333333", RIVAL: "+4930444444"}


@pytest.mark.covers("V11", "V16", "V32", "V34", "V38")
async def test_a_negotiation_is_told_by_links_and_nothing_leaks(office: Office) -> None:
    box, addresses = office.box, {}
    for who, fields in {
        ANA: {"time_zone": "Europe/Berlin"},
        OTTO: {"locale": "de", "display_name": "Otto"},
        OLGA: {"locale": "fr"},
        RIVAL: {},
    }.items():
        addresses[who] = await reachable(office, box, who, phone=PHONES[who], **fields)
    await _they_talk(office, addresses)
    await _they_agree(office, addresses)
    assert box.new(addresses[RIVAL]) == []
    for mail in box.all():
        content = "\n".join([str(mail.items()), text_of(mail), html_of(mail)])
        reader = next(who for who, address in addresses.items() if address == mail["To"])
        contacts = [each for who in addresses if who is not reader for each in (addresses[who], PHONES[who])]
        assert not [each for each in contacts if each in content]
        # The proof of sending holds the reader's own words, every other mail none at all.
        is_copy = mail["Subject"].startswith(("Your message was sent", "Ihre Nachricht wurde gesendet"))
        own = {ANA: WORDS[:1], OTTO: WORDS[1:2]}.get(reader, ()) if is_copy else ()
        assert not [word for word in WORDS if word not in own and word in content]
    bodies = b"".join(row[0] for row in await office.rows("SELECT body FROM outbox"))
    assert not [each for each in (*addresses.values(), *PHONES.values()) if each.encode() in bodies]


async def _they_talk(office: Office, addresses: dict[Identity, str]) -> None:
    box = office.box
    conversation = (await office.inquiry(WORDS[0])).conversation.name
    await office.service.settle()
    (to_otto,) = box.new(addresses[OTTO])
    assert to_otto["Subject"] == "Neue Anfrage"
    assert "Guten Tag Otto," in text_of(to_otto)
    assert (to_otto["Auto-Submitted"], to_otto["Content-Language"]) == ("auto-generated", "de")
    assert to_otto["List-Unsubscribe"] == f"<{SITE}/profile>"
    assert link_of(to_otto) == f"{SITE}/{conversation}"
    assert f'href="{SITE}/{conversation}"' in html_of(to_otto)
    (to_olga,) = box.new(addresses[OLGA])
    assert "Bonjour," in text_of(to_olga)
    (copy,) = box.new(addresses[ANA])
    assert copy["Subject"] == "Your message was sent – acme"
    assert WORDS[0] in text_of(copy)
    assert "1 June 2026, 14:00 (Europe/Berlin)" in text_of(copy)
    await office.passed(20 * MINUTE)
    await office.say(OTTO, conversation, WORDS[1])
    await office.say(OTTO, conversation, WORDS[2], kind=timeline_pb2.Message.KIND_INTERNAL_NOTE)
    await office.service.settle()
    assert box.subjects(addresses[ANA]) == ["New message – acme"]


async def _they_agree(office: Office, addresses: dict[Identity, str]) -> None:
    box = office.box
    await office.passed(20 * MINUTE)
    request = request_facts(1)
    await office.happens(gating_events.OrderRequestSubmitted(order_request=request), request.name, 1)
    sent = offers_events.OfferSent(offer=offer_facts(1))
    await office.happens(sent, sent.offer.name, 1)
    (to_ana,) = box.new(addresses[ANA])
    assert to_ana["Subject"] == "You have an offer – acme"
    assert "EUR 120.00 · 1 June 2026, 14:40 (Europe/Berlin)" in text_of(to_ana)
    assert link_of(to_ana) == f"{SITE}/{OF_REQUEST}"
    by_buyer = offer_facts(2, author=offer_pb2.OfferRevision.AUTHOR_BUYER)
    await office.happens(offers_events.OfferCountered(offer=by_buyer), by_buyer.name, 2)
    accepted = offers_events.OfferAccepted(offer=offer_facts(3, accepted=True))
    await office.happens(accepted, by_buyer.name, 3)
    order = orders_events.OrderFacts(
        name=f"orders/{OFFER}", version=1, seller="sellers/acme", buyer="users/ana"
    )
    order.order_request = request.name
    await office.happens(orders_events.OrderPlaced(order=order), order.name, 1)
    # Of the order that comes from an offer its acceptance told; nobody is told what he did himself.
    assert box.subjects(addresses[ANA]) == []
    assert box.subjects(addresses[OTTO]) == [
        "Ihre Nachricht wurde gesendet",
        "Neue Bestellanfrage",
        "Gegenangebot",
        "Angebot angenommen",
    ]
    assert "120,00\u00a0EUR" in text_of(box.new(addresses[OLGA])[-1])


async def test_a_burst_is_one_mail_and_a_digest_is_one_a_day(office: Office) -> None:
    ana = await reachable(office, office.box, ANA, time_zone="Europe/Berlin")
    otto = await reachable(
        office,
        office.box,
        OTTO,
        notification_choices=[
            *choices(CHOICE.DELIVERY_DIGEST, CHOICE.KIND_MESSAGE),
            *choices(CHOICE.DELIVERY_OFF, CHOICE.KIND_SENT_COPY, CHOICE.KIND_OFFER),
        ],
    )
    conversation = (await office.inquiry()).conversation.name
    for number in range(5):
        await office.say(OTTO, conversation, f"owl {number}")
    await office.service.settle()
    first = office.box.new(ana)
    assert len(first) <= 2
    await office.passed(MINUTE)
    assert office.box.new() == []
    # What happens does not wait, and takes with it what does.
    await office.say(OTTO, conversation, "owl 5")
    facts = offers_events.OfferSent(offer=offer_facts(1, order_request="", conversation=conversation))
    await office.happens(facts, facts.offer.name, 1)
    (mail,) = office.box.new(ana)
    assert mail["Subject"] == "You have an offer – acme"
    assert "new messages." in text_of(mail)
    assert "owl" not in text_of(mail)
    await office.passed(10 * MINUTE)
    assert office.box.new(ana) == []

    assert office.box.new(otto) == []
    await office.say(ANA, conversation, "Fine.")
    await office.passed(19 * HOUR)
    assert office.box.new(otto) == []
    await office.passed(HOUR)
    (digest,) = office.box.new(otto)
    assert digest["Subject"] == "Your summary: 3 news"
    assert link_of(digest) == f"{SITE}/{conversation}"
    await office.passed(24 * HOUR)
    assert office.box.new(otto) == []


async def test_whoever_has_no_verified_address_or_left_the_team_gets_nothing(office: Office) -> None:
    await update(office, ANA, email="ana@mail.example")
    otto = await reachable(office, office.box, OTTO)
    olga = await reachable(office, office.box, OLGA)
    office.box.new()
    conversation = (await office.inquiry()).conversation.name
    await office.service.settle()
    assert {mail["To"] for mail in office.box.new()} == {otto, olga}
    await update(office, OLGA, email="olga.new@mail.example")
    await office.passed(91 * 24 * HOUR)
    office.box.new()
    await profile_of(office, OLGA)
    await office.say(ANA, conversation, "Anybody?")
    await office.service.settle()
    assert office.box.new() == []
    # A token shows that he is still one of them.
    await profile_of(office, OTTO)
    await office.say(ANA, conversation, "Anybody else?")
    await office.passed(HOUR)
    assert [mail["To"] for mail in office.box.new()] == [otto]


async def test_a_mail_is_made_once_however_often_its_fact_comes(office: Office) -> None:
    ana = await reachable(office, office.box, ANA)
    sent = offers_events.OfferSent(offer=offer_facts(1))
    record = await office.others.publish(sent, aggregate=sent.offer.name, version=1, time=office.clock.now())
    await office.others.again(record, as_new_message=True)
    await office.service.settle()
    assert len(office.box.new(ana)) == 1
    assert await office.rows("SELECT count(*) FROM notification") == [(1,)]


async def test_the_mails_of_a_long_digest_stay_short(office: Office) -> None:
    otto = await reachable(
        office, office.box, OTTO, notification_choices=choices(CHOICE.DELIVERY_DIGEST, CHOICE.KIND_REQUEST)
    )
    for number in range(60):
        facts = request_facts(1)
        facts.name = f"{facts.name[:-2]}{number + 10}"
        submitted = gating_events.OrderRequestSubmitted(order_request=facts)
        await office.others.publish(submitted, aggregate=facts.name, version=1, time=office.clock.now())
    await office.service.settle()
    await office.passed(24 * HOUR)
    (digest,) = office.box.new(otto)
    assert digest["Subject"] == "Your summary: 60 news"
    assert text_of(digest).count("There is a new order request.") == 50
    assert "And 10 more." in text_of(digest)


async def test_names_cannot_break_out_of_a_mail(office: Office) -> None:
    await reachable(office, office.box, ANA, display_name="<img src=x onerror=1>&\"'")
    otto = await reachable(office, office.box, OTTO)
    conversation = (await office.inquiry("<script>alert(1)</script>")).conversation.name
    await office.service.settle()
    (mail,) = office.box.new(otto)
    assert "<img" not in html_of(mail)
    assert "&lt;img src=x onerror=1&gt;" in html_of(mail)
    (copy,) = office.box.new("ana@")
    assert "<script" not in html_of(copy)
    assert await office.rows(
        f"SELECT count(*) FROM notification WHERE conversation_id = '{conversation[14:]}'"
    )


async def test_people_in_copy_are_told_of_messages_as_long_as_they_are(office: Office) -> None:
    ana = await reachable(office, office.box, ANA)
    carl = await reachable(office, office.box, BEN)
    conversation = (await office.inquiry()).conversation.name
    await office.service.settle()
    office.box.new()
    joined = joining.AddParticipantRequest(name=conversation, user=BEN.subject)
    await office.of(OTTO).AddParticipant(joined)
    await office.passed(HOUR)
    await office.say(ANA, conversation, "Who else reads this?")
    await office.service.settle()
    (mail,) = office.box.new(carl)
    assert mail["Subject"] == "New message"
    assert link_of(mail) == f"{SITE}/{conversation}"
    await office.passed(HOUR)
    # He answers on the side that let him in: the other side is told, he gets the proof.
    office.box.new()
    await office.say(BEN, conversation, "I do.")
    await office.service.settle()
    assert office.box.subjects(carl) == ["Your message was sent"]
    assert office.box.subjects(ana) == ["New message – acme"]
    left = joining.RemoveParticipantRequest(name=conversation, user=BEN.subject)
    await office.of(OTTO).RemoveParticipant(left)
    await office.say(ANA, conversation, "Now we are alone.")
    await office.passed(HOUR)
    assert office.box.new(carl) == []
