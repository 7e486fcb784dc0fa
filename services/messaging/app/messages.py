"""Sending and reading messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal, not_found
from services.messaging.app.attachment_ports import Attachments
from services.messaging.app.attachments import Sending, sent_with
from services.messaging.app.conversations import message_of
from services.messaging.app.pace import Pace
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain import message as messages
from services.messaging.domain.attachment import Attachment
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.events import MessageSent
from services.messaging.domain.message import Channel, Kind, Message
from services.messaging.domain.side import Seat
from services.messaging.domain.timeline import Entry, EventType, Happening, message_entry


@dataclass(frozen=True, slots=True)
class SendMessage:
    """`conversation` is a resource name."""

    conversation: str
    text: str
    kind: Kind
    attachments: tuple[str, ...] = ()
    channel: Channel = Channel.INTERFACE
    copy_to_author: bool = True


@dataclass(frozen=True, slots=True)
class MarkRead:
    """`message` is the resource name of the newest message that was read."""

    conversation: str
    message: str


class MessageCommands:
    """What is done with messages."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        timelines: Timelines,
        feed: LiveFeed,
        *,
        attachments: Attachments,
        pace: Pace,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._attachments = attachments
        self._pace = pace
        self._database = database
        self._store = store
        self._timelines = timelines
        self._feed = feed
        self._clock = clock
        self._ids = ids

    async def send_message(self, call: Call, command: SendMessage) -> Message:
        """Says something. Refusals: NOT_FOUND, EMPTY_BODY, CONVERSATION_CLOSED, PARTICIPANT_BLOCKED,
        INTERNAL_NOTE_FORBIDDEN, ATTACHMENT_ALREADY_SENT, MESSAGE_LIMIT_REACHED.
        """
        message = await self._send_at_once(call, command)
        if message is None:
            message = await self._database.command(call, lambda tx: self._send(tx, call, command))
        self._feed.announce(message.conversation)
        return message

    async def _send_at_once(self, call: Call, command: SendMessage) -> Message | None:
        """Most of what is said needs no lock: what was read is still true when it is written, in one round
        trip that messages of other conversations share. None, with nothing done, where that is not so, or
        where more is to be done, or refused.
        """
        if command.attachments:
            return None
        quiet = await self._database.read_as_process(
            lambda tx: self._store.load_if_quiet(tx, command.conversation, author=call.principal)
        )
        if quiet is None:
            return None
        found, length = quiet
        try:
            seat = seat_of(call, found)
            said = self._say(command, found, seat, now=self._clock.now(), message_id=self._ids.new())
            if said.conversation.state is not found.state:
                return None
            self._pace.take(call.principal)
        except Refusal:
            # A request that was answered before is not refused: that is looked at first.
            return None
        is_sent = False
        try:
            single = self._timelines.addition(said, seen=found, length=length)
            is_sent = await self._database.command_if_current(call, single)
        finally:
            if not is_sent:
                self._pace.give_back(call.principal)
        return said.message if is_sent else None

    async def _send(self, tx: Transaction, call: Call, command: SendMessage) -> Message:
        found = await self._store.load_for_update(tx, command.conversation)
        seat = seat_of(call, found)
        self._pace.take(call.principal)
        # Made first: of two entries at the same instant the older id stands first.
        opening, message_id, now = self._ids.new(), self._ids.new(), self._clock.now()
        sending = Sending(found.name, call.principal, message_id, command.kind, now)
        attachments = await sent_with(self._attachments, tx, command.attachments, sending)
        said = self._say(command, found, seat, now=now, message_id=message_id, attachments=attachments)
        message = said.message
        if found.state is not said.conversation.state:
            happening = Happening(EventType.CONVERSATION_REOPENED, message.side, found.name)
            await self._timelines.append(tx, Entry(found.name, opening, message.create_time, happening))
        await self._timelines.append_and_save(
            tx, message_entry(message), said.conversation, expected=found.version
        )
        tx.record(said)
        return message

    @staticmethod
    def _say(
        command: SendMessage,
        found: Conversation,
        seat: Seat,
        *,
        now: datetime,
        message_id: str,
        attachments: tuple[Attachment, ...] = (),
    ) -> MessageSent:
        _, _, event = messages.send(
            found,
            seat=seat,
            text=command.text,
            kind=command.kind,
            message_id=message_id,
            now=now,
            channel=command.channel,
            copy_to_author=command.copy_to_author,
            attachments=attachments,
        )
        return event

    async def mark_read(self, call: Call, command: MarkRead) -> ConversationView:
        """Moves the caller's read receipt. Refusal NOT_FOUND, also for a message of another conversation."""

        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, command.conversation)
            seat = seat_of(call, found)
            if command.message.partition("/messages/")[0] != found.name:
                raise not_found(command.message)
            upto = await message_of(self._timelines, tx, command.message, seat=seat)
            now = self._clock.now()
            changed, event = messages.mark_read(
                found,
                seat=seat,
                upto=upto,
                still_unread=await self._timelines.count_unread(tx, seat=seat, after=upto),
                now=now,
            )
            if event is not None:
                await self._store.save(tx, changed, expected=found.version)
                if not seat.in_copy:
                    await self._timelines.mark_read(tx, seat=seat, upto=upto, now=now)
                if seat.actor is Actor.BUYER:
                    happening = Happening(EventType.MESSAGE_READ, seat.side, upto.name)
                    await self._timelines.append(tx, Entry(found.name, self._ids.new(), now, happening))
                tx.record(event)
            return ConversationView(changed, seat, now)

        view = await self._database.command(call, work)
        if view.seat.actor is Actor.BUYER:
            self._feed.announce(command.conversation)
        return view
