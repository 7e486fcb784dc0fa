"""Sending and reading messages."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import not_found
from services.messaging.app.attachment_ports import Attachments
from services.messaging.app.attachments import Sending, sent_with
from services.messaging.app.conversations import message_of
from services.messaging.app.pace import Pace
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain import message as messages
from services.messaging.domain.message import Channel, Kind, Message
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

        async def work(tx: Transaction) -> Message:
            found = await self._store.load_for_update(tx, command.conversation)
            seat = seat_of(call, found)
            self._pace.take(call.principal)
            # Made first: of two entries at the same instant the older id stands first.
            opening, message_id, now = self._ids.new(), self._ids.new(), self._clock.now()
            changed, message, event = messages.send(
                found,
                seat=seat,
                text=command.text,
                kind=command.kind,
                message_id=message_id,
                now=now,
                channel=command.channel,
                copy_to_author=command.copy_to_author,
                attachments=await sent_with(
                    self._attachments,
                    tx,
                    command.attachments,
                    Sending(found.name, call.principal, message_id, command.kind, now),
                ),
            )
            if found.state is not changed.state:
                happening = Happening(EventType.CONVERSATION_REOPENED, message.side, found.name)
                await self._timelines.append(tx, Entry(found.name, opening, message.create_time, happening))
            await self._timelines.append_and_save(tx, message_entry(message), changed, expected=found.version)
            tx.record(event)
            return message

        message = await self._database.command(call, work)
        self._feed.announce(message.conversation)
        return message

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
