"""People in copy, forwards and blocks: what they read, from when to when, and who learns of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing import Identity, buyer, observer, operator, refused, seller
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import conversation_pb2, timeline_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import participant_methods_pb2 as joining
from tests.component.messaging.conftest import ANA, BEN, OLGA, OTTO, RIVAL, Scene, rows
from tests.component.messaging.mailbox import update

MINUTE = timedelta(minutes=1)
CARL, DORA = seller("partner", user="carl"), buyer("dora")
NOTE = timeline_pb2.Message.KIND_INTERNAL_NOTE


async def add(scene: Scene, by: Identity, name: str, user: str, *, history: bool = False) -> None:
    request = joining.AddParticipantRequest(name=name, user=user, share_history=history)
    await scene.of(by).AddParticipant(request)
    scene.clock.advance(MINUTE)


async def remove(scene: Scene, by: Identity, name: str, user: str) -> None:
    await scene.of(by).RemoveParticipant(joining.RemoveParticipantRequest(name=name, user=user))
    scene.clock.advance(MINUTE)


async def story(scene: Scene) -> str:
    """An inquiry with a note, before anybody is in copy."""
    name = str((await scene.inquiry("Before")).conversation.name)
    scene.clock.advance(MINUTE)
    await scene.say(OTTO, name, "canary-note", kind=NOTE)
    scene.clock.advance(MINUTE)
    return name


@pytest.mark.covers("V37", "V43", "X09")
async def test_people_in_copy_read_from_their_grant_on_and_answer(scene: Scene) -> None:
    name = await story(scene)
    assert (await refused(scene.of(CARL).GetConversation(pb.GetConversationRequest(name=name)))).reason == (
        "NOT_FOUND"
    )
    await add(scene, OTTO, name, "users/carl")
    await add(scene, ANA, name, "users/dora", history=True)
    sent = await scene.say(ANA, name, "To all")
    scene.clock.advance(MINUTE)
    await scene.say(CARL, name, "The partner answers")
    await scene.say(OTTO, name, "canary-second", kind=NOTE)
    assert await scene.timeline(CARL, name) == [
        "PARTICIPANT_ADDED",
        "PARTICIPANT_ADDED",
        "To all",
        "The partner answers",
    ]
    whole = ["INQUIRY_STARTED", "Before", *await scene.timeline(CARL, name)]
    assert await scene.timeline(DORA, name) == await scene.timeline(ANA, name) == whole
    answer = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=name))).entries[-1].message
    assert (answer.author, answer.side) == ("users/carl", conversation_pb2.SIDE_SELLER)
    # To whom each went is what it was then, whoever comes or goes later.
    await remove(scene, OTTO, name, "users/carl")
    entries = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=name))).entries
    by_text = {entry.message.text: list(entry.message.recipients) for entry in entries}
    assert by_text["Before"] == ["sellers/acme"]
    assert by_text["To all"] == ["sellers/acme", "users/carl", "users/dora"]
    assert by_text["The partner answers"] == ["users/ana", "sellers/acme", "users/dora"]
    seen = (await scene.see(ANA, name)).participants
    assert [(each.name, each.role, each.side, each.history_shared) for each in seen] == [
        ("users/ana", 1, 1, False),
        ("sellers/acme", 2, 2, False),
        ("users/dora", 3, 1, True),
    ]
    # Nothing any more, not even what he had read.
    for call in (
        scene.of(CARL).GetConversation(pb.GetConversationRequest(name=name)),
        scene.of(CARL).ListTimeline(pb.ListTimelineRequest(parent=name)),
        scene.of(CARL).SendMessage(pb.SendMessageRequest(parent=name, text="Still here?")),
        scene.of(CARL).MarkRead(pb.MarkReadRequest(name=name, message=sent)),
        scene.of(CARL).WatchConversation(pb.WatchConversationRequest(name=name)).read(),
    ):
        assert (await refused(call)).reason == "NOT_FOUND"
    listing = pb.ListConversationsRequest(in_copy=True)
    assert not (await scene.of(CARL).ListConversations(listing)).conversations
    assert [each.name for each in (await scene.of(DORA).ListConversations(listing)).conversations] == [name]


def called(conversation: conversation_pb2.Conversation) -> dict[str, str]:
    return {each.name: each.display_name for each in conversation.participants}


async def test_participants_are_called_as_they_want_to_be(scene: Scene) -> None:
    await update(scene, ANA, display_name="Ana Lee", phone="+41446681800", email="ana@example.org")
    await update(scene, OTTO, display_name="Otto of acme")
    await update(scene, CARL, display_name="Carl")
    name = await story(scene)
    # At once in the answer that puts somebody in copy, whichever it is.
    grant = joining.AddParticipantRequest(name=name, user=CARL.subject)
    added = (await scene.of(OTTO).AddParticipant(grant)).conversation
    assert called(added) == {"users/ana": "Ana Lee", "sellers/acme": "", "users/carl": "Carl"}
    passing_on = joining.ForwardConversationRequest(name=name, address="dora@example.org", user=DORA.subject)
    forwarded = (await scene.of(OTTO).ForwardConversation(passing_on)).conversation
    assert called(forwarded) == {**called(added), "users/dora": ""}
    # As it is now, for everybody who takes part, and nothing else of the profile.
    await update(scene, ANA, display_name="Ana Moss")
    await update(scene, DORA, display_name="Dora")
    expected = {**called(added), "users/ana": "Ana Moss", "users/dora": "Dora"}
    for who in (ANA, OTTO, CARL, DORA):
        seen = await scene.see(who, name)
        assert called(seen) == expected
        assert not {"+41446681800", "ana@example.org"} & set(str(seen).split('"'))
    listing = pb.ListConversationsRequest(seller="sellers/acme")
    (listed,) = (await scene.of(OTTO).ListConversations(listing)).conversations
    assert called(listed) == expected
    await remove(scene, OTTO, name, CARL.subject)
    assert CARL.subject not in called(await scene.see(OTTO, name))
    # Nobody else learns who takes part.
    closing = methods.CloseConversationRequest(name=name)
    assert not (await scene.of(operator()).CloseConversation(closing)).conversation.participants


async def test_each_in_copy_has_a_counter_and_a_list_of_his_own(scene: Scene) -> None:
    name = await story(scene)
    await add(scene, OTTO, name, "users/carl")
    sent = await scene.say(ANA, name, "One")
    scene.clock.advance(MINUTE)
    await scene.say(OTTO, name, "Two")
    assert (await scene.see(CARL, name)).unread_count == 2
    read = await scene.of(CARL).MarkRead(pb.MarkReadRequest(name=name, message=sent))
    assert read.conversation.unread_count == 1
    # His reading is not the team's, and a note does not exist for him.
    entries = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=name))).entries
    assert not any(entry.message.HasField("read_time") for entry in entries)
    assert (await scene.see(OTTO, name)).unread_count == 2
    note = await scene.say(OTTO, name, "canary", kind=NOTE)
    refusal = await refused(scene.of(CARL).MarkRead(pb.MarkReadRequest(name=name, message=note)))
    assert refusal.reason == "NOT_FOUND"
    refusal = await refused(
        scene.of(CARL).SendMessage(pb.SendMessageRequest(parent=name, text="x", kind=NOTE))
    )
    assert refusal.reason == "INTERNAL_NOTE_FORBIDDEN"
    away = methods.ArchiveConversationRequest(name=name)
    assert (await scene.of(CARL).ArchiveConversation(away)).conversation.archived
    listed = pb.ListConversationsRequest(in_copy=True)
    assert not (await scene.of(CARL).ListConversations(listed)).conversations
    assert await scene.names(OTTO) == [name]
    await scene.say(ANA, name, "Three")
    (found,) = (await scene.of(CARL).ListConversations(listed)).conversations
    assert (found.unread_count, found.archived) == (2, False)
    refusal = await refused(
        scene.of(OTTO).ListConversations(pb.ListConversationsRequest(in_copy=True, seller="sellers/acme"))
    )
    assert refusal.reason == "VALIDATION_FAILED"


async def test_who_grants_and_who_revokes(scene: Scene) -> None:
    name = await story(scene)
    stubs = {who: scene.of(who) for who in (ANA, OTTO, CARL, DORA, RIVAL, BEN)}
    grant = joining.AddParticipantRequest(name=name, user="users/dora")
    for stranger in (RIVAL, BEN, operator(), observer("bosch")):
        assert (await refused(scene.of(stranger).AddParticipant(grant))).reason == "NOT_FOUND"
    await add(scene, OTTO, name, "users/carl")
    assert (await refused(stubs[CARL].AddParticipant(grant))).reason == "PERMISSION_DENIED"
    for user, by in (("users/ana", OTTO), ("users/otto", OTTO), ("users/ana", ANA)):
        request = joining.AddParticipantRequest(name=name, user=user)
        refusal = await refused(scene.of(by).AddParticipant(request))
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "ALREADY_A_PARTY")
    before = await rows(scene)
    await add(scene, ANA, name, "users/carl")
    assert await rows(scene) == before
    taking = joining.RemoveParticipantRequest(name=name, user="users/carl")
    assert (await refused(stubs[ANA].RemoveParticipant(taking))).reason == "PERMISSION_DENIED"
    await add(scene, ANA, name, "users/dora")
    other = joining.RemoveParticipantRequest(name=name, user="users/dora")
    assert (await refused(stubs[CARL].RemoveParticipant(other))).reason == "PERMISSION_DENIED"
    stale = joining.RemoveParticipantRequest(name=name, user="users/dora", etag="v1")
    assert (await refused(stubs[ANA].RemoveParticipant(stale))).reason == "ETAG_MISMATCH"
    await remove(scene, CARL, name, "users/carl")
    before = await rows(scene)
    await remove(scene, OTTO, name, "users/carl")
    assert await rows(scene) == before
    for number in range(19):
        await add(scene, OTTO, name, f"users/many{number}")
    request = joining.AddParticipantRequest(name=name, user="users/one-more")
    refusal = await refused(stubs[OTTO].AddParticipant(request))
    assert (refusal.kind, refusal.reason) == (Kind.EXHAUSTED, "TOO_MANY_PARTICIPANTS")


async def test_watching_ends_with_the_grant(scene: Scene) -> None:
    """At whatever moment the watcher looks: the entry that ends the grant is not for him any more."""
    name = await story(scene)
    for _ in range(10):
        await add(scene, OTTO, name, "users/carl")
        watch = scene.of(CARL).WatchConversation(pb.WatchConversationRequest(name=name))
        await watch.initial_metadata()
        async with asyncio.timeout(20):
            await scene.say(ANA, name, "Yours")
            assert (await watch.read()).entry.message.text == "Yours"
            await remove(scene, OTTO, name, "users/carl")
            assert (await refused(watch.read())).reason == "NOT_FOUND"


@pytest.mark.covers("V20", "V21")
async def test_a_forward_is_archived_with_date_and_address_for_the_team(scene: Scene) -> None:
    name = await story(scene)
    request = joining.ForwardConversationRequest(
        name=name, address="canary.carl@example.org", user="users/carl", request_id="f-1"
    )
    for who, reason in ((ANA, "PERMISSION_DENIED"), (BEN, "NOT_FOUND"), (RIVAL, "NOT_FOUND")):
        assert (await refused(scene.of(who).ForwardConversation(request))).reason == reason
    for address in ("", "carl", "carl@example.org\r\nBcc: x@example.org", "x" * 250 + "@example.org"):
        bad = joining.ForwardConversationRequest(name=name, address=address)
        assert (await refused(scene.of(OTTO).ForwardConversation(bad))).reason == "VALIDATION_FAILED"
    done = await scene.of(OTTO).ForwardConversation(request)
    assert await scene.of(OTTO).ForwardConversation(request) == done
    assert (done.forward.address, done.forward.author) == ("canary.carl@example.org", "users/otto")
    scene.clock.advance(MINUTE)
    await scene.say(ANA, name, "After")

    async def forwards(who: Identity) -> list[timeline_pb2.TimelineEntry]:
        answer = await scene.of(who).ListTimeline(pb.ListTimelineRequest(parent=name))
        kind = timeline_pb2.TimelineEvent.TYPE_CONVERSATION_FORWARDED
        return [entry for entry in answer.entries if entry.event.type == kind]

    (archived,) = await forwards(OLGA)
    assert archived.event.forward_address == "canary.carl@example.org"
    assert archived.event.resource == done.forward.name
    assert archived.create_time == done.forward.create_time
    for who in (ANA, CARL):
        (seen,) = await forwards(who)
        assert seen.event.forward_address == ""
        assert seen.create_time == archived.create_time
    # Who was named reads the whole history, and never a note.
    assert (await scene.timeline(CARL, name))[:2] == ["INQUIRY_STARTED", "Before"]
    first = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=name))).entries[0]
    for who in (ANA, CARL):
        answers = [str(await scene.see(who, name)), str(await forwards(who))]
        watching = pb.WatchConversationRequest(name=name, after_entry=first.name)
        watch = scene.of(who).WatchConversation(watching)
        async with asyncio.timeout(20):
            while (entry := (await watch.read()).entry).message.text != "After":
                answers.append(str(entry))
        watch.cancel()
        assert "canary" not in "".join(answers)


async def test_a_block_stops_messages_between_the_two_everywhere(scene: Scene) -> None:
    name = await story(scene)
    other = (await scene.inquiry("Elsewhere")).conversation.name
    block = joining.BlockParticipantRequest(name=name)
    for stranger in (RIVAL, BEN, operator(), observer("bosch")):
        assert (await refused(scene.of(stranger).BlockParticipant(block))).reason == "NOT_FOUND"
    assert (await scene.of(OLGA).BlockParticipant(block)).conversation.blocked
    await scene.of(OTTO).BlockParticipant(block)
    before = await rows(scene)
    for conversation in (name, other):
        for who in (ANA, OTTO):
            request = pb.SendMessageRequest(parent=conversation, text="Hello")
            refusal = await refused(scene.of(who).SendMessage(request))
            assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "PARTICIPANT_BLOCKED")
    asked = pb.CreateInquiryRequest(seller="sellers/acme", title="Again", text="Please")
    assert (await refused(scene.of(ANA).CreateInquiry(asked))).reason == "PARTICIPANT_BLOCKED"
    assert await rows(scene) == before
    seen = await scene.see(ANA, name)
    assert (seen.blocked, "sendMessage" in seen.allowed_actions) == (False, False)
    # Another buyer is not meant, notes go on, and only who has blocked takes it back.
    await scene.inquiry("Me?", by=BEN)
    await scene.say(OTTO, name, "She is blocked.", kind=NOTE)
    unblock = joining.UnblockParticipantRequest(name=other)
    await scene.of(ANA).UnblockParticipant(unblock)
    request = pb.SendMessageRequest(parent=name, text="Hello")
    assert (await refused(scene.of(ANA).SendMessage(request))).reason == "PARTICIPANT_BLOCKED"
    await scene.of(OTTO).UnblockParticipant(unblock)
    await scene.say(ANA, name, "Thank you.")


@pytest.mark.covers("V05", "X19")
async def test_that_the_buyer_read_stands_in_the_history_and_moves_no_list(scene: Scene) -> None:
    name = await story(scene)
    message = await scene.say(OTTO, name, "Read me")
    seen = await scene.see(ANA, name)
    scene.clock.advance(MINUTE)
    # Listing, watching and getting it is not reading.
    await scene.timeline(ANA, name)
    assert not (await scene.see(OTTO, name)).read_receipts
    await scene.of(ANA).MarkRead(pb.MarkReadRequest(name=name, message=message))
    await scene.of(ANA).MarkRead(pb.MarkReadRequest(name=name, message=message))
    assert (await scene.timeline(OTTO, name)).count("MESSAGE_READ") == 1
    entry = (await scene.of(OTTO).ListTimeline(pb.ListTimelineRequest(parent=name))).entries[-1]
    assert entry.event.resource == message
    assert (await scene.see(OTTO, name)).last_entry_time == seen.last_entry_time
    await scene.of(OTTO).MarkRead(pb.MarkReadRequest(name=name, message=message))
    assert (await scene.timeline(OTTO, name)).count("MESSAGE_READ") == 1
