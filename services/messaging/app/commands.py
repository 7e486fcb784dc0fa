"""What participants do."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import not_found
from services.messaging.app.ports import Conversations, LiveFeed
from services.messaging.app.views import ConversationView
from services.messaging.domain import conversation as conversations
from services.messaging.domain import refusals
from services.messaging.domain.conversation import Kind, Message, Side
from services.messaging.domain.timeline import Entry, EventType, Happening, message_entry


@dataclass(frozen=True, slots=True)
class CreateInquiry:
    """`seller` is `sellers/{seller}`."""

    seller: str
    title: str
    text: str
    marketplace: str


@dataclass(frozen=True, slots=True)
class SendMessage:
    """`conversation` is a resource name."""

    conversation: str
    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class MarkRead:
    """`message` is the resource name of the newest message that was read."""

    conversation: str
    message: str


@dataclass(frozen=True, slots=True)
class StartedInquiry:
    """A new conversation and its first message."""

    conversation: ConversationView
    message: Message


class ConversationCommands:
    """One method per mutating RPC."""

    def __init__(
        self, database: Database, store: Conversations, feed: LiveFeed, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._store = store
        self._feed = feed
        self._clock = clock
        self._ids = ids

    async def create_inquiry(self, call: Call, command: CreateInquiry) -> StartedInquiry:
        """Begins a conversation. Refusals: EMPTY_BODY, OWN_LISTING."""
        if call.caller.role_in(command.seller) is not None:
            raise refusals.own_listing(command.seller)

        async def work(tx: Transaction) -> StartedInquiry:
            now = self._clock.now()
            begun = conversations.inquire(
                conversation_id=self._ids.new(),
                seller=command.seller,
                buyer=call.principal,
                title=command.title,
                marketplace=command.marketplace,
                now=now,
            )
            await self._store.add(tx, begun)
            happening = Happening(EventType.INQUIRY_STARTED, Side.BUYER, begun.name)
            await self._store.append(tx, Entry(begun.name, self._ids.new(), now, happening))
            changed, message, event = conversations.send(
                begun,
                actor=Actor.BUYER,
                author=call.principal,
                text=command.text,
                kind=Kind.PUBLIC,
                message_id=self._ids.new(),
                now=now,
            )
            await self._store.append(tx, message_entry(message))
            await self._store.save(tx, changed, expected=begun.version)
            tx.record(conversations.started(begun), event)
            return StartedInquiry(ConversationView(changed, Actor.BUYER), message)

        return await self._database.command(call, work)

    async def send_message(self, call: Call, command: SendMessage) -> Message:
        """Says something. Refusals: NOT_FOUND, EMPTY_BODY, CONVERSATION_CLOSED, INTERNAL_NOTE_FORBIDDEN."""

        async def work(tx: Transaction) -> Message:
            found = await self._store.load_for_update(tx, command.conversation)
            actor = call.party(buyer=found.buyer, seller=found.seller, name=found.name)
            changed, message, event = conversations.send(
                found,
                actor=actor,
                author=call.principal,
                text=command.text,
                kind=command.kind,
                message_id=self._ids.new(),
                now=self._clock.now(),
            )
            await self._store.append(tx, message_entry(message))
            await self._store.save(tx, changed, expected=found.version)
            tx.record(event)
            return message

        message = await self._database.command(call, work)
        self._feed.announce(message.conversation)
        return message

    async def mark_read(self, call: Call, command: MarkRead) -> ConversationView:
        """Moves the caller's read receipt. Refusal NOT_FOUND, also for a message of another conversation."""

        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, command.conversation)
            actor = call.party(buyer=found.buyer, seller=found.seller, name=found.name)
            upto = await self._message(tx, command, conversations.side_of(actor))
            author = conversations.other(conversations.side_of(actor))
            now = self._clock.now()
            changed, event = conversations.mark_read(
                found,
                actor=actor,
                reader=call.principal,
                upto=upto,
                still_unread=await self._store.count_unread(
                    tx, conversation=found.name, of=author, after=upto
                ),
                now=now,
            )
            if event is not None:
                await self._store.save(tx, changed, expected=found.version)
                await self._store.mark_read(tx, conversation=found.name, of=author, upto=upto, now=now)
                tx.record(event)
            return ConversationView(changed, actor)

        return await self._database.command(call, work)

    async def _message(self, tx: Transaction, command: MarkRead, side: Side) -> Message:
        conversation, _, message_id = command.message.partition("/messages/")
        if conversation != command.conversation:
            raise not_found(command.message)
        message = await self._store.message(tx, conversation=conversation, message_id=message_id)
        # A note of the seller's team does not exist for the buyer.
        if message is None or not message_entry(message).visible_to(side):
            raise not_found(command.message)
        return message
