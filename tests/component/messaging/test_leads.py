"""Leads: who is in contact with a seller, shown as far as the buyer allows, and each change once."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TypeAlias

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, Identity, buyer, refused, running
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import consent_pb2 as consents
from parley.messaging.v1 import contact_methods_pb2
from parley.messaging.v1 import lead_pb2 as pb
from parley.messaging.v1 import messaging_service_pb2 as messaging
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import ANA, BEN, OLGA, OTTO, RIVAL, Scene, begin_request
from tests.component.messaging.mailbox import Mailbox, reachable, update

ABOUT, MARKETING = consents.CONSENT_TYPE_CONTACT_ABOUT_REQUEST, consents.CONSENT_TYPE_MARKETING
Kind: TypeAlias = consents.ConsentType.ValueType
ANY = consents.CONSENT_TYPE_UNSPECIFIED
PHONE, NAME = "+4930123456", "=SUM(A1)"
ACME = "sellers/acme"
MINUTE = timedelta(minutes=1)


async def leads(scene: Scene, who: Identity = OTTO, **fields: object) -> pb.ListLeadsResponse:
    request = pb.ListLeadsRequest(parent=ACME, **fields)  # type: ignore[arg-type]
    return await scene.of(who).ListLeads(request)  # type: ignore[no-any-return]


def changes(answer: pb.ListLeadsResponse) -> list[str]:
    """Why each item stands in the feed."""
    return [pb.Lead.Change.Name(each.change).removeprefix("CHANGE_") for each in answer.leads]


async def decide(scene: Scene, kind: Kind, *, granted: bool, seller: str = "") -> consents.Consent:
    """What ana decides in her profile."""
    request = consents.SetConsentRequest(name="users/ana/profile", type=kind, granted=granted, seller=seller)
    return (await scene.of(ANA).SetConsent(request)).consent  # type: ignore[no-any-return]


async def inquire(scene: Scene, *kinds: Kind, seller: str = ACME, who: Identity = ANA) -> str:
    request = messaging.CreateInquiryRequest(
        seller=seller, title="A logo", text="Do you draw owls?", consents=kinds
    )
    return str((await scene.of(who).CreateInquiry(request)).conversation.name)


async def table(scene: Scene, **fields: object) -> list[dict[str, str]]:
    """The lines of the table, by heading."""
    request = pb.ExportLeadsRequest(parent=ACME, **fields)  # type: ignore[arg-type]
    bodies = [body async for body in scene.of(OTTO).ExportLeads(request)]
    assert {body.content_type for body in bodies} == {"text/csv; charset=utf-8; header=present"}
    return list(csv.DictReader(io.StringIO(b"".join(body.data for body in bodies).decode(), newline="")))


async def disclosed(scene: Scene) -> list[tuple[str, str]]:
    """Who saw ana's data, and how."""
    request = consents.ListDisclosuresRequest(parent="users/ana/profile")
    found = (await scene.of(ANA).ListDisclosures(request)).disclosures
    return [(consents.Disclosure.Means.Name(each.means)[6:], each.reader) for each in found]


@asynccontextmanager
async def mailing(
    backends: Backends, clock: ManualClock, folder: Path
) -> AsyncIterator[tuple[Scene, Mailbox]]:
    async with running(DEFINITION, backends, clock=clock, mail_folder=folder) as service:
        yield Scene(service, ForeignProducer(service.host.bus), clock), Mailbox(folder)


@pytest.mark.covers("V42")
async def test_a_lead_shows_what_its_buyer_allows_now(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    async with mailing(backends, clock, tmp_path) as (scene, box):
        address = await reachable(scene, box, ANA, display_name=NAME, phone=PHONE)
        silent = await inquire(scene)
        page = await leads(scene)
        (bare,) = page.leads
        assert (bare.conversation, bare.source) == (silent, pb.Lead.SOURCE_INQUIRY)
        assert list(bare.missing_consents) == [ABOUT, MARKETING]
        assert all(secret not in str(page) for secret in ("ana", PHONE, NAME))
        assert await disclosed(scene) == []

        # A consent that is given with an inquiry is for its seller alone.
        scene.clock.advance(MINUTE)
        open_one = await inquire(scene, ABOUT)
        (later,) = (await leads(scene, since=page.next_since)).leads
        assert (later.name, later.conversation) == (bare.name, open_one)
        assert (later.buyer, later.display_name, later.email, later.phone) == (
            "users/ana",
            NAME,
            address,
            PHONE,
        )
        assert [each.conversation for each in later.consents] == [open_one]
        assert list(later.missing_consents) == [MARKETING]
        assert changes(await leads(scene, consent=MARKETING)) == []
        assert await disclosed(scene) == [("LEADS_LISTED", "users/otto")]
        assert (await leads(scene, OLGA)).leads[0].phone == PHONE, "earlier items show what holds now"

        # Spreadsheets compute nothing of what people call themselves.
        (line,) = await table(scene, consent=ABOUT)
        assert (line["display_name"], line["email"], line["phone"]) == (f"'{NAME}", address, f"'{PHONE}")
        assert await table(scene, consent=MARKETING) == []
        assert {means for means, _ in await disclosed(scene)} == {"LEADS_LISTED", "LEADS_EXPORTED"}
        assert len(await disclosed(scene)) == 3

        # What changes of a person reaches those who may see it; what is not proved to be his does not.
        since = (await leads(scene)).next_since
        await update(scene, ANA, phone="+4930999999", email="new@mail.example")
        (changed,) = (await leads(scene, since=since)).leads
        assert changed.change == pb.Lead.CHANGE_CONTACT_DATA_CHANGED
        assert (changed.phone, changed.email) == ("+4930999999", "")
        await update(scene, ANA, locale="de")
        since = (await leads(scene)).next_since
        assert changes(await leads(scene, since=since)) == []

        # Withdrawn, it holds for no reading any more, and the feed says so.
        assert not (await decide(scene, ABOUT, granted=False)).granted
        whole = await leads(scene)
        assert all(secret not in str(whole) for secret in ("users/ana", "+4930", NAME))
        assert changes(await leads(scene, since=since)) == ["CONSENT_WITHDRAWN"]
        assert changes(await leads(scene, consent=ABOUT)) == [
            "CONTACTED",
            "CONTACT_DATA_CHANGED",
            "CONSENT_WITHDRAWN",
        ]
        (line,) = await table(scene)
        assert (line["buyer"], line["phone"], line["missing_consents"]) == (
            "",
            "",
            "CONTACT_ABOUT_REQUEST; MARKETING",
        )


@pytest.mark.covers("V42")
async def test_consents_of_the_profile_hold_for_all_and_each_decision_is_kept(scene: Scene) -> None:
    await begin_request(scene)
    await inquire(scene, seller="sellers/rival")
    (asked,) = (await leads(scene)).leads
    assert asked.source == pb.Lead.SOURCE_ORDER_REQUEST
    since = (await leads(scene)).next_since
    scene.clock.advance(MINUTE)
    await decide(scene, MARKETING, granted=True)
    # The same again is no decision.
    await decide(scene, MARKETING, granted=True)
    await decide(scene, MARKETING, granted=True, seller=ACME)
    assert changes(await leads(scene, since=since, consent=MARKETING)) == ["CONSENT_GIVEN"]
    await decide(scene, MARKETING, granted=False, seller=ACME)
    assert (await leads(scene)).leads[-1].buyer == ""
    theirs = await scene.of(RIVAL).ListLeads(pb.ListLeadsRequest(parent="sellers/rival"))
    assert theirs.leads[-1].buyer == "users/ana", "withdrawn from one, it holds for the others"
    await decide(scene, MARKETING, granted=True)
    assert (await leads(scene)).leads[-1].buyer == "users/ana", "the newest decision holds"
    await decide(scene, MARKETING, granted=False)
    await decide(scene, ABOUT, granted=False)
    request = consents.ListConsentsRequest(parent="users/ana/profile", page_size=3)
    newest = await scene.of(ANA).ListConsents(request)
    request.page_token = newest.next_page_token
    kept = [*newest.consents, *(await scene.of(ANA).ListConsents(request)).consents]
    assert [(each.seller, each.granted) for each in kept] == [
        ("", False),
        ("", False),
        ("", True),
        (ACME, False),
        ("", True),
    ]

    # The number behind its click is no consent; each click stands in the feed and in the log of the person.
    await update(scene, ANA, phone=PHONE)
    name = f"conversations/{asked.conversation.partition('/')[2]}"
    for _ in range(2):
        scene.clock.advance(MINUTE)
        await scene.of(OLGA).RevealPhone(contact_methods_pb2.RevealPhoneRequest(name=name))
    assert changes(await leads(scene))[-2:] == ["PHONE_REVEALED", "PHONE_REVEALED"]
    seen = await disclosed(scene)
    assert seen[:2] == [("PHONE_REVEALED", "users/olga")] * 2
    assert ("LEADS_LISTED", "users/otto") in seen


async def test_strangers_get_no_leads_and_nobody_decides_for_others(scene: Scene) -> None:
    await inquire(scene, ABOUT)
    listing, deciding = (
        pb.ListLeadsRequest(parent=ACME),
        consents.SetConsentRequest(name="users/ana/profile", type=ABOUT, granted=True),
    )
    assert (await refused(scene.of(RIVAL).ListLeads(listing))).reason == "NOT_FOUND"
    assert (await refused(scene.of(ANA).ListLeads(listing))).reason == "NOT_FOUND"
    assert (
        await refused(scene.of(RIVAL).ExportLeads(pb.ExportLeadsRequest(parent=ACME)).read())
    ).reason == "NOT_FOUND"
    assert (await refused(scene.of(BEN).SetConsent(deciding))).reason == "NOT_FOUND"
    assert (await refused(scene.of(OTTO).SetConsent(deciding))).reason == "PERMISSION_DENIED"
    for call in (
        scene.of(BEN).ListConsents(consents.ListConsentsRequest(parent="users/ana/profile")),
        scene.of(BEN).ListDisclosures(consents.ListDisclosuresRequest(parent="users/ana/profile")),
    ):
        assert (await refused(call)).reason == "NOT_FOUND"
    # A place is bound to its feed, and to nothing else.
    place = (await leads(scene)).next_since
    foreign = pb.ListLeadsRequest(parent="sellers/rival", since=place)
    assert (await refused(scene.of(RIVAL).ListLeads(foreign))).reason == "PAGE_TOKEN_INVALID"
    # What does not match is passed by, and not looked at again.
    assert changes(await leads(scene, consent=MARKETING)) == []
    assert (await leads(scene, consent=MARKETING)).next_since == place
    assert (await leads(scene, since=place, consent=MARKETING)).next_since == place
    for sent in ("x", place[:-2]):
        garbled = pb.ListLeadsRequest(parent=ACME, since=sent)
        assert (await refused(scene.of(OTTO).ListLeads(garbled))).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.covers("V42")
async def test_the_feed_delivers_each_change_once_while_others_write(scene: Scene) -> None:
    people = [buyer(f"buyer{number}") for number in range(8)]
    random, sent, done = Random(7), 0, asyncio.Event()

    async def write(who: Identity) -> None:
        nonlocal sent
        profile = f"{who.subject}/profile"
        for turn in range(6):
            await inquire(scene, ABOUT, who=who)
            request = consents.SetConsentRequest(name=profile, type=MARKETING, granted=turn % 2 == 0)
            await scene.of(who).SetConsent(request)
            sent += 2

    async def read(consent: Kind) -> list[tuple[str, str, str]]:
        """Everything by `since` alone or by pages within, of random sizes, until the writers are through."""
        found: list[tuple[str, str, str]] = []
        since = token = ""
        while True:
            last = done.is_set()
            answer = await leads(
                scene, since=since, page_token=token, page_size=random.randint(1, 7), consent=consent
            )
            found += [(one.name, str(one.change), one.conversation) for one in answer.leads]
            token = answer.next_page_token if random.random() < 0.5 else ""
            if not token:
                since = answer.next_since
            if last and not answer.leads and not token:
                return found

    async def finish() -> None:
        await asyncio.gather(*(write(who) for who in people))
        done.set()

    *streams, _ = await asyncio.gather(*(read(kind) for kind in (ANY, ANY, ABOUT, MARKETING)), finish())
    everything = await leads(scene, page_size=1000)
    whole = [(one.name, str(one.change), one.conversation) for one in everything.leads]
    assert len(whole) == sent == 96
    assert streams[0] == streams[1] == streams[2] == whole
    marketing = await leads(scene, page_size=1000, consent=MARKETING)
    assert streams[3] == [(one.name, str(one.change), one.conversation) for one in marketing.leads]
    assert len({one.name for one in everything.leads}) == len(people)
