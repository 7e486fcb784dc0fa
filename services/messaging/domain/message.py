"""What was said: sending and reading messages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.kernel.machine import Actor
from services.messaging.domain import events, refusals
from services.messaging.domain.attachment import Attachment
from services.messaging.domain.conversation import MACHINE, Conversation, State
from services.messaging.domain.lifecycle import reopened
from services.messaging.domain.receipt import ReadReceipt
from services.messaging.domain.side import Seat, Side, other
from services.messaging.domain.translation import Translation


class Kind(StrEnum):
    """Who may read a message."""

    PUBLIC = "public"
    INTERNAL_NOTE = "internal_note"


class Channel(StrEnum):
    """By which way a message came."""

    INTERFACE = "interface"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Message:
    """Something that a participant wrote. `read_time` is when the other side first read it; `recipients` are
    those to whom it went at that moment. `language` is known, and there are `translations`, once somebody
    asked for one. `copy_to_author`: he gets one as a proof; not stored. `erase_time` is when its text was
    erased.
    `bounced` are those of the recipients whom no mail told of it, `bounced_members` the same of the seller's
    team, where the team reads it.
    """

    conversation: str
    id: str
    author: str
    side: Side
    kind: Kind
    text: str
    create_time: datetime
    read_time: datetime | None = None
    recipients: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    language: str = ""
    translations: tuple[Translation, ...] = ()
    channel: Channel = Channel.INTERFACE
    copy_to_author: bool = True
    erase_time: datetime | None = None
    bounced: tuple[str, ...] = ()
    bounced_members: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The resource name."""
        return f"{self.conversation}/messages/{self.id}"

    @property
    def tells_team(self) -> bool:
        """Whether the seller's team is told of it."""
        return self.kind is Kind.PUBLIC and self.side is Side.BUYER

    @property
    def position(self) -> tuple[datetime, str]:
        """Where it stands among the messages of its conversation."""
        return self.create_time, self.id


def send(
    conversation: Conversation,
    *,
    seat: Seat,
    text: str,
    kind: Kind,
    message_id: str,
    now: datetime,
    attachments: tuple[Attachment, ...] = (),
    channel: Channel = Channel.INTERFACE,
    copy_to_author: bool = True,
) -> tuple[Conversation, Message, events.MessageSent]:
    """Says something. A public message is unread by everybody else, and brings the conversation back to who
    has put it away; the buyer's opens it again, unless it came by mail, which changes no state.

    Refusals: INTERNAL_NOTE_FORBIDDEN, CONVERSATION_CLOSED, PARTICIPANT_BLOCKED, EMPTY_BODY.
    """
    is_empty = not text.strip() and not attachments
    state = admitted(conversation, seat=seat, kind=kind, channel=channel, is_empty=is_empty, now=now)
    if state is not conversation.state:
        conversation = replace(reopened(conversation, now=now), version=conversation.version)
    to = recipients(conversation, seat=seat, kind=kind)
    message = Message(
        conversation=conversation.name,
        id=message_id,
        author=seat.user,
        side=seat.side,
        kind=kind,
        text=text,
        create_time=now,
        recipients=to,
        bounced=tuple(name for name in to if name in conversation.bounced),
        attachments=attachments,
        channel=channel,
        copy_to_author=copy_to_author,
    )
    changed = replace(conversation, version=conversation.version + 1, update_time=now)
    if kind is Kind.PUBLIC:
        changed = _told(changed, seat=seat, now=now)
    return changed, message, events.MessageSent(changed, message)


def admitted(
    conversation: Conversation, *, seat: Seat, kind: Kind, channel: Channel, is_empty: bool, now: datetime
) -> State:
    """The state of the conversation once a message is sent. Refusals: those of `send`."""
    if kind is Kind.INTERNAL_NOTE and not seat.in_team:
        raise refusals.internal_note_forbidden(conversation.name)
    reopens = channel is Channel.INTERFACE and conversation.takes_messages(seat.actor, now)
    if conversation.state is State.CLOSED and not reopens:
        raise refusals.conversation_closed(conversation.name)
    if conversation.blocks and kind is Kind.PUBLIC:
        raise refusals.participant_blocked(conversation.name)
    state = MACHINE.move(conversation.state, "sendMessage", seat.actor, name=conversation.name)
    if is_empty:
        raise refusals.empty_body("text")
    return state


def recipients(conversation: Conversation, *, seat: Seat, kind: Kind) -> tuple[str, ...]:
    """To whom a message goes: everybody who takes part, except its author."""
    if kind is Kind.INTERNAL_NOTE:
        return (conversation.seller,)
    own = {Actor.BUYER: conversation.buyer, Actor.SELLER: conversation.seller}.get(seat.actor, seat.user)
    everybody = (conversation.buyer, conversation.seller, *conversation.copied)
    return tuple(name for name in everybody if name != own)


def _told(conversation: Conversation, *, seat: Seat, now: datetime) -> Conversation:
    """The conversation after something public was said in it."""
    unread = dict(conversation.unread)
    unread[other(seat.side)] += 1
    copies = tuple(
        copy if copy.user == seat.user else replace(copy, unread=copy.unread + 1, archived=False)
        for copy in conversation.copies
    )
    return replace(
        conversation,
        unread=unread,
        copies=copies,
        archived=frozenset(),
        last_entry_time=max(now, conversation.last_entry_time),
    )


def mark_read(
    conversation: Conversation, *, seat: Seat, upto: Message, still_unread: int, now: datetime
) -> tuple[Conversation, events.MessagesRead | None]:
    """Moves the reader's receipt forward to `upto`; it never goes back, and repeating changes nothing.

    `still_unread` is how many public messages of others stand after `upto`.
    """
    MACHINE.move(conversation.state, "markRead", seat.actor, name=conversation.name)
    before = conversation.receipt_of(seat.user)
    if before is not None and before.position >= upto.position:
        return conversation, None
    receipt = ReadReceipt(seat.user, seat.side, upto.id, upto.create_time, now, seat.in_copy)
    others = tuple(held for held in conversation.receipts if held.user != seat.user)
    unread, copies = dict(conversation.unread), conversation.copies
    if seat.in_copy:
        copies = tuple(
            replace(copy, unread=still_unread) if copy.user == seat.user else copy for copy in copies
        )
    else:
        # A colleague may have read further: what the team has read is what any of them has read.
        of_side = [held for held in (*others, receipt) if held.side is seat.side and not held.in_copy]
        if max(held.position for held in of_side) == receipt.position:
            unread[seat.side] = still_unread
    changed = replace(
        conversation,
        receipts=(*others, receipt),
        unread=unread,
        copies=copies,
        version=conversation.version + 1,
        update_time=now,
    )
    return changed, events.MessagesRead(changed, receipt)
