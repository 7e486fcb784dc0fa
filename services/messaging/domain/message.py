"""What was said: sending and reading messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.kernel.machine import Actor
from services.messaging.domain import events, refusals
from services.messaging.domain.conversation import MACHINE, Conversation, State
from services.messaging.domain.lifecycle import reopened
from services.messaging.domain.receipt import ReadReceipt
from services.messaging.domain.side import Side, other, side_of


class Kind(StrEnum):
    """Who may read a message."""

    PUBLIC = "public"
    INTERNAL_NOTE = "internal_note"


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
    """Says something. A public message is unread by the other side, and brings the conversation back to who
    has put it away; the buyer's opens it again.

    Refusals: INTERNAL_NOTE_FORBIDDEN, CONVERSATION_CLOSED, EMPTY_BODY, TRANSITION_FORBIDDEN.
    """
    side = side_of(actor)
    if kind is Kind.INTERNAL_NOTE and side is not Side.SELLER:
        raise refusals.internal_note_forbidden(conversation.name)
    if conversation.state is State.CLOSED and not conversation.takes_messages(actor, now):
        raise refusals.conversation_closed(conversation.name)
    state = MACHINE.move(conversation.state, "sendMessage", actor, name=conversation.name)
    if state is not conversation.state:
        conversation = replace(reopened(conversation, now=now), version=conversation.version)
    if not text.strip():
        raise refusals.empty_body("text")
    message = Message(conversation.name, message_id, author, side, kind, text, now)
    unread, shown_time = dict(conversation.unread), conversation.last_entry_time
    archived = conversation.archived - {side}
    if kind is Kind.PUBLIC:
        archived = frozenset()
        unread[other(side)] += 1
        shown_time = max(now, shown_time)
    changed = replace(
        conversation,
        unread=unread,
        archived=archived,
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
