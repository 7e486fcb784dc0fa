"""The buyer's phone number, his feedback, and the rating that comes of what happened."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from chassis.kernel.refusal import Kind
from chassis.testing import observer, operator, refused
from parley.gating.v1 import events_pb2 as gating_events
from parley.messaging.v1 import (
    contact_methods_pb2,
    conversation_methods_pb2,
    conversation_pb2,
    feedback_pb2,
    profile_pb2,
)
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import participant_methods_pb2 as joining
from tests.component.messaging.conftest import (
    ANA,
    BEN,
    OLGA,
    OTTO,
    RIVAL,
    Scene,
    request_facts,
    rows,
)
from tests.component.messaging.test_participants import CARL, add

DAY = timedelta(days=1)
PHONE = "+41446681800"
KINDS, EXCLUSIONS = feedback_pb2.RatingEntry.Kind, feedback_pb2.RatingEntry.Exclusion


def reveal(name: str, **fields: str) -> contact_methods_pb2.RevealPhoneRequest:
    return contact_methods_pb2.RevealPhoneRequest(name=name, **fields)


def feedback(name: str, rating: int = 4, **fields: str) -> feedback_pb2.LeaveFeedbackRequest:
    return feedback_pb2.LeaveFeedbackRequest(name=name, rating=rating, **fields)


@pytest.mark.covers("V04", "V12", "V13")
async def test_the_phone_number_is_behind_a_click_and_each_click_is_recorded(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    refusal = await refused(scene.of(OTTO).RevealPhone(reveal(name)))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "NO_PHONE")
    assert not (await scene.see(OTTO, name)).phone_available
    profile = profile_pb2.Profile(name="users/ana/profile", phone=PHONE)
    await scene.of(ANA).UpdateProfile(profile_pb2.UpdateProfileRequest(profile=profile))
    # The seller chooses: to write, or to call.
    seen = await scene.see(OTTO, name)
    assert seen.phone_available
    assert {"sendMessage", "revealPhone"} <= set(seen.allowed_actions)
    await add(scene, OTTO, name, "users/carl", history=True)
    before = await rows(scene)
    for who, reason in (
        (ANA, "PERMISSION_DENIED"),
        (CARL, "PERMISSION_DENIED"),
        (BEN, "NOT_FOUND"),
        (RIVAL, "NOT_FOUND"),
        (operator(), "NOT_FOUND"),
        (observer("bosch"), "NOT_FOUND"),
    ):
        assert (await refused(scene.of(who).RevealPhone(reveal(name)))).reason == reason
    assert await rows(scene) == before
    for who in (OTTO, OLGA, OLGA):
        scene.clock.advance(DAY)
        assert (await scene.of(who).RevealPhone(reveal(name))).phone == PHONE
    once = reveal(name, request_id="call-1")
    assert (await scene.of(OTTO).RevealPhone(once)) == (await scene.of(OTTO).RevealPhone(once))
    await scene.say(OTTO, name, "I have called.")
    entries = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=name))).entries
    shown = [entry.event.resource for entry in entries if entry.event.type == 97]
    assert shown == ["users/otto", "users/olga", "users/olga", "users/otto"]
    # Nowhere else: no answer to anybody, and no event.
    for who in (ANA, OTTO, CARL):
        answers = [str(await scene.see(who, name)), str(entries)]
        assert PHONE not in "".join(answers)
        assert (await scene.see(who, name)).phone_available == (who is OTTO)
    bodies = await scene.service.host.database.read(
        lambda tx: tx.fetch_all(text("SELECT type, body FROM outbox"))
    )
    assert sum("PhoneRevealed" in row.type for row in bodies) == 4
    assert not any(PHONE.encode() in row.body for row in bodies)


@pytest.mark.covers("V08")
async def test_feedback_is_left_once_and_seen_by_the_seller(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    await add(scene, OTTO, name, "users/carl", history=True)
    for rating in (-1, 0, 6):
        refusal = await refused(scene.of(ANA).LeaveFeedback(feedback(name, rating)))
        assert refusal.reason == "VALIDATION_FAILED"
    for who, reason in (
        (OTTO, "PERMISSION_DENIED"),
        (CARL, "PERMISSION_DENIED"),
        (BEN, "NOT_FOUND"),
        (RIVAL, "NOT_FOUND"),
        (operator(), "NOT_FOUND"),
    ):
        assert (await refused(scene.of(who).LeaveFeedback(feedback(name)))).reason == reason
    await scene.of(ANA).LeaveFeedback(feedback(name, 4, text="canary: quick", request_id="f-1"))
    again = await scene.of(ANA).LeaveFeedback(feedback(name, 4, text="canary: quick", request_id="f-1"))
    assert "leaveFeedback" not in again.conversation.allowed_actions
    refusal = await refused(scene.of(ANA).LeaveFeedback(feedback(name, 1)))
    assert (refusal.kind, refusal.reason) == (Kind.EXISTS, "FEEDBACK_EXISTS")
    seen = (await scene.see(OLGA, name)).feedback
    assert (seen.rating, seen.text) == (4, "canary: quick")
    assert not (await scene.see(CARL, name)).HasField("feedback")
    assert (await scene.timeline(OTTO, name))[-1] == "FEEDBACK_LEFT"
    bodies = await scene.service.host.database.read(
        lambda tx: tx.fetch_all(text("SELECT type, body FROM outbox"))
    )
    assert not any(b"canary" in row.body for row in bodies)


async def rating(scene: Scene) -> feedback_pb2.SellerRating:
    request = feedback_pb2.GetSellerRatingRequest(name="sellers/acme/rating")
    answer: feedback_pb2.GetSellerRatingResponse = await scene.of(OTTO).GetSellerRating(request)
    return answer.rating


async def end_request(scene: Scene, number: int, event: type, **changes: object) -> str:
    """A request of acme ends; its name."""
    facts = request_facts(2)
    facts.name = f"orderRequests/0190a000-0000-7000-8000-{number:012}"
    for field, value in changes.items():
        setattr(facts, field, value)
    if event is gating_events.OrderRequestInformationAsked:
        facts.first_response_time.FromDatetime(scene.clock.now().replace(tzinfo=None))
        event = gating_events.OrderRequestExpired
    record = await scene.others.publish(
        event(order_request=facts), aggregate=facts.name, version=2, time=scene.clock.now()
    )
    await scene.others.again(record, as_new_message=True)
    scene.clock.advance(DAY)
    return facts.name


@pytest.mark.covers("V08", "V10")
async def test_only_feedback_and_unanswered_requests_move_the_rating(scene: Scene) -> None:
    names = [(await scene.inquiry(by=who)).conversation.name for who in (ANA, BEN, ANA)]
    reason = conversation_pb2.Conversation.DECLINE_REASON_NO_CAPACITY
    for name in names[1:]:
        request = conversation_methods_pb2.DeclineInquiryRequest(name=name, reason=reason)
        await scene.of(OTTO).DeclineInquiry(request)
    await end_request(scene, 1, gating_events.OrderRequestDeclined)
    await end_request(scene, 2, gating_events.OrderRequestClosed)
    await end_request(scene, 3, gating_events.OrderRequestExpired, arrived_while_unavailable=True)
    await end_request(scene, 4, gating_events.OrderRequestInformationAsked)
    await scene.service.settle()
    untouched = await rating(scene)
    assert (untouched.sample_size, untouched.HasField("score_hundredths")) == (0, False)
    assert {each.reason: each.count for each in untouched.exclusions} == {1: 3, 2: 1, 3: 1, 4: 1}

    unanswered = await end_request(scene, 5, gating_events.OrderRequestExpired)
    await scene.of(ANA).LeaveFeedback(feedback(names[0], 5))
    await scene.of(BEN).LeaveFeedback(feedback(names[1], 4))
    await scene.service.settle()
    found = await rating(scene)
    assert (found.sample_size, found.feedback_count, found.unanswered_count) == (3, 2, 1)
    assert found.score_hundredths == (5 + 4 + 1) * 100 // 3

    # Every number links to its events.
    entries, token = [], ""
    while True:
        page = await scene.of(OLGA).ListRatingEntries(
            feedback_pb2.ListRatingEntriesRequest(parent="sellers/acme/rating", page_size=2, page_token=token)
        )
        entries += page.entries
        token = page.next_page_token
        if not token:
            break
    assert sum(entry.score for entry in entries) == 10
    assert [entry.score for entry in entries if entry.resource == unanswered] == [1]
    assert len(entries) == found.sample_size + sum(each.count for each in found.exclusions)
    ids = await scene.service.host.database.read(
        lambda tx: tx.fetch_all(text("SELECT event_id::text AS id FROM inbox"))
    )
    assert {entry.name.rpartition("/")[2] for entry in entries} <= {row.id for row in ids}
    scene.clock.advance(timedelta(days=366))
    assert (await rating(scene)).sample_size == 0
    for who in (ANA, RIVAL, observer("bosch")):
        asked = feedback_pb2.GetSellerRatingRequest(name="sellers/acme/rating")
        assert (await refused(scene.of(who).GetSellerRating(asked))).reason == "NOT_FOUND"
        listing = feedback_pb2.ListRatingEntriesRequest(parent="sellers/acme/rating")
        assert (await refused(scene.of(who).ListRatingEntries(listing))).reason == "NOT_FOUND"


@pytest.mark.covers("V43")
async def test_each_role_does_what_is_its_own(scene: Scene) -> None:
    asked = pb.CreateInquiryRequest(
        seller="sellers/acme", title="A logo", text="Hello", observer="observers/bosch"
    )
    name = (await scene.of(ANA).CreateInquiry(asked)).conversation.name
    await scene.of(OTTO).AddParticipant(joining.AddParticipantRequest(name=name, user="users/carl"))
    allowed = {who: set((await scene.see(who, name)).allowed_actions) for who in (ANA, OTTO, CARL)}
    everybody = {"sendMessage", "markRead", "archive", "unarchive", "removeParticipant"}
    assert allowed[CARL] == everybody
    assert allowed[ANA] == everybody | {"addParticipant", "block", "unblock", "leaveFeedback"}
    assert allowed[OTTO] == everybody | {
        "addParticipant", "block", "unblock", "decline", "close", "reopen", "forward",
    }  # fmt: skip
    closing = conversation_methods_pb2.CloseConversationRequest(name=name)
    answer = (await scene.of(operator()).CloseConversation(closing)).conversation
    assert set(answer.allowed_actions) == {"close", "reopen"}
    assert not list(answer.participants)
