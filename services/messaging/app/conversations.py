"""Conversations, one by one and as lists."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found
from services.messaging.app.ports import Conversations
from services.messaging.app.views import ConversationView
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.side import Side


@dataclass(frozen=True, slots=True)
class ListConversations:
    """`seller` is `sellers/{seller}`; empty: the caller's own as a buyer."""

    seller: str
    unread_only: bool
    page: PageRequest


async def visible(store: Conversations, tx: Transaction, call: Call, name: str) -> ConversationView:
    """The conversation, if the caller takes part in it; Refusal NOT_FOUND."""
    found = await store.load(tx, name)
    actor = call.party(buyer=found.buyer, seller=found.seller, name=found.name)
    return ConversationView(found, actor)


class ConversationQueries:
    """Reading conversations."""

    def __init__(self, database: Database, store: Conversations) -> None:
        self._database = database
        self._store = store

    async def get_conversation(self, call: Call, name: str) -> ConversationView:
        """A conversation of the caller; Refusal NOT_FOUND."""
        return await self._database.read(lambda tx: visible(self._store, tx, call, name))

    async def list_conversations(self, call: Call, query: ListConversations) -> Page[ConversationView]:
        """The caller's conversations, or his team's. Refusal NOT_FOUND for the team of others."""
        if query.seller and call.caller.role_in(query.seller) is None:
            raise not_found(query.seller)
        side = Side.SELLER if query.seller else Side.BUYER
        actor = Actor.SELLER if query.seller else Actor.BUYER

        async def work(tx: Transaction) -> Page[Conversation]:
            return await self._store.list_for(
                tx,
                side=side,
                participant=query.seller or call.principal,
                unread_only=query.unread_only,
                page=query.page,
            )

        page = await self._database.read(work)
        return Page(tuple(ConversationView(found, actor) for found in page.items), page.next_cursor)
