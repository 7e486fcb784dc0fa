"""Answers by mail through real SMTP, checked through the public API: what is posted, and what never is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.config import Address, Secret
from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, refused, running
from chassis.testing.producer import ForeignProducer
from chassis.testing.service import ANONYMOUS
from parley.messaging.v1 import (
    conversation_methods_pb2,
    conversation_pb2,
    magic_link_pb2,
    profile_pb2,
    received_mail_pb2,
    timeline_pb2,
)
from parley.messaging.v1 import participant_methods_pb2 as joining
from services.messaging.__main__ import DEFINITION
from services.messaging.app.mail_in import MAILS_PER_MINUTE
from tests.component.messaging.conftest import ANA, BEN, OLGA, OTTO, RIVAL
from tests.component.messaging.documents import pdf
from tests.component.messaging.mail_corpus import CASES, EVE, EVIL, file, part, parts, raw, report
from tests.component.messaging.mailbox import (
    LINK,
    Mailbox,
    profile_of,
    reachable,
    text_of,
    token_in,
    update,
    verify,
)
from tests.component.messaging.post import letter
from tests.component.messaging.post_office import DOMAIN, KEY, MINUTE, PostOffice

DAY = timedelta(days=1)
MAIL = received_mail_pb2.ReceivedMail
LIMIT_BYTES = 262_144
MESSAGES_PER_MINUTE = 15
UNSENT = "SELECT id FROM attachment WHERE state <> 'sent'"


@pytest.fixture
async def office(backends: Backends, clock: ManualClock, tmp_path: Path) -> AsyncIterator[PostOffice]:
    settings: dict[str, Any] = {
        "mail_folder": tmp_path / "mail",
        "mail_in_address": Address("127.0.0.1", 0),
        "mail_in_limit_bytes": LIMIT_BYTES,
        "reply_domain": DOMAIN,
        "reply_key": Secret(KEY),
        "attachments_url": (tmp_path / "files").as_uri(),
        "messages_per_minute": MESSAGES_PER_MINUTE,
    }
    async with running(DEFINITION, backends, clock=clock, **settings) as service:
        yield PostOffice(service, ForeignProducer(service.host.bus), clock, Mailbox(tmp_path / "mail"))


@pytest.mark.covers("V18", "X08")
async def test_only_what_its_owner_wrote_is_posted_and_nothing_is_dropped(office: PostOffice) -> None:
    otto, ana = await reachable(office, office.box, OTTO), await reachable(office, office.box, ANA)
    first = (await office.inquiry("First?")).conversation.name
    to, _ = await office.address(otto, first)
    second = (await office.inquiry("Second?")).conversation.name
    other, mail = await office.address(otto, second)
    texts, reasons, brought = [], [], []
    for case in CASES:
        values = {b"{me}": otto, b"{to}": to, b"{other}": other, b"{mail}": mail}
        content, sender, posted = case.content, case.sender.replace("{me}", otto), case.posted
        for mark, value in values.items():
            content, posted = content.replace(mark, value.encode()), posted.replace(mark.decode(), value)
        if b"message-id:" not in content.lower():
            content = f"Message-ID: <{CASES.index(case)}@mail.example>\r\n".encode() + content
        answer = await office.post(sender, to, content)
        assert (case.name, answer.code) == (case.name, case.code), answer
        assert case.code == 250 or case.reason in answer.text, (case.name, answer)
        texts += [posted] if posted else []
        reasons += [case.reason] if case.reason else []
        brought += [(sender, content, answer)] if case.reason in ("", "MAIL_UNREADABLE") else []
    assert len(CASES) >= 60
    await _nothing_else_happened(office, first, second, texts, reasons)
    # The day after they are answered as they were, and after 90 days nobody knows them.
    await office.passed(DAY)
    kept = await office.received(OTTO)
    for sender, content, answer in (brought[0], brought[-1]):
        assert await office.post(sender, to, content) == answer
    assert await office.received(OTTO) == kept
    await office.passed(91 * DAY)
    assert await office.received(OTTO) == []
    # Neither the owner of the other address nor anybody else learns an address.
    for each in office.box.all():
        assert EVIL not in str(each)
        assert EVE not in str(each)
        assert ("otto@" if ana in str(each["To"]) else "ana@") not in f"{each.items()}{text_of(each)}"


async def _nothing_else_happened(
    office: PostOffice, first: str, second: str, texts: list[str], reasons: list[str]
) -> None:
    found = await office.messages(ANA, first)
    assert [message.text for message in found] == ["First?", *texts]
    assert {(each.author, each.channel) for each in found[1:]} == {
        (OTTO.subject, timeline_pb2.Message.CHANNEL_EMAIL)
    }
    assert [message.text for message in await office.messages(OTTO, second)] == ["Second?"]
    kept = await office.received(OTTO)
    assert sorted(each.reason for each in kept if each.reason) == sorted(reasons)
    assert [each.message for each in reversed(kept) if each.message] == [each.name for each in found[1:]]
    # Its author alone can still read what was taken off; nobody reads what strangers wrote.
    english = next(each for each in kept if each.message == found[1].name)
    assert "Parley wrote:\n> EVIL" in english.original_text
    assert not [each for each in kept if each.reason == "SENDER_UNVERIFIED" and each.original_text]
    assert await office.received(ANA) == []
    request = received_mail_pb2.ListReceivedMailsRequest(parent=OTTO.subject)
    assert (await refused(office.of(ANA).ListReceivedMails(request))).reason == "NOT_FOUND"


@pytest.mark.covers("V03", "V22", "V33", "V36")
async def test_an_address_is_worth_what_its_owner_is(office: PostOffice) -> None:
    otto, carl = await reachable(office, office.box, OTTO), await reachable(office, office.box, BEN)
    ana = await reachable(office, office.box, ANA)
    name = (await office.inquiry("Owls?")).conversation.name
    to, _ = await office.address(otto, name)
    of_ana, _ = await office.address(ana, name)
    await _unknown(office, otto, to, of_ana)
    # He says no, by mail, and nothing but the saying happens.
    answer = await office.post(otto, to.upper(), letter(f"Otto <{otto}>", to, "No, thank you.\n"))
    assert answer.code == 250
    seen = await office.see(ANA, name)
    assert seen.state == seen.STATE_OPEN
    assert (await office.timeline(ANA, name))[-1] == "No, thank you."
    await office.passed(11 * MINUTE)
    (told,) = office.box.new(otto)[-1:]
    assert told["Subject"] == "Your e-mail was posted"
    assert "An e-mail decides nothing" in text_of(told)
    assert f"/{name}" in text_of(told)
    await _what_the_mail_does_not_do_its_link_does(office, told, name)
    # A machine without any mark is stopped: one copy a day, and no text twice.
    again = letter(otto, to, "No, thank you.", Message_ID="<again@mail.example>")
    assert (await office.post(otto, to, again)).text.startswith("5.4.6 MAIL_REPEATED")
    assert (await office.post(otto, to, letter(otto, to, "I am away 1."))).code == 250
    await office.passed(DAY / 2)
    assert not [each for each in office.box.new(otto) if "posted" in str(each["Subject"])]
    await _closed(office, name, of_ana, ana)
    await _grants(office, name, carl)
    # Whoever changes his address has to identify himself again.
    await update(office, OTTO, email="otto@new.example")
    for sender in (otto, "otto@new.example"):
        said = await office.post(sender, to, letter(sender, to, f"{EVIL} from {sender}"))
        assert (said.code, said.text.split()[1]) == (550, "SENDER_UNVERIFIED:")
        assert "follow the link" in said.text
    await office.passed(181 * DAY)
    assert (await office.post(ana, of_ana, letter(ana, of_ana, EVIL))).code == 550
    # The mailboxes are gone, the history is not.
    assert EVIL not in str(await office.messages(ANA, name))
    assert [each.text for each in await office.messages(ANA, name)][:3] == [
        "Owls?",
        "No, thank you.",
        "I am away 1.",
    ]


async def _what_the_mail_does_not_do_its_link_does(office: PostOffice, told: EmailMessage, name: str) -> None:
    (link,) = [each for each in LINK.findall(text_of(told)) if "/act#link=" in each]
    wish = magic_link_pb2.UseMagicLinkRequest(token=link.partition("#link=")[2], action="decline")
    assert (await office.of(ANONYMOUS).UseMagicLink(wish)).conversation == name
    assert (await office.see(ANA, name)).state == conversation_pb2.Conversation.STATE_CLOSED
    reopening = conversation_methods_pb2.ReopenConversationRequest(name=name)
    await office.of(OTTO).ReopenConversation(reopening)


async def _unknown(office: PostOffice, otto: str, to: str, of_ana: str) -> None:
    kind, key, mac = to.partition("@")[0].split(".")
    guesses = [
        f"{kind}.{key}.{of_ana.partition('@')[0].split('.')[2]}@{DOMAIN}",
        f"b.{key}.{mac}@{DOMAIN}",
        f"{kind}.{'a' * 26}.{mac}@{DOMAIN}",
        f"{kind}.{key}@{DOMAIN}",
        f"{kind}.{key}.{mac}@elsewhere.example",
        f"otto@{DOMAIN}",
        f"postmaster@{DOMAIN}",
    ]
    for guess in guesses:
        answer = await office.post(otto, guess, letter(otto, guess, EVIL))
        assert (guess, answer.code, answer.text.split()[0]) == (guess, 550, "5.1.1")
    # Another one's address, known by a leak.
    answer = await office.post(otto, of_ana, letter(otto, of_ana, EVIL))
    assert (answer.code, answer.text.split()[1]) == (550, "SENDER_UNVERIFIED:")
    big = letter(otto, to, "owls\n" * (LIMIT_BYTES // 4))
    assert (await office.post(otto, to, big)).code == 552
    long_line = raw(b"x" * 5_000, author=otto)
    assert (await office.post(otto, to, long_line)).code == 500


async def _closed(office: PostOffice, name: str, of_ana: str, ana: str) -> None:
    """The buyer's message would open it again; a mail changes no state."""
    closing = conversation_methods_pb2.CloseConversationRequest(name=name)
    await office.of(OTTO).CloseConversation(closing)
    said = await office.post(ana, of_ana, letter(ana, of_ana, EVIL))
    assert (said.code, said.text.split()[1]) == (554, "CONVERSATION_CLOSED:")
    seen = await office.see(ANA, name)
    assert seen.state == seen.STATE_CLOSED
    await office.of(OTTO).ReopenConversation(conversation_methods_pb2.ReopenConversationRequest(name=name))


async def _grants(office: PostOffice, name: str, carl: str) -> None:
    """Somebody in copy answers; with the grant his address is gone, and a new one does not bring it back."""
    granting = joining.AddParticipantRequest(name=name, user=BEN.subject)
    await office.of(OTTO).AddParticipant(granting)
    await office.say(ANA, name, "Who else?")
    of_carl, _ = await office.address(carl, name)
    assert (await office.post(carl, of_carl, letter(carl, of_carl, "Me."))).code == 250
    assert (await office.timeline(ANA, name))[-1] == "Me."
    await office.of(OTTO).RemoveParticipant(joining.RemoveParticipantRequest(name=name, user=BEN.subject))
    assert (await office.post(carl, of_carl, letter(carl, of_carl, EVIL))).text.startswith("5.1.1")
    await office.of(OTTO).AddParticipant(granting)
    assert (await office.post(carl, of_carl, letter(carl, of_carl, EVIL))).text.startswith("5.1.1")


@pytest.mark.covers("V39")
async def test_documents_and_bounces_come_by_mail(office: PostOffice) -> None:
    otto = await reachable(office, office.box, OTTO)
    name = (await office.inquiry("Owls?")).conversation.name
    to, mail = await office.address(otto, name)
    links = [
        each for told in office.box.all() if otto in str(told["To"]) for each in LINK.findall(text_of(told))
    ]
    (token,) = [each.partition("#link=")[2] for each in links if "/act#link=" in each]
    link = magic_link_pb2.GetMagicLinkRequest(token=token)
    assert (await office.of(ANONYMOUS).GetMagicLink(link)).link.conversation == name
    content = parts(part("As asked."), file(pdf(), "owl.pdf"), headers=(f"From: {otto}", "Message-ID: <1@x>"))
    for _ in range(2):
        assert (await office.post(otto, to, content)).code == 250
    (message,) = (await office.messages(ANA, name))[1:]
    assert (message.text, [each.filename for each in message.attachments]) == ("As asked.", ["owl.pdf"])
    changed = content.replace(b"As asked.", b"EVIL")
    assert (await office.post(otto, to, changed)).text.startswith("5.4.6 MAIL_REPEATED")
    # A report that names another address, or a passing trouble, proves nothing; nor does one that comes to
    # where the mail is answered, which whoever got it passed on could have written.
    back = office.back(mail)
    for where, status, address, action in (
        (back, "5.1.1", EVE, "failed"),
        (back, "4.2.2", otto, "delayed"),
        (back, "5.2.2", otto, "failed"),
        (to, "5.1.1", otto, "failed"),
    ):
        assert (await office.post("", where, report(status, address, action))).code == 250
        assert (await profile_of(office, OTTO)).email_state == profile_pb2.Profile.EMAIL_STATE_VERIFIED
    assert (await office.post("", back, report("5.1.1", otto))).code == 250
    assert (await profile_of(office, OTTO)).email_state == profile_pb2.Profile.EMAIL_STATE_BOUNCED
    outcomes = [each.outcome for each in await office.received(OTTO)]
    assert (outcomes.count(MAIL.OUTCOME_BOUNCE), outcomes.count(MAIL.OUTCOME_AUTOMATIC)) == (2, 3)
    assert (await office.post(otto, to, letter(otto, to, EVIL))).text.startswith("5.7.1")
    await _his_colleagues_see_it(office, name)
    await _mails_come_back(office, name)
    # What was sent to an address that was nobody's stays worthless when it is somebody's again.
    office.box.new(otto)
    proof = profile_pb2.SendEmailVerificationRequest(name=f"{OTTO.subject}/profile")
    await office.of(OTTO).SendEmailVerification(proof)
    await office.service.settle()
    (asking,) = office.box.new(otto)
    await verify(office, OTTO, token_in(asking))
    await office.say(ANA, name, "And now?")
    assert not (await office.messages(OLGA, name))[-1].bounced_members
    assert (await refused(office.of(ANONYMOUS).GetMagicLink(link))).reason == "LINK_INVALID"
    assert RIVAL.subject not in str(await office.received(OTTO))


async def _his_colleagues_see_it(office: PostOffice, name: str) -> None:
    """Whom of the team no mail told is the team's business, and what the team says is told to the others."""
    await office.say(ANA, name, "Anybody?")
    granting = joining.AddParticipantRequest(name=name, user=BEN.subject, share_history=True)
    await office.of(OTTO).AddParticipant(granting)
    await office.say(OLGA, name, "Me.")
    await office.say(OLGA, name, "He is away.", kind=timeline_pb2.Message.KIND_INTERNAL_NOTE)
    for who in (OTTO, OLGA, ANA, BEN):
        seen = {each.text: each for each in await office.messages(who, name)}
        assert {"Anybody?", "Me."} <= seen.keys()
        assert list(seen.pop("Anybody?").bounced_members) == ([OTTO.subject] if who in (OTTO, OLGA) else [])
        assert not any(each.bounced_members or each.bounced_recipients for each in seen.values())


async def test_documents_of_refused_mails_do_not_pile_up(office: PostOffice) -> None:
    """However often a mail comes, what came with it waits once, and nothing waits where nothing is sent."""
    otto = await reachable(office, office.box, OTTO)
    name = (await office.inquiry("Owls?")).conversation.name
    to, _ = await office.address(otto, name)

    def mail(number: int, *more: bytes) -> bytes:
        headers = (f"From: {otto}", f"Message-ID: <{number}@mail.example>")
        return parts(part(f"Mail {number}."), file(pdf(), "owl.pdf"), *more, headers=headers)

    async def has_written_enough() -> None:
        for number in range(MESSAGES_PER_MINUTE):
            await office.say(OTTO, name, f"{office.clock.now()} {number}")

    await has_written_enough()
    for limit in [MESSAGES_PER_MINUTE] * MAILS_PER_MINUTE + [MAILS_PER_MINUTE]:
        answer = await office.bring(otto, to, mail(1))
        assert (answer.code, answer.text.split()[1:5]) == (
            451,
            ["MESSAGE_LIMIT_REACHED:", "more", "than", str(limit)],
        )
    ((waiting,),) = await office.rows(UNSENT)
    # Whoever brought it has it still, so that there is nothing to record.
    assert await office.received(OTTO) == []
    assert (await office.post(otto, to, mail(1))).code == 250
    sent = (await office.messages(ANA, name))[-1]
    assert [each.name for each in sent.attachments] == [f"{name}/attachments/{waiting}"]
    assert await office.rows(UNSENT) == []

    # A server tries for days; by then what waited is gone.
    await office.passed(MINUTE)
    await has_written_enough()
    assert (await office.bring(otto, to, mail(2))).code == 451
    await office.passed(25 * MINUTE * 60)
    assert await office.rows(UNSENT) == []
    assert (await office.post(otto, to, mail(2))).code == 250

    # What would be refused anyway is not kept before.
    bad = mail(3, file(b"owls", "owl.doc"))
    for _ in range(2):
        assert (await office.post(otto, to, bad)).text.split()[1:3] == ["ATTACHMENT_NOT_PDF:", "owl.doc"]
    await _one_of_several_is_bad(office, otto, to, mail)
    await office.of(OTTO).CloseConversation(conversation_methods_pb2.CloseConversationRequest(name=name))
    for _ in range(2):
        assert (await office.post(otto, to, mail(4))).text.split()[1] == "CONVERSATION_CLOSED:"
    assert await office.rows(UNSENT) == []
    await office.of(OTTO).ReopenConversation(conversation_methods_pb2.ReopenConversationRequest(name=name))
    assert (await office.post(otto, to, mail(4))).code == 250

    await _what_became_of_it_is_lost(office, otto, to, mail(4))


async def _what_became_of_it_is_lost(office: PostOffice, otto: str, to: str, mail: bytes) -> None:
    """The record of the last mail is gone, then also the answer, which named somebody who was erased."""

    async def lose(statement: str) -> None:
        losing = partial(Transaction.execute, statement=sa.text(statement))
        await office.service.host.database.transact(losing)

    (last, *_), everything = await office.received(OTTO), "DELETE FROM received_mail"
    name = last.message.partition("/messages/")[0]
    await lose(everything)
    assert (await office.post(otto, to, mail)).code == 250
    assert [each.message for each in await office.received(OTTO)] == [last.message]
    await lose(everything)
    await lose("UPDATE idempotency SET answer = '' WHERE method LIKE '%/SendMessage'")
    assert (await office.post(otto, to, mail)).text.split()[1] == "MAIL_REPEATED:"
    # Not once was it posted again.
    assert (await office.messages(ANA, name))[-1].name == last.message


async def _one_of_several_is_bad(office: PostOffice, otto: str, to: str, mail: Callable[..., bytes]) -> None:
    """What is fine is not kept beside what only its examination refuses: he sends all of it again."""
    script = pdf(b"<</S/JavaScript/JS(x)>>", catalog=b"/OpenAction 5 0 R")
    for _ in range(2):
        said = await office.post(otto, to, mail(5, file(script, "script.pdf")))
        assert said.text.split()[1:4] == ["ATTACHMENT_ACTIVE_CONTENT:", "script.pdf", "contains"]
        assert await office.rows(UNSENT) == []
    assert (await office.post(otto, to, mail(5, file(pdf(), "second.pdf")))).code == 250
    posted = (await office.received(OTTO))[0].message
    sent = (await office.messages(ANA, posted.partition("/messages/")[0]))[-1]
    assert (sent.name, [each.filename for each in sent.attachments]) == (posted, ["owl.pdf", "second.pdf"])


async def _mails_come_back(office: PostOffice, name: str) -> None:
    """A mail that could not be delivered comes back to an address of its own; then senders learn of it."""
    ana = await reachable(office, office.box, ANA)
    await office.say(OTTO, name, "Are you there?")
    await office.passed(11 * MINUTE)
    (mail,) = office.box.new(ana)[-1:]
    back = office.back(str(mail["Message-ID"]))
    for sender, content in ((EVE, raw(EVIL, author=EVE)), (ana, raw(EVIL, author=ana))):
        assert (await office.post(sender, back, content)).text.startswith("5.1.1")
    assert (await office.post("", back, report("5.1.1", ana.upper()))).code == 250
    assert (await profile_of(office, ANA)).email_state == profile_pb2.Profile.EMAIL_STATE_BOUNCED
    sent = await office.say(OTTO, name, "Still there?")
    found = (await office.messages(ANA, name))[-1]
    assert (found.name, list(found.bounced_recipients)) == (sent, [ANA.subject])
    forward = joining.ForwardConversationRequest(name=name, address="ANA@mail.example")
    refusal = await refused(office.of(OTTO).ForwardConversation(forward))
    assert (refusal.reason, refusal.metadata["resource"]) == ("RECIPIENT_BOUNCED", name)
    assert "CONVERSATION_FORWARDED" not in await office.timeline(OTTO, name)
    await reachable(office, office.box, ANA, email="ana@new.example")
    await office.of(OTTO).ForwardConversation(forward)
    await office.say(OTTO, name, "Again?")
    assert not (await office.messages(ANA, name))[-1].bounced_recipients
