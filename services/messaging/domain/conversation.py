"""A conversation: who takes part, and whether messages are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import ActionState, Actor, Machine, Transition
from services.messaging.domain import events
from services.messaging.domain.receipt import ReadReceipt
from services.messaging.domain.side import Seat, Side, side_of

REOPENING: Final = timedelta(days=30)
"""How long after its closing a conversation is opened again by a message of the buyer."""


class State(StrEnum):
    """Whether messages are taken."""

    OPEN = "open"
    CLOSED = "closed"


class DeclineReason(StrEnum):
    """Why an inquiry was declined; the names of the wire's without the prefix."""

    NO_CAPACITY = "NO_CAPACITY"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    UNCLEAR_NEEDS = "UNCLEAR_NEEDS"
    BUDGET = "BUDGET"
    DEADLINE = "DEADLINE"
    POLICY = "POLICY"
    OTHER = "OTHER"


COPIES_LIMIT: Final = 20
"""How many people can be in copy."""

PARTIES = (Actor.BUYER, Actor.SELLER)
PARTICIPANTS = (*PARTIES, Actor.COPY)
CLOSERS = (Actor.SELLER, Actor.OPERATOR)
EITHER = (State.OPEN, State.CLOSED)
MACHINE: Machine[State] = Machine(
    "conversation",
    (
        Transition((State.OPEN,), "sendMessage", PARTICIPANTS),
        # Within `REOPENING` only.
        Transition((State.CLOSED,), "sendMessage", (Actor.BUYER,), State.OPEN),
        Transition(EITHER, "markRead", PARTICIPANTS),
        Transition((State.OPEN,), "decline", (Actor.SELLER,), State.CLOSED),
        Transition(EITHER, "close", CLOSERS, State.CLOSED),
        Transition(EITHER, "reopen", CLOSERS, State.OPEN),
        Transition(EITHER, "archive", PARTICIPANTS),
        Transition(EITHER, "unarchive", PARTICIPANTS),
        Transition(EITHER, "addParticipant", PARTIES),
        Transition(EITHER, "removeParticipant", PARTICIPANTS),
        Transition(EITHER, "forward", (Actor.SELLER,)),
        Transition(EITHER, "revealPhone", (Actor.SELLER,)),
        Transition(EITHER, "leaveFeedback", (Actor.BUYER,)),
        Transition(EITHER, "block", PARTIES),
        Transition(EITHER, "unblock", PARTIES),
    ),
)
"""Reading is possible in every state."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A grant: `user` reads what is public, on the side that granted it, and may answer.

    `since` is None where the history was shared with him.
    """

    user: str
    side: Side
    granted_by: str
    grant_time: datetime
    since: datetime | None
    unread: int = 0
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the buyer says of how he was served; `rating` from 1 to 5."""

    rating: int
    text: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """The thread about one `subject` (an order request or an order; empty for an inquiry).

    `unread` counts, for each side, the public messages of the other that it has not read. `archived` holds
    the sides that have put it away. `close_time` is None while it is open. `copies` are the grants that hold
    now. `blocks` are the sides that have blocked the other one, here or in another conversation of the two.
    `has_phone`: the buyer has left a phone number in his profile. `bounced` are the buyer and people in copy
    whose e-mail addresses have bounced, and `names` is what those of them are called who have chosen a name.
    """

    name: str
    subject: str
    origin: str
    seller: str
    buyer: str
    create_time: datetime
    update_time: datetime
    last_entry_time: datetime
    state: State = State.OPEN
    title: str = ""
    summary: str = ""
    marketplace: str = ""
    observer: str = ""
    unread: Mapping[Side, int] = field(default_factory=lambda: {Side.BUYER: 0, Side.SELLER: 0})
    receipts: tuple[ReadReceipt, ...] = ()
    archived: frozenset[Side] = frozenset()
    close_time: datetime | None = None
    decline_reason: DeclineReason | None = None
    copies: tuple[Copy, ...] = ()
    blocks: frozenset[Side] = frozenset()
    has_phone: bool = False
    bounced: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    feedback: Feedback | None = None
    version: int = 1

    @property
    def reopen_deadline(self) -> datetime | None:
        """Until when, exclusively, a message of the buyer opens it again; None while it is open."""
        return None if self.close_time is None else self.close_time + REOPENING

    @property
    def copied(self) -> tuple[str, ...]:
        """Who is in copy."""
        return tuple(copy.user for copy in self.copies)

    def copy_of(self, user: str) -> Copy | None:
        """The grant of `user`; None where he is not in copy."""
        return next((copy for copy in self.copies if copy.user == user), None)

    def seat(self, actor: Actor, user: str) -> Seat:
        """The place of `user`, who takes part as `actor`."""
        copy = self.copy_of(user) if actor is Actor.COPY else None
        if copy is not None:
            return Seat(actor, user, copy.side, copy.since)
        return Seat(actor, user, side_of(actor))

    def receipt_of(self, user: str) -> ReadReceipt | None:
        """Up to where `user` has read; None before he read anything."""
        return next((receipt for receipt in self.receipts if receipt.user == user), None)

    def takes_messages(self, actor: Actor, now: datetime) -> bool:
        """Whether `actor` may write now."""
        if self.reopen_deadline is not None and now >= self.reopen_deadline:
            return False
        return MACHINE.can(self.state, "sendMessage", actor)


def actions(conversation: Conversation, *, actor: Actor, now: datetime) -> tuple[ActionState, ...]:
    """Every action that `actor` can ever take, with the reason for each that is missing now."""
    found = []
    for each in MACHINE.explain(conversation.state, actor):
        reason = each.reason
        if each.action == "sendMessage" and not conversation.takes_messages(actor, now):
            reason = "CONVERSATION_CLOSED"
        elif each.action == "sendMessage" and conversation.blocks:
            reason = "PARTICIPANT_BLOCKED"
        elif each.action == "revealPhone" and not conversation.has_phone:
            reason = "NO_PHONE"
        elif each.action == "leaveFeedback" and conversation.feedback is not None:
            reason = "FEEDBACK_EXISTS"
        elif each.action == "decline" and conversation.subject:
            reason = "NOT_AN_INQUIRY"
        found.append(ActionState(each.action, not reason, reason))
    return tuple(found)


def about(*, subject: str, origin: str, seller: str, buyer: str, now: datetime) -> Conversation:
    """The conversation about an order request or an order; its id is the subject's."""
    return Conversation(
        name=f"conversations/{subject.rpartition('/')[2]}",
        subject=subject,
        origin=origin,
        seller=seller,
        buyer=buyer,
        create_time=now,
        update_time=now,
        last_entry_time=now,
    )


def started(conversation: Conversation) -> events.ConversationStarted:
    """The event that tells of a new conversation."""
    return events.ConversationStarted(conversation)
