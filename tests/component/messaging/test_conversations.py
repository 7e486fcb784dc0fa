"""Conversations through the public API: who may talk, who may read, what was read."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from chassis.call import Call
from chassis.db import Single, Transaction
from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS, Identity, observer, operator, refused
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import participant_methods_pb2 as joining
from parley.messaging.v1 import timeline_pb2
from tests.component.messaging.blocked import until_blocked
from tests.component.messaging.conftest import ANA, BEN, OLGA, OTTO, RIVAL, Scene, rows

MINUTE = timedelta(minutes=1)
NOTE = timeline_pb2.Message.KIND_INTERNAL_NOTE


@pytest.mark.covers("G26")
async def test_a_buyer_talks_to_a_seller_before_any_order(scene: Scene) -> None:
    begun = await scene.inquiry()
    assert begun.conversation.marketplace == "craftfair"
    assert {"sendMessage", "markRead", "archive"} <= set(begun.conversation.allowed_actions)
    scene.clock.advance(MINUTE)
    await scene.say(OTTO, begun.conversation.name, "Owls are what we do best.")
    expected = ["INQUIRY_STARTED", "Do you draw owls?", "Owls are what we do best."]
    assert await scene.timeline(ANA, begun.conversation.name) == expected
    assert await scene.timeline(OLGA, begun.conversation.name) == expected


@pytest.mark.covers("V02")
@pytest.mark.parametrize("stranger", [BEN, RIVAL, operator(), observer("bosch")], ids=lambda who: who.subject)
async def test_nobody_else_learns_of_it(scene: Scene, stranger: Identity) -> None:
    name = (await scene.inquiry()).conversation.name
    before = await rows(scene)
    stub = scene.of(stranger)
    message = f"{name}/messages/{uuid.uuid4()}"
    for call in (
        stub.GetConversation(pb.GetConversationRequest(name=name)),
        stub.ListTimeline(pb.ListTimelineRequest(parent=name)),
        stub.SendMessage(pb.SendMessageRequest(parent=name, text="Hello")),
        stub.MarkRead(pb.MarkReadRequest(name=name, message=message)),
        stub.WatchConversation(pb.WatchConversationRequest(name=name)).read(),
    ):
        refusal = await refused(call)
        assert (refusal.kind, refusal.reason) == (Kind.NOT_FOUND, "NOT_FOUND")
    assert await rows(scene) == before


async def test_without_a_token_nothing_works(scene: Scene) -> None:
    refusal = await refused(scene.of(ANONYMOUS).ListConversations(pb.ListConversationsRequest()))
    assert refusal.kind is Kind.UNAUTHENTICATED


@pytest.mark.covers("V05")
async def test_the_seller_sees_when_the_buyer_read(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    scene.clock.advance(MINUTE)
    first = await scene.say(OTTO, name, "First")
    scene.clock.advance(MINUTE)
    second = await scene.say(OTTO, name, "Second")
    asked = pb.GetConversationRequest(name=name)
    assert (await scene.of(ANA).GetConversation(asked)).conversation.unread_count == 2

    scene.clock.advance(MINUTE)
    read_at = scene.clock.now()
    await scene.of(ANA).MarkRead(pb.MarkReadRequest(name=name, message=first))
    seen = (await scene.of(OTTO).GetConversation(asked)).conversation
    (receipt,) = seen.read_receipts
    assert (receipt.user, receipt.message) == ("users/ana", first)
    assert receipt.read_time.ToDatetime(read_at.tzinfo) == read_at
    entries = (await scene.of(OTTO).ListTimeline(pb.ListTimelineRequest(parent=name))).entries
    read = {entry.message.name: entry.message.HasField("read_time") for entry in entries}
    assert (read[first], read[second]) == (True, False)
    assert (await scene.of(ANA).GetConversation(asked)).conversation.unread_count == 1

    # It never goes back, and repeating it changes nothing.
    await scene.of(ANA).MarkRead(pb.MarkReadRequest(name=name, message=second))
    before = await rows(scene)
    later = (await scene.of(ANA).MarkRead(pb.MarkReadRequest(name=name, message=first))).conversation
    assert later.read_receipts[0].message == second
    assert later.unread_count == 0
    assert await rows(scene) == before


@pytest.mark.covers("V05")
async def test_a_colleague_reads_for_the_team(scene: Scene) -> None:
    begun = await scene.inquiry()
    listed = pb.ListConversationsRequest(seller="sellers/acme", unread_only=True)
    assert len((await scene.of(OLGA).ListConversations(listed)).conversations) == 1
    await scene.of(OTTO).MarkRead(
        pb.MarkReadRequest(name=begun.conversation.name, message=begun.message.name)
    )
    assert not (await scene.of(OLGA).ListConversations(listed)).conversations


async def test_internal_notes_never_reach_the_buyer(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    scene.clock.advance(MINUTE)
    seen = (await scene.of(ANA).GetConversation(pb.GetConversationRequest(name=name))).conversation
    note = await scene.say(OTTO, name, "Charge double", kind=NOTE)
    assert await scene.timeline(ANA, name) == ["INQUIRY_STARTED", "Do you draw owls?"]
    assert "Charge double" in await scene.timeline(OLGA, name)
    assert (
        await scene.of(ANA).GetConversation(pb.GetConversationRequest(name=name))
    ).conversation.unread_count == 0
    after = (await scene.of(ANA).GetConversation(pb.GetConversationRequest(name=name))).conversation
    assert after.last_entry_time == seen.last_entry_time
    refusal = await refused(scene.of(ANA).MarkRead(pb.MarkReadRequest(name=name, message=note)))
    assert refusal.reason == "NOT_FOUND"
    refusal = await refused(
        scene.of(ANA).SendMessage(pb.SendMessageRequest(parent=name, text="Mine", kind=NOTE))
    )
    assert (refusal.kind, refusal.reason) == (Kind.DENIED, "INTERNAL_NOTE_FORBIDDEN")


@pytest.mark.covers("V17")
@pytest.mark.parametrize("newest_first", [False, True])
async def test_either_order_is_stable_under_paging(scene: Scene, newest_first: bool) -> None:
    name = (await scene.inquiry()).conversation.name
    for number in range(7):
        # Some at the same instant: the id decides then.
        scene.clock.advance(MINUTE * (number % 2))
        await scene.say(ANA, name, f"message {number}")
    order = pb.TIMELINE_ORDER_NEWEST_FIRST if newest_first else pb.TIMELINE_ORDER_UNSPECIFIED
    whole = await scene.timeline(ANA, name, order_by=order)
    assert await scene.timeline(ANA, name, order_by=order, page_size=2) == whole
    assert await scene.timeline(ANA, name) == (whole[::-1] if newest_first else whole)
    texts = [word for word in whole if word.startswith("message")]
    expected = [f"message {number}" for number in range(7)]
    assert texts == (expected[::-1] if newest_first else expected)


@pytest.mark.covers("X01")
async def test_the_same_key_is_one_message(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    request = pb.SendMessageRequest(parent=name, text="Once", request_id="key-1")
    answers = await asyncio.gather(*(scene.of(ANA).SendMessage(request) for _ in range(20)))
    assert len({answer.SerializeToString() for answer in answers}) == 1
    assert (await scene.timeline(ANA, name)).count("Once") == 1
    request.text = "Twice"
    refusal = await refused(scene.of(ANA).SendMessage(request))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_concurrent_messages_are_all_kept_in_order(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    stub = scene.of(OTTO)
    await asyncio.gather(
        *(stub.SendMessage(pb.SendMessageRequest(parent=name, text=f"m{number}")) for number in range(30))
    )
    asked = pb.GetConversationRequest(name=name)
    assert (await scene.of(ANA).GetConversation(asked)).conversation.unread_count == 30
    assert len(await scene.timeline(ANA, name)) == 32


async def test_a_message_waits_for_whoever_changes_the_conversation(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    request = pb.SendMessageRequest(parent=name, text="Wait", request_id="key-1")
    database = scene.service.host.database
    sending: list[asyncio.Future[pb.SendMessageResponse]] = []

    async def hold(tx: Transaction) -> None:
        await tx.execute(text("UPDATE conversation SET title = 'Held', version = version + 1"))
        sending.extend(asyncio.ensure_future(scene.of(ANA).SendMessage(request)) for _ in range(2))
        await until_blocked(scene.service, *sending)

    await database.transact(hold)
    first, again = await asyncio.gather(*sending)
    assert first == again
    # What had changed before it stays so.
    assert (await scene.see(ANA, name)).title == "Held"
    assert (await scene.timeline(ANA, name)).count("Wait") == 1


async def test_what_is_done_while_a_message_is_written_is_not_undone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = (await scene.inquiry()).conversation.name
    database = scene.service.host.database
    write = database.command_if_current

    def meanwhile(done: Callable[[], Awaitable[Any]]) -> None:
        async def after_it(call: Call, single: Single[Any]) -> bool:
            monkeypatch.undo()
            await done()
            return await write(call, single)

        monkeypatch.setattr(database, "command_if_current", after_it)

    meanwhile(lambda: scene.of(OLGA).ArchiveConversation(methods.ArchiveConversationRequest(name=name)))
    await scene.say(OTTO, name, "He will order", kind=NOTE)
    assert await scene.names(OTTO, archived=True) == [name]
    assert (await scene.timeline(OTTO, name)).count("He will order") == 1

    meanwhile(lambda: scene.of(ANA).BlockParticipant(joining.BlockParticipantRequest(name=name)))
    request = pb.SendMessageRequest(parent=name, text="Will you?")
    assert (await refused(scene.of(OTTO).SendMessage(request))).reason == "PARTICIPANT_BLOCKED"
    assert "Will you?" not in await scene.timeline(OTTO, name)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.SendMessageRequest(parent="nonsense", text="Hello"), "VALIDATION_FAILED"),
        (pb.SendMessageRequest(text="Hello"), "VALIDATION_FAILED"),
        (pb.SendMessageRequest(parent="conversations/{c}", text=" \n"), "EMPTY_BODY"),
        (pb.SendMessageRequest(parent="conversations/{c}"), "EMPTY_BODY"),
        (pb.SendMessageRequest(parent="conversations/{c}", text="x" * 20_001), "VALIDATION_FAILED"),
        (pb.SendMessageRequest(parent="conversations/{c}", text="x", kind=99), "VALIDATION_FAILED"),  # type: ignore[arg-type]
        (pb.SendMessageRequest(parent="conversations/unknown", text="Hello"), "NOT_FOUND"),
        (pb.SendMessageRequest(parent="conversations/{c}", text="x", request_id="\n"), "VALIDATION_FAILED"),
    ],
)
async def test_bad_messages_write_nothing(scene: Scene, request_: pb.SendMessageRequest, reason: str) -> None:
    name = (await scene.inquiry()).conversation.name
    before = await rows(scene)
    request = pb.SendMessageRequest()
    request.CopyFrom(request_)
    request.parent = request.parent.replace("conversations/{c}", name)
    assert (await refused(scene.of(ANA).SendMessage(request))).reason == reason
    assert await rows(scene) == before


async def test_bad_reads_are_refused(scene: Scene) -> None:
    begun = await scene.inquiry()
    name, stub = begun.conversation.name, scene.of(ANA)
    other = (await scene.inquiry(by=BEN)).message.name
    cases = [
        (stub.GetConversation(pb.GetConversationRequest(name="orders/1")), "VALIDATION_FAILED"),
        (stub.ListConversations(pb.ListConversationsRequest(page_size=-1)), "VALIDATION_FAILED"),
        (stub.ListConversations(pb.ListConversationsRequest(page_token="rubbish")), "PAGE_TOKEN_INVALID"),
        (stub.ListConversations(pb.ListConversationsRequest(seller="sellers/acme")), "NOT_FOUND"),
        (stub.ListTimeline(pb.ListTimelineRequest(parent=name, page_size=1_001)), "VALIDATION_FAILED"),
        (stub.ListTimeline(pb.ListTimelineRequest(parent=name, order_by=9)), "VALIDATION_FAILED"),  # type: ignore[arg-type]
        (stub.MarkRead(pb.MarkReadRequest(name=name, message=other)), "NOT_FOUND"),
        (stub.MarkRead(pb.MarkReadRequest(name=name)), "VALIDATION_FAILED"),
        (
            stub.WatchConversation(
                pb.WatchConversationRequest(name=name, after_entry=f"{name}/timeline/unknown")
            ).read(),
            "NOT_FOUND",
        ),
        (
            stub.CreateInquiry(pb.CreateInquiryRequest(seller="sellers/acme", title="t", text="  ")),
            "EMPTY_BODY",
        ),
        (stub.CreateInquiry(pb.CreateInquiryRequest(seller="sellers/acme", text="x")), "VALIDATION_FAILED"),
    ]
    before = await rows(scene)
    for call, reason in cases:
        assert (await refused(call)).reason == reason
    assert await rows(scene) == before


async def test_a_team_does_not_write_to_itself(scene: Scene) -> None:
    both = Identity("users/otto", ("buyer", "seller:acme:owner"))
    request = pb.CreateInquiryRequest(seller="sellers/acme", title="Me", text="Hello me")
    assert (await refused(scene.of(both).CreateInquiry(request))).reason == "OWN_LISTING"


async def test_lists_are_the_callers_own_most_recent_first(scene: Scene) -> None:
    names = []
    for who in (ANA, BEN, ANA):
        scene.clock.advance(MINUTE)
        names.append((await scene.inquiry(by=who)).conversation.name)
    scene.clock.advance(MINUTE)
    await scene.say(OTTO, names[0], "An answer")
    mine = (await scene.of(ANA).ListConversations(pb.ListConversationsRequest())).conversations
    assert [found.name for found in mine] == [names[0], names[2]]
    found, token = [], ""
    while True:
        request = pb.ListConversationsRequest(seller="sellers/acme", page_size=1, page_token=token)
        page = await scene.of(OTTO).ListConversations(request)
        found += [each.name for each in page.conversations]
        token = page.next_page_token
        if not token:
            break
    assert found == [names[0], names[2], names[1]]


async def test_a_character_that_cannot_be_stored_is_refused(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    before = await rows(scene)
    request = pb.SendMessageRequest(parent=name, text="a\0b", request_id="nul")
    refusal = await refused(scene.of(ANA).SendMessage(request))
    assert (refusal.kind, refusal.reason) == (Kind.INVALID, "VALIDATION_FAILED")
    assert await rows(scene) == before
