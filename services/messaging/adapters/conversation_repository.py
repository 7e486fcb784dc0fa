"""Keeps conversations in PostgreSQL."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Row,
    Select,
    bindparam,
    column,
    delete,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from chassis.db import Transaction
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.kernel.refusal import not_found
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.tables import conversation as conversations
from services.messaging.adapters.tables import conversation_copy as copies
from services.messaging.adapters.tables import conversation_forward as forwards
from services.messaging.adapters.tables import party_block as blocks
from services.messaging.app.ports import Selection, Topic
from services.messaging.domain.conversation import Conversation, Copy, DeclineReason, Feedback, State
from services.messaging.domain.participants import Forward
from services.messaging.domain.receipt import ReadReceipt
from services.messaging.domain.side import Seat, Side

PREFIX = "conversations/"

# Both sides' blocks of each other come with the conversation.
_BLOCKS = (
    select(func.array_agg(blocks.c.side))
    .where(blocks.c.seller == conversations.c.seller, blocks.c.buyer == conversations.c.buyer)
    .scalar_subquery()
    .label("blocks")
)
# What matters of the profiles of the buyer and of people in copy, by primary key.
_PEOPLE: ColumnElement[Any] = literal_column(
    "(SELECT jsonb_agg(jsonb_build_object('user', profile.id, 'name', profile.display_name, "
    "'phone', profile.phone <> '', 'bounced', profile.email_state = 'bounced')) FROM profile "
    "WHERE profile.id = ANY(ARRAY(SELECT conversation.buyer UNION ALL "
    "SELECT copy.value ->> 'user' FROM jsonb_array_elements(conversation.copies) AS copy)))",
    JSONB,
).label("people")
# Coarse, so that they cost next to nothing where they say no: whether anybody may have to be told of what
# `:author` does in the conversation `{row}`, or of whom of the team no mail tells, and whether anybody reads
# in another language.
HAS_PEOPLE: Final = """
({row}.copies <> '[]' OR EXISTS (
    SELECT 1 FROM profile WHERE profile.email_state = 'verified' AND profile.id IN ({row}.buyer, :author)
  ) OR EXISTS (
    SELECT 1 FROM team_member JOIN profile ON profile.id = team_member.member
    WHERE team_member.seller = {row}.seller AND profile.email_state IN ('verified', 'bounced')
  ))
"""
HAS_ENDPOINTS: Final = """
EXISTS (
    SELECT 1 FROM webhook_endpoint
    WHERE webhook_endpoint.seller = {row}.seller AND webhook_endpoint.state = 'enabled'
  )
"""
HAS_TRANSLATIONS: Final = """
({row}.copies <> '[]' OR EXISTS (
    SELECT 1 FROM profile WHERE profile.auto_translate <> '' AND profile.id = {row}.buyer
  ) OR EXISTS (
    SELECT 1 FROM team_member JOIN profile ON profile.id = team_member.member
    WHERE team_member.seller = {row}.seller AND profile.auto_translate <> ''
  ))
"""
_SELECT = select(conversations, _BLOCKS, _PEOPLE)
_LOAD = _SELECT.where(conversations.c.id == bindparam("id"))
_LOAD_FOR_UPDATE = _LOAD.with_for_update(of=conversations)


def _loading_if_quiet(*, translates: bool) -> Select[Any]:
    heard = " OR ".join((HAS_PEOPLE, HAS_ENDPOINTS, *([HAS_TRANSLATIONS] if translates else [])))
    is_heard = text(f"SELECT {heard}".format(row="conversation")).columns(column("is_heard", Boolean))
    return _LOAD.add_columns(is_heard.scalar_subquery().label("is_heard"))


_PAIR_BLOCKS = select(blocks.c.side).where(
    blocks.c.seller == bindparam("seller"), blocks.c.buyer == bindparam("buyer")
)
_BLOCK = insert(blocks).on_conflict_do_nothing()
_UNBLOCK = delete(blocks).where(
    blocks.c.seller == bindparam("whose"),
    blocks.c.buyer == bindparam("whom"),
    blocks.c.side == bindparam("by"),
)
COUNT_CHANGE: Final = (
    update(conversations)
    .where(conversations.c.id == bindparam("key"))
    .values(entry_count=conversations.c.entry_count + 1)
    .returning(conversations.c.entry_count)
)
"""A change that is no entry counts as one: whoever read the conversation before sees that it has changed."""
_ADD_COPY = insert(copies).on_conflict_do_nothing()
_REMOVE_COPY = delete(copies).where(
    copies.c.user_name == bindparam("user"), copies.c.conversation_id == bindparam("conversation")
)
_ADD_FORWARD = insert(forwards)
_SAVE = (
    update(conversations)
    .where(conversations.c.id == bindparam("key"), conversations.c.version == bindparam("expected"))
    .returning(conversations.c.id)
)


def key_of(name: str) -> str:
    """The key of the conversation `name`."""
    return name.removeprefix(PREFIX)


class ConversationRepository:
    """Implements `app.ports.Conversations`."""

    def __init__(self, *, translates: bool = True) -> None:
        """`translates` is False where there is no translator."""
        self._load_if_quiet = _loading_if_quiet(translates=translates)

    async def load(self, tx: Transaction, name: str) -> Conversation:
        """The conversation; Refusal NOT_FOUND."""
        row = await tx.fetch_one(_LOAD, {"id": key_of(name)})
        if row is None:
            raise not_found(name)
        return _conversation(row)

    async def load_for_update(self, tx: Transaction, name: str) -> Conversation:
        """The conversation, locked; Refusal NOT_FOUND."""
        row = await tx.fetch_one(_LOAD_FOR_UPDATE, {"id": key_of(name)})
        if row is None:
            raise not_found(name)
        return _conversation(row)

    async def load_if_quiet(
        self, tx: Transaction, name: str, *, author: str
    ) -> tuple[Conversation, int] | None:
        """The conversation and the number of its entries."""
        row = await tx.fetch_one(self._load_if_quiet, {"id": key_of(name), "author": author})
        return None if row is None or row.is_heard else (_conversation(row), row.entry_count)

    async def save(self, tx: Transaction, conversation: Conversation, *, expected: int) -> None:
        """Compare-and-set on the version; the row is locked, so a miss is a defect."""
        values = {**_columns(conversation), "key": key_of(conversation.name), "expected": expected}
        if await tx.fetch_one(_SAVE, values) is None:
            raise RuntimeError(f"{conversation.name} was saved without being locked")

    async def save_copies(self, tx: Transaction, before: Conversation, after: Conversation) -> None:
        """Makes those in copy find the conversation, and those no longer in copy not."""
        key = key_of(after.name)
        for user in set(after.copied) - set(before.copied):
            await tx.execute(_ADD_COPY, {"user_name": user, "conversation_id": key})
        for user in set(before.copied) - set(after.copied):
            await tx.execute(_REMOVE_COPY, {"user": user, "conversation": key})

    async def add_forward(self, tx: Transaction, forward: Forward) -> None:
        """Archives a forward."""
        values = {
            "conversation_id": key_of(forward.conversation),
            "id": forward.id,
            "address": forward.address,
            "user_name": forward.user,
            "author": forward.author,
            "create_time": forward.create_time,
        }
        await tx.execute(_ADD_FORWARD, values)

    async def blocks(self, tx: Transaction, *, seller: str, buyer: str) -> frozenset[Side]:
        """Which of the two has blocked the other."""
        rows = await tx.fetch_all(_PAIR_BLOCKS, {"seller": seller, "buyer": buyer})
        return frozenset(Side(row.side) for row in rows)

    async def set_block(
        self, tx: Transaction, conversation: Conversation, *, seat: Seat, blocked: bool, now: datetime
    ) -> None:
        """Blocks the other side, or takes it back; repeating it changes nothing."""
        if blocked:
            values = {
                "seller": conversation.seller,
                "buyer": conversation.buyer,
                "side": seat.side.value,
                "author": seat.user,
                "create_time": now,
            }
            await tx.execute(_BLOCK, values)
            # Else a message that was decided before would be sent after it.
            await tx.execute(COUNT_CHANGE, {"key": key_of(conversation.name)})
            return
        values = {"whose": conversation.seller, "whom": conversation.buyer, "by": seat.side.value}
        await tx.execute(_UNBLOCK, values)

    async def list_for(
        self, tx: Transaction, *, actor: Actor, participant: str, selection: Selection, page: PageRequest
    ) -> Page[Conversation]:
        """Keyset by (last entry time, id), newest first."""
        table = conversations
        if actor is Actor.COPY:
            query = _in_copy(participant, selection)
        else:
            query = _as_party(participant, selection, is_seller=actor is Actor.SELLER)
        if selection.state is not None:
            query = query.where(table.c.state == selection.state.value)
        if selection.topic is Topic.INQUIRY:
            query = query.where(table.c.subject == "")
        elif selection.topic is not None:
            query = query.where(table.c.subject.startswith(f"{selection.topic.value}/"))
        if selection.marketplace:
            query = query.where(table.c.marketplace == selection.marketplace)
        query = keyset(query, (table.c.last_entry_time, table.c.id), page, descending=True)
        found = [_conversation(row) for row in await tx.fetch_all(query)]
        return page_of(found, page, lambda last: cursor_of(last.last_entry_time, key_of(last.name)))


def _as_party(participant: str, selection: Selection, *, is_seller: bool) -> Select[Any]:
    table = conversations
    away = table.c.seller_archived if is_seller else table.c.buyer_archived
    query = _SELECT.where(
        (table.c.seller if is_seller else table.c.buyer) == participant, away.is_(selection.archived)
    )
    if selection.unread_only:
        query = query.where((table.c.seller_unread if is_seller else table.c.buyer_unread) > 0)
    return query


def _in_copy(participant: str, selection: Selection) -> Select[Any]:
    grant = {"user": participant, "archived": selection.archived}
    query = _SELECT.join(copies, copies.c.conversation_id == conversations.c.id).where(
        copies.c.user_name == participant, conversations.c.copies.contains([grant])
    )
    if selection.unread_only:
        query = query.where(~conversations.c.copies.contains([{"user": participant, "unread": 0}]))
    return query


_JSON: Final = ("receipts", "copies")
SAVED_COLUMNS: Final = tuple(
    column.name
    for column in conversations.columns
    if column.name not in {"id", "entry_count", "last_entry_time", "create_time", "erase_time"}
)
"""What `save` stores; the rest is the timeline's, or never changes."""


def saved_columns(conversation: Conversation) -> dict[str, Any]:
    """The values of `SAVED_COLUMNS` for a statement that is written as text: JSON is encoded."""
    columns = _columns(conversation)
    return columns | {name: json.dumps(columns[name]) for name in _JSON}


def _columns(conversation: Conversation) -> dict[str, Any]:
    feedback = conversation.feedback
    return {
        "version": conversation.version,
        "subject": conversation.subject,
        "origin": conversation.origin,
        "seller": conversation.seller,
        "buyer": conversation.buyer,
        "state": conversation.state.value,
        "title": conversation.title,
        "marketplace": conversation.marketplace,
        "summary": conversation.summary,
        "observer": conversation.observer,
        "close_time": conversation.close_time,
        "decline_reason": None if conversation.decline_reason is None else conversation.decline_reason.value,
        "buyer_archived": Side.BUYER in conversation.archived,
        "seller_archived": Side.SELLER in conversation.archived,
        "buyer_unread": conversation.unread[Side.BUYER],
        "seller_unread": conversation.unread[Side.SELLER],
        "receipts": [
            {
                "user": receipt.user,
                "side": receipt.side.value,
                "message_id": receipt.message_id,
                "message_time": receipt.message_time.isoformat(),
                "read_time": receipt.read_time.isoformat(),
                "in_copy": receipt.in_copy,
            }
            for receipt in conversation.receipts
        ],
        "feedback_rating": None if feedback is None else feedback.rating,
        "feedback_text": None if feedback is None else feedback.text,
        "feedback_time": None if feedback is None else feedback.create_time,
        "copies": [
            {
                "user": copy.user,
                "side": copy.side.value,
                "granted_by": copy.granted_by,
                "grant_time": copy.grant_time.isoformat(),
                "since": None if copy.since is None else copy.since.isoformat(),
                "unread": copy.unread,
                "archived": copy.archived,
            }
            for copy in conversation.copies
        ],
        "update_time": conversation.update_time,
    }


def _conversation(row: Row[Any]) -> Conversation:
    people = row.people or ()
    return Conversation(
        name=PREFIX + row.id,
        subject=row.subject,
        origin=row.origin,
        seller=row.seller,
        buyer=row.buyer,
        state=State(row.state),
        title=row.title,
        marketplace=row.marketplace,
        summary=row.summary,
        observer=row.observer,
        close_time=row.close_time,
        decline_reason=None if row.decline_reason is None else DeclineReason(row.decline_reason),
        archived=frozenset(
            side
            for side, away in ((Side.BUYER, row.buyer_archived), (Side.SELLER, row.seller_archived))
            if away
        ),
        unread={Side.BUYER: row.buyer_unread, Side.SELLER: row.seller_unread},
        receipts=tuple(
            ReadReceipt(
                user=held["user"],
                side=Side(held["side"]),
                message_id=held["message_id"],
                message_time=datetime.fromisoformat(held["message_time"]),
                read_time=datetime.fromisoformat(held["read_time"]),
                in_copy=held.get("in_copy", False),
            )
            for held in row.receipts
        ),
        copies=tuple(
            Copy(
                user=held["user"],
                side=Side(held["side"]),
                granted_by=held["granted_by"],
                grant_time=datetime.fromisoformat(held["grant_time"]),
                since=None if held["since"] is None else datetime.fromisoformat(held["since"]),
                unread=held["unread"],
                archived=held["archived"],
            )
            for held in row.copies
        ),
        has_phone=any(each["phone"] for each in people if each["user"] == row.buyer),
        bounced=frozenset(each["user"] for each in people if each["bounced"]),
        names={each["user"]: each["name"] for each in people if each["name"]},
        feedback=None
        if row.feedback_rating is None
        else Feedback(row.feedback_rating, row.feedback_text, row.feedback_time),
        blocks=frozenset(Side(side) for side in row.blocks or ()),
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        last_entry_time=row.last_entry_time,
    )
