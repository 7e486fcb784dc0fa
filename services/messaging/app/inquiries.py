"""Inquiries: conversations that a buyer begins before any request or order."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.views import ConversationView
from services.messaging.domain import conversation as conversations
from services.messaging.domain import message as messages
from services.messaging.domain import refusals
from services.messaging.domain.message import Kind, Message
from services.messaging.domain.side import Side
from services.messaging.domain.timeline import Entry, EventType, Happening, message_entry


@dataclass(frozen=True, slots=True)
class CreateInquiry:
    """`seller` is `sellers/{seller}`."""

    seller: str
    title: str
    text: str
    marketplace: str


@dataclass(frozen=True, slots=True)
class StartedInquiry:
    """A new conversation and its first message."""

    conversation: ConversationView
    message: Message


class InquiryCommands:
    """What begins and ends inquiries."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        timelines: Timelines,
        feed: LiveFeed,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._store = store
        self._timelines = timelines
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
            await self._timelines.append(tx, Entry(begun.name, self._ids.new(), now, happening))
            changed, message, event = messages.send(
                begun,
                actor=Actor.BUYER,
                author=call.principal,
                text=command.text,
                kind=Kind.PUBLIC,
                message_id=self._ids.new(),
                now=now,
            )
            await self._timelines.append(tx, message_entry(message))
            await self._store.save(tx, changed, expected=begun.version)
            tx.record(conversations.started(begun), event)
            return StartedInquiry(ConversationView(changed, Actor.BUYER), message)

        return await self._database.command(call, work)
