"""Conversations, one by one and as lists."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found, stale_etag
from services.messaging.app.ports import Conversations, Selection, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.message import Message
from services.messaging.domain.side import Seat
from services.messaging.domain.timeline import message_entry


@dataclass(frozen=True, slots=True)
class ListConversations:
    """`seller` is `sellers/{seller}`; empty: the caller's own as a buyer, or those in which he is in copy."""

    seller: str
    in_copy: bool
    selection: Selection
    page: PageRequest


@dataclass(frozen=True, slots=True)
class ChangeConversation:
    """`name` is a resource name; `etag` may be empty."""

    name: str
    etag: str = ""


def check_etag(conversation: Conversation, etag: str) -> None:
    """Refusal ETAG_MISMATCH where `etag` is given and is not the conversation's."""
    actual = f"v{conversation.version}"
    if etag and etag != actual:
        raise stale_etag(conversation.name, etag, actual)


async def visible(store: Conversations, tx: Transaction, call: Call, name: str) -> tuple[Conversation, Seat]:
    """The conversation and the caller's place in it; Refusal NOT_FOUND."""
    found = await store.load(tx, name)
    return found, seat_of(call, found)


async def message_of(
    timelines: Timelines, tx: Transaction, name: str, *, seat: Seat | None = None
) -> Message:
    """A message, for `seat` if it is for anybody. Refusal NOT_FOUND."""
    conversation, _, message_id = name.partition("/messages/")
    found = await timelines.message(tx, conversation=conversation, message_id=message_id)
    # A note of the seller's team does not exist for the buyer.
    if found is None or (seat is not None and not message_entry(found).visible_to(seat)):
        raise not_found(name)
    return found


class ConversationQueries:
    """Reading conversations."""

    def __init__(self, database: Database, store: Conversations, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock

    async def get_conversation(self, call: Call, name: str) -> ConversationView:
        """A conversation of the caller; Refusal NOT_FOUND."""
        found, seat = await self._database.read_for(call, lambda tx: visible(self._store, tx, call, name))
        return ConversationView(found, seat, self._clock.now())

    async def list_conversations(self, call: Call, query: ListConversations) -> Page[ConversationView]:
        """The caller's conversations, or his team's. Refusal NOT_FOUND for the team of others."""
        if query.seller and call.caller.role_in(query.seller) is None:
            raise not_found(query.seller)
        actor = Actor.COPY if query.in_copy else Actor.SELLER if query.seller else Actor.BUYER

        async def work(tx: Transaction) -> Page[Conversation]:
            return await self._store.list_for(
                tx,
                actor=actor,
                participant=query.seller or call.principal,
                selection=query.selection,
                page=query.page,
            )

        page, now = await self._database.read_for(call, work), self._clock.now()
        views = (ConversationView(found, found.seat(actor, call.principal), now) for found in page.items)
        return Page(tuple(views), page.next_cursor)
