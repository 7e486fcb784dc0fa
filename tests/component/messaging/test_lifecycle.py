"""Inquiries declined, conversations closed, opened again and put away: by whom, and who learns of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.kernel.refusal import Kind
from chassis.testing import operator, refused
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import conversation_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from tests.component.messaging.conftest import (
    ANA,
    OF_REQUEST,
    OLGA,
    OTTO,
    RIVAL,
    Scene,
    begin_request,
    rows,
)

DAY = timedelta(days=1)
OPEN, CLOSED = conversation_pb2.Conversation.STATE_OPEN, conversation_pb2.Conversation.STATE_CLOSED
BUDGET = conversation_pb2.Conversation.DECLINE_REASON_BUDGET


def decline(name: str, **fields: object) -> methods.DeclineInquiryRequest:
    return methods.DeclineInquiryRequest(name=name, reason=BUDGET, **fields)  # type: ignore[arg-type]


@pytest.mark.covers("V01", "V23")
async def test_an_inquiry_carries_its_marketplace_and_a_summary_beside_its_history(scene: Scene) -> None:
    asked = pb.CreateInquiryRequest(
        seller="sellers/acme",
        title="A logo",
        summary="An owl, two colours, by June.",
        text="Do you draw owls?",
        marketplace="craftfair",
        observer="observers/bosch",
    )
    begun = (await scene.of(ANA).CreateInquiry(asked)).conversation
    other = (await scene.inquiry()).conversation
    assert (begun.marketplace, begun.summary) == ("craftfair", "An owl, two colours, by June.")
    for who in (ANA, OLGA):
        seen = await scene.see(who, begun.name)
        assert (seen.title, seen.summary, seen.observer) == ("A logo", asked.summary, "observers/bosch")
        assert await scene.timeline(who, begun.name) == ["INQUIRY_STARTED", "Do you draw owls?"]
    await begin_request(scene)
    assert await scene.names(OTTO, topic=pb.CONVERSATION_TOPIC_INQUIRY) == [other.name, begun.name]
    assert await scene.names(OTTO, topic=pb.CONVERSATION_TOPIC_ORDER_REQUEST) == [OF_REQUEST]
    assert await scene.names(OTTO, topic=pb.CONVERSATION_TOPIC_ORDER) == []
    assert await scene.names(OTTO, marketplace="elsewhere") == []
    assert len(await scene.names(OTTO, marketplace="craftfair")) == 2
    refusal = await refused(
        scene.of(ANA).CreateInquiry(
            pb.CreateInquiryRequest(seller="sellers/acme", title="t", text="x", observer="users/bosch")
        )
    )
    assert refusal.reason == "VALIDATION_FAILED"


@pytest.mark.covers("V10")
async def test_declining_closes_an_inquiry_and_the_buyer_can_come_back(scene: Scene) -> None:
    begun = (await scene.inquiry()).conversation
    refusal = await refused(scene.of(ANA).DeclineInquiry(decline(begun.name)))
    assert (refusal.kind, refusal.reason) == (Kind.DENIED, "PERMISSION_DENIED")
    refusal = await refused(scene.of(OTTO).DeclineInquiry(decline(begun.name, etag="v1")))
    assert refusal.reason == "ETAG_MISMATCH"
    await begin_request(scene)
    refusal = await refused(scene.of(OTTO).DeclineInquiry(decline(OF_REQUEST)))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "NOT_AN_INQUIRY")
    refusal = await refused(scene.of(OTTO).DeclineInquiry(methods.DeclineInquiryRequest(name=begun.name)))
    assert refusal.reason == "VALIDATION_FAILED"

    scene.clock.advance(DAY)
    request = decline(begun.name, text="Too small for us.", etag=begun.etag, request_id="no-1")
    answer = (await scene.of(OLGA).DeclineInquiry(request)).conversation
    assert (await scene.of(OLGA).DeclineInquiry(request)).conversation == answer
    assert (answer.state, answer.decline_reason) == (CLOSED, BUDGET)
    assert "sendMessage" not in answer.allowed_actions
    assert (await scene.timeline(ANA, begun.name))[-2:] == ["Too small for us.", "INQUIRY_DECLINED"]
    seen = await scene.see(ANA, begun.name)
    assert (seen.decline_reason, seen.unread_count) == (BUDGET, 1)
    assert seen.reopen_deadline.seconds - seen.close_time.seconds == 30 * 86_400
    before = await rows(scene)
    refusal = await refused(scene.of(OTTO).DeclineInquiry(decline(begun.name, text="Again.")))
    assert refusal.reason == "TRANSITION_FORBIDDEN"
    refusal = await refused(scene.of(OTTO).SendMessage(pb.SendMessageRequest(parent=begun.name, text="Wait")))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "CONVERSATION_CLOSED")
    assert await rows(scene) == before

    scene.clock.advance(30 * DAY - timedelta(microseconds=1))
    assert "sendMessage" in (await scene.see(ANA, begun.name)).allowed_actions
    await scene.say(ANA, begun.name, "And with a larger budget?")
    assert (await scene.timeline(OTTO, begun.name))[-2:] == [
        "CONVERSATION_REOPENED",
        "And with a larger budget?",
    ]
    again = await scene.see(OTTO, begun.name)
    assert (again.state, again.decline_reason, again.HasField("close_time")) == (OPEN, 0, False)


async def test_who_closes_and_who_opens_again(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    close, reopen = methods.CloseConversationRequest(name=name), methods.ReopenConversationRequest(name=name)
    assert (await refused(scene.of(ANA).CloseConversation(close))).reason == "PERMISSION_DENIED"
    assert (await refused(scene.of(RIVAL).CloseConversation(close))).reason == "NOT_FOUND"
    await scene.of(OTTO).CloseConversation(close)
    before = await rows(scene)
    answer = (await scene.of(operator()).CloseConversation(close)).conversation
    assert await rows(scene) == before
    # The operator decides about it and does not read it.
    assert (answer.state, answer.title, answer.summary, list(answer.read_receipts)) == (CLOSED, "", "", [])
    assert (await scene.of(operator()).ReopenConversation(reopen)).conversation.state == OPEN
    assert (await refused(scene.of(ANA).ReopenConversation(reopen))).reason == "PERMISSION_DENIED"
    assert await scene.timeline(ANA, name) == [
        "INQUIRY_STARTED",
        "Do you draw owls?",
        "CONVERSATION_CLOSED",
        "CONVERSATION_REOPENED",
    ]
    await scene.of(OTTO).CloseConversation(close)
    assert await scene.names(ANA, state=CLOSED) == [name]
    assert await scene.names(ANA, state=OPEN) == []
    scene.clock.advance(30 * DAY)
    assert "sendMessage" not in (await scene.see(ANA, name)).allowed_actions
    refusal = await refused(scene.of(ANA).SendMessage(pb.SendMessageRequest(parent=name, text="Too late")))
    assert (refusal.reason, refusal.metadata["resource"]) == ("CONVERSATION_CLOSED", name)
    # Reading is possible in every state.
    assert len(await scene.timeline(ANA, name)) == 5


async def test_what_one_side_puts_away_the_other_does_not_learn(scene: Scene) -> None:
    begun = await scene.inquiry()
    name = begun.conversation.name
    seen = await scene.see(ANA, name)
    away = methods.ArchiveConversationRequest(name=name)
    assert (await scene.of(OTTO).ArchiveConversation(away)).conversation.archived
    await scene.of(OLGA).ArchiveConversation(away)
    assert (await scene.names(OTTO), await scene.names(OLGA, archived=True)) == ([], [name])
    assert (await scene.see(ANA, name), await scene.names(ANA)) == (seen, [name])
    await scene.of(OLGA).UnarchiveConversation(methods.UnarchiveConversationRequest(name=name))
    assert await scene.names(OTTO) == [name]

    await scene.of(OTTO).ArchiveConversation(away)
    await scene.of(ANA).ArchiveConversation(away)
    await scene.say(ANA, name, "Are you there?")
    assert (await scene.names(OTTO), await scene.names(ANA)) == ([name], [name])
    assert (await refused(scene.of(RIVAL).ArchiveConversation(away))).reason == "NOT_FOUND"
    assert (await refused(scene.of(operator()).ArchiveConversation(away))).reason == "NOT_FOUND"
