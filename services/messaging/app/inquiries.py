"""Inquiries: conversations that a buyer begins before any request or order."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from services.messaging.app.conversations import check_etag
from services.messaging.app.leads import LeadBook
from services.messaging.app.pace import Pace
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain import conversation as conversations
from services.messaging.domain import inquiry as inquiries
from services.messaging.domain import message as messages
from services.messaging.domain import refusals
from services.messaging.domain.consent import ConsentType
from services.messaging.domain.conversation import Conversation, DeclineReason
from services.messaging.domain.inquiry import Question
from services.messaging.domain.message import Kind, Message
from services.messaging.domain.side import Seat, Side
from services.messaging.domain.timeline import Entry, EventType, Happening, message_entry


@dataclass(frozen=True, slots=True)
class CreateInquiry:
    """A question and the first message."""

    question: Question
    text: str
    consents: tuple[ConsentType, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclineInquiry:
    """`name` is a conversation; `text` (what to say to the buyer) and `etag` may be empty."""

    name: str
    reason: DeclineReason
    text: str
    etag: str


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
        leads: LeadBook,
        pace: Pace,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._leads = leads
        self._pace = pace
        self._database = database
        self._store = store
        self._timelines = timelines
        self._feed = feed
        self._clock = clock
        self._ids = ids

    async def create_inquiry(self, call: Call, command: CreateInquiry) -> StartedInquiry:
        """Begins a conversation. Refusals: EMPTY_BODY, OWN_LISTING, PARTICIPANT_BLOCKED,
        MESSAGE_LIMIT_REACHED.
        """
        seller = command.question.seller
        if call.caller.role_in(seller) is not None:
            raise refusals.own_listing(seller)

        async def work(tx: Transaction) -> StartedInquiry:
            now = self._clock.now()
            begun = inquiries.inquire(
                command.question, conversation_id=self._ids.new(), buyer=call.principal, now=now
            )
            seat = begun.seat(Actor.BUYER, call.principal)
            self._pace.take(call.principal)
            if await self._store.blocks(tx, seller=seller, buyer=call.principal):
                raise refusals.participant_blocked(seller)
            started = Happening(EventType.INQUIRY_STARTED, Side.BUYER, begun.name)
            await self._timelines.begin(tx, begun, self._entry(begun, started))
            tx.record(conversations.started(begun))
            changed, message = await self._say(tx, begun, seat, command.text)
            await self._leads.contacted(tx, begun, command.consents)
            return StartedInquiry(ConversationView(changed, seat, now), message)

        return await self._database.command(call, work)

    async def decline_inquiry(self, call: Call, command: DeclineInquiry) -> ConversationView:
        """Says no and closes it. Refusals: NOT_FOUND, ETAG_MISMATCH, NOT_AN_INQUIRY, TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, command.name)
            seat = seat_of(call, found)
            check_etag(found, command.etag)
            return await self.decline(tx, found, seat=seat, reason=command.reason, text=command.text)

        view = await self._database.command(call, work)
        self._feed.announce(command.name)
        return view

    async def decline(
        self,
        tx: Transaction,
        found: Conversation,
        *,
        seat: Seat,
        reason: DeclineReason,
        text: str = "",
        by_link: bool = False,
    ) -> ConversationView:
        """The seller's no to a locked inquiry; `text` may be empty. Refusals: NOT_AN_INQUIRY,
        TRANSITION_FORBIDDEN.
        """
        now = self._clock.now()
        # Refused before anything is said.
        inquiries.decline(found, seat=seat, reason=reason, now=now)
        if text.strip():
            found, _ = await self._say(tx, found, seat, text)
        changed, event = inquiries.decline(found, seat=seat, reason=reason, now=now)
        happening = Happening(EventType.INQUIRY_DECLINED, Side.SELLER, changed.name, by_link=by_link)
        entry = self._entry(changed, happening)
        await self._timelines.append_and_save(tx, entry, changed, expected=found.version)
        tx.record(event)
        return ConversationView(changed, seat, now)

    async def _say(
        self, tx: Transaction, found: Conversation, seat: Seat, text: str
    ) -> tuple[Conversation, Message]:
        changed, message, event = messages.send(
            found,
            seat=seat,
            text=text,
            kind=Kind.PUBLIC,
            message_id=self._ids.new(),
            now=self._clock.now(),
        )
        await self._timelines.append_and_save(tx, message_entry(message), changed, expected=found.version)
        tx.record(event)
        return changed, message

    def _entry(self, about: Conversation, happening: Happening) -> Entry:
        return Entry(about.name, self._ids.new(), self._clock.now(), happening)
