"""A conversation: who takes part, what was said, up to where each side has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from chassis.kernel.machine import Actor, Machine, Transition
from services.messaging.domain import events, refusals


class State(StrEnum):
    """Whether messages are taken."""

    OPEN = "open"
    CLOSED = "closed"


class Side(StrEnum):
    """A side of a conversation."""

    BUYER = "buyer"
    SELLER = "seller"
    SYSTEM = "system"


class Kind(StrEnum):
    """Who may read a message."""

    PUBLIC = "public"
    INTERNAL_NOTE = "internal_note"


PARTIES = (Actor.BUYER, Actor.SELLER)
MACHINE: Machine[State] = Machine(
    "conversation",
    (
        Transition((State.OPEN,), "sendMessage", PARTIES),
        Transition((State.OPEN, State.CLOSED), "markRead", PARTIES),
    ),
)
"""Closing and reopening have no method yet; reading is possible in every state."""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a participant wrote. `read_time` is when the other side first read it."""

    conversation: str
    id: str
    author: str
    side: Side
    kind: Kind
    text: str
    create_time: datetime
    read_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.conversation}/messages/{self.id}"

    @property
    def position(self) -> tuple[datetime, str]:
        """Where it stands among the messages of its conversation."""
        return self.create_time, self.id


@dataclass(frozen=True, slots=True)
class ReadReceipt:
    """Up to where one participant has read; `message_time` orders messages together with `message_id`."""

    user: str
    side: Side
    message_id: str
    message_time: datetime
    read_time: datetime

    @property
    def position(self) -> tuple[datetime, str]:
        """The newest message that was read."""
        return self.message_time, self.message_id


@dataclass(frozen=True, slots=True)
class Conversation:
    """The thread about one `subject` (an order request or an order; empty for an inquiry).

    `unread` counts, for each side, the public messages of the other that it has not read.
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
    marketplace: str = ""
    unread: Mapping[Side, int] = field(default_factory=lambda: {Side.BUYER: 0, Side.SELLER: 0})
    receipts: tuple[ReadReceipt, ...] = ()
    version: int = 1

    def receipt_of(self, user: str) -> ReadReceipt | None:
        """Up to where `user` has read; None before he read anything."""
        return next((receipt for receipt in self.receipts if receipt.user == user), None)


def side_of(actor: Actor) -> Side:
    """The side on which an actor stands."""
    return {Actor.BUYER: Side.BUYER, Actor.SELLER: Side.SELLER}.get(actor, Side.SYSTEM)


def other(side: Side) -> Side:
    """The side across the table."""
    return Side.SELLER if side is Side.BUYER else Side.BUYER


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


def inquire(
    *, conversation_id: str, seller: str, buyer: str, title: str, marketplace: str, now: datetime
) -> Conversation:
    """A conversation that a buyer begins before any request or order."""
    return Conversation(
        name=f"conversations/{conversation_id}",
        subject="",
        origin="",
        seller=seller,
        buyer=buyer,
        title=title,
        marketplace=marketplace,
        create_time=now,
        update_time=now,
        last_entry_time=now,
    )


def send(
    conversation: Conversation,
    *,
    actor: Actor,
    author: str,
    text: str,
    kind: Kind,
    message_id: str,
    now: datetime,
) -> tuple[Conversation, Message, events.MessageSent]:
    """Says something. A public message is unread by the other side.

    Refusals: INTERNAL_NOTE_FORBIDDEN, CONVERSATION_CLOSED, EMPTY_BODY, TRANSITION_FORBIDDEN.
    """
    side = side_of(actor)
    if kind is Kind.INTERNAL_NOTE and side is not Side.SELLER:
        raise refusals.internal_note_forbidden(conversation.name)
    if conversation.state is State.CLOSED:
        raise refusals.conversation_closed(conversation.name)
    MACHINE.move(conversation.state, "sendMessage", actor, name=conversation.name)
    if not text.strip():
        raise refusals.empty_body("text")
    message = Message(conversation.name, message_id, author, side, kind, text, now)
    unread, shown_time = dict(conversation.unread), conversation.last_entry_time
    if kind is Kind.PUBLIC:
        unread[other(side)] += 1
        shown_time = max(now, shown_time)
    changed = replace(
        conversation,
        unread=unread,
        version=conversation.version + 1,
        update_time=now,
        last_entry_time=shown_time,
    )
    return changed, message, events.MessageSent(changed, message)


def mark_read(
    conversation: Conversation,
    *,
    actor: Actor,
    reader: str,
    upto: Message,
    still_unread: int,
    now: datetime,
) -> tuple[Conversation, events.MessagesRead | None]:
    """Moves the reader's receipt forward to `upto`; it never goes back, and repeating changes nothing.

    `still_unread` is how many public messages of the other side stand after `upto`.
    """
    MACHINE.move(conversation.state, "markRead", actor, name=conversation.name)
    before = conversation.receipt_of(reader)
    if before is not None and before.position >= upto.position:
        return conversation, None
    side = side_of(actor)
    receipt = ReadReceipt(reader, side, upto.id, upto.create_time, now)
    others = tuple(held for held in conversation.receipts if held.user != reader)
    # A colleague may have read further: what the team has read is what any of them has read.
    furthest = max(held.position for held in (*others, receipt) if held.side is side)
    unread = dict(conversation.unread)
    if furthest == receipt.position:
        unread[side] = still_unread
    changed = replace(
        conversation,
        receipts=(*others, receipt),
        unread=unread,
        version=conversation.version + 1,
        update_time=now,
    )
    return changed, events.MessagesRead(changed, receipt)
