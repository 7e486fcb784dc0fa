"""The conversation, without any I/O."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind as RefusalKind
from chassis.kernel.refusal import Refusal
from services.messaging.domain import message as messages
from services.messaging.domain.conversation import (
    MACHINE,
    REOPENING,
    Conversation,
    DeclineReason,
    State,
)
from services.messaging.domain.inquiry import Question, inquire
from services.messaging.domain.message import Kind, Message
from services.messaging.domain.refusals import Reason
from services.messaging.domain.side import Seat, Side
from services.messaging.domain.timeline import message_entry

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BUYER = "users/ana"
COLLEAGUES = ("users/otto", "users/olga")


def inquiry(**changes: object) -> Conversation:
    begun = inquire(Question("sellers/acme", "Logo"), conversation_id="c1", buyer=BUYER, now=NOW)
    return replace(begun, **changes)  # type: ignore[arg-type]


def say(
    conversation: Conversation,
    *,
    actor: Actor = Actor.BUYER,
    author: str = BUYER,
    text: str = "Hello",
    kind: Kind = Kind.PUBLIC,
    number: int = 1,
) -> tuple[Conversation, Message]:
    changed, message, event = messages.send(
        conversation,
        seat=conversation.seat(actor, author),
        text=text,
        kind=kind,
        message_id=f"{number:04d}",
        now=NOW + timedelta(minutes=number),
    )
    assert event.conversation == changed
    assert changed.version == conversation.version + 1
    return changed, message


EITHER, EVERYBODY = tuple(State), (Actor.BUYER, Actor.SELLER, Actor.COPY)
PARTIES = (Actor.BUYER, Actor.SELLER)
EXPECTED = {
    *product(["sendMessage"], [State.OPEN], EVERYBODY),
    *product(["markRead", "archive", "unarchive", "removeParticipant"], EITHER, EVERYBODY),
    *product(["addParticipant", "block", "unblock"], EITHER, PARTIES),
    *product(["forward", "revealPhone"], EITHER, [Actor.SELLER]),
    *product(["leaveFeedback"], EITHER, [Actor.BUYER]),
    *product(["close"], [State.CLOSED], [Actor.SELLER, Actor.OPERATOR]),
    *product(["reopen"], [State.OPEN], [Actor.SELLER, Actor.OPERATOR]),
}
MOVES = {
    ("sendMessage", State.CLOSED, Actor.BUYER): State.OPEN,
    ("decline", State.OPEN, Actor.SELLER): State.CLOSED,
    ("close", State.OPEN, Actor.SELLER): State.CLOSED,
    ("close", State.OPEN, Actor.OPERATOR): State.CLOSED,
    ("reopen", State.CLOSED, Actor.SELLER): State.OPEN,
    ("reopen", State.CLOSED, Actor.OPERATOR): State.OPEN,
}
MAY = {(event, actor) for event, _, actor in (*EXPECTED, *MOVES)}


@pytest.mark.parametrize(("event", "state", "actor"), list(product(MACHINE.events, State, Actor)), ids=str)
def test_every_cell_of_the_machine(event: str, state: State, actor: Actor) -> None:
    if (event, state, actor) in EXPECTED or (event, state, actor) in MOVES:
        assert MACHINE.move(state, event, actor) is MOVES.get((event, state, actor), state)
        return
    with pytest.raises(Refusal) as refused:
        MACHINE.move(state, event, actor, name="conversations/c1")
    kind = RefusalKind.PRECONDITION if (event, actor) in MAY else RefusalKind.DENIED
    assert refused.value.kind is kind


@pytest.mark.parametrize("text", ["", "   ", "\n\t "])
def test_a_message_needs_text(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        say(inquiry(), text=text)
    assert refused.value.reason == Reason.EMPTY_BODY


def test_a_closed_conversation_takes_no_message_of_the_seller() -> None:
    with pytest.raises(Refusal) as refused:
        say(inquiry(state=State.CLOSED, close_time=NOW), actor=Actor.SELLER)
    assert refused.value.reason == Reason.CONVERSATION_CLOSED


@pytest.mark.parametrize(("seconds", "opens"), [(-1, True), (0, False), (1, False)])
def test_the_buyer_opens_it_again_within_thirty_days(seconds: int, opens: bool) -> None:
    # The message comes one minute after NOW.
    closed = NOW + timedelta(minutes=1) - REOPENING - timedelta(seconds=seconds)
    found = inquiry(state=State.CLOSED, close_time=closed, decline_reason=DeclineReason.BUDGET)
    if not opens:
        with pytest.raises(Refusal) as refused:
            say(found)
        assert refused.value.reason == Reason.CONVERSATION_CLOSED
        return
    changed, _ = say(found)
    assert (changed.state, changed.close_time, changed.decline_reason) == (State.OPEN, None, None)


def test_internal_notes_are_for_the_team() -> None:
    with pytest.raises(Refusal) as refused:
        say(inquiry(), kind=Kind.INTERNAL_NOTE)
    assert refused.value.reason == Reason.INTERNAL_NOTE_FORBIDDEN
    changed, note = say(inquiry(), actor=Actor.SELLER, author=COLLEAGUES[0], kind=Kind.INTERNAL_NOTE)
    assert changed.unread == {Side.BUYER: 0, Side.SELLER: 0}
    entry = message_entry(note)
    assert entry.visible_to(Seat(Actor.SELLER, COLLEAGUES[1], Side.SELLER))
    for actor, side in ((Actor.BUYER, Side.BUYER), (Actor.COPY, Side.SELLER), (Actor.OPERATOR, Side.SYSTEM)):
        assert not entry.visible_to(Seat(actor, "users/x", side))


def test_a_public_message_is_unread_by_the_other_side() -> None:
    changed, message = say(inquiry())
    assert changed.unread == {Side.BUYER: 0, Side.SELLER: 1}
    assert message.read_time is None


@given(st.lists(st.tuples(st.integers(1, 20), st.sampled_from(COLLEAGUES)), min_size=1, max_size=20))
def test_receipts_never_go_back_and_repeating_changes_nothing(readings: list[tuple[int, str]]) -> None:
    conversation, sent = inquiry(), []
    for number in range(1, 21):
        conversation, message = say(conversation, number=number)
        sent.append(message)
    furthest = 0
    for number, reader in readings:
        before = conversation.receipt_of(reader)
        changed, event = messages.mark_read(
            conversation,
            seat=conversation.seat(Actor.SELLER, reader),
            upto=sent[number - 1],
            still_unread=20 - number,
            now=NOW + timedelta(hours=1),
        )
        after = changed.receipt_of(reader)
        assert after is not None
        if before is not None and before.position >= sent[number - 1].position:
            assert (changed, event) == (conversation, None)
        else:
            assert event is not None
            assert after.message_id == sent[number - 1].id
        furthest = max(furthest, number)
        # What one of the team has read, the team has read.
        assert changed.unread[Side.SELLER] == 20 - furthest
        conversation = changed
