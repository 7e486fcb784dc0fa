"""Keeps timelines in PostgreSQL."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    union_all,
    update,
)

from chassis.db import Single, Transaction
from chassis.kernel.ids import is_id
from chassis.kernel.money import Money
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.messaging.adapters.conversation_repository import key_of
from services.messaging.adapters.tables import conversation as conversations
from services.messaging.adapters.tables import timeline_entry as entries
from services.messaging.adapters.timeline_rows import entry_of_row, message_of_row
from services.messaging.adapters.timeline_statements import (
    FIRST,
    NEXT,
    NEXT_AND_SAVE,
    SAVE_IF_CURRENT,
    adding,
    entry_row,
    entry_values,
    place_values,
    saved_values,
    seen_values,
)
from services.messaging.adapters.translation_repository import translations_of
from services.messaging.app.ports import Growth
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.events import MessageSent
from services.messaging.domain.message import Kind, Message
from services.messaging.domain.side import Seat, Side, other
from services.messaging.domain.timeline import (
    ENDING,
    FOR_THE_TEAM,
    OPENING,
    Entry,
    EventType,
    Happening,
    message_entry,
)

_MESSAGE = select(entries).where(
    entries.c.conversation_id == bindparam("conversation"),
    entries.c.id == bindparam("id"),
    entries.c.kind.is_not(None),
)
# What changes nothing of it, such as its opening, is no last word.
_STANDING = (
    select(entries)
    .where(
        entries.c.conversation_id == bindparam("conversation"),
        entries.c.resource == bindparam("about"),
        entries.c.event_type.in_(sorted(each.value for each in OPENING | ENDING)),
    )
    .order_by(entries.c.create_time.desc(), entries.c.position.desc())
    .limit(1)
)
_POSITION = select(entries.c.position).where(
    entries.c.conversation_id == bindparam("conversation"), entries.c.id == bindparam("id")
)
_LAST_POSITION = select(conversations.c.entry_count).where(conversations.c.id == bindparam("id"))
_PUBLIC = or_(
    entries.c.event_type.not_in([kind.value for kind in FOR_THE_TEAM]), entries.c.kind == Kind.PUBLIC.value
)
_OF_OTHERS = and_(
    entries.c.conversation_id == bindparam("conversation"),
    entries.c.kind == Kind.PUBLIC.value,
    entries.c.side == bindparam("author_side"),
)
_PLACE = tuple_(entries.c.create_time, entries.c.id)
_LATER = tuple_(bindparam("time"), bindparam("id", type_=entries.c.id.type)) < _PLACE
_UNREAD = select(func.count()).select_from(entries).where(_OF_OTHERS, _LATER)
_UNREAD_IN_COPY = (
    select(func.count())
    .select_from(entries)
    .where(
        entries.c.conversation_id == bindparam("conversation"),
        entries.c.kind == Kind.PUBLIC.value,
        entries.c.author != bindparam("reader"),
        _LATER,
    )
)
_MARK_READ = (
    update(entries)
    .where(
        _OF_OTHERS,
        entries.c.read_time.is_(None),
        tuple_(bindparam("time"), bindparam("upto", type_=entries.c.id.type)) >= _PLACE,
    )
    .values(read_time=bindparam("now"))
)


Tell = Callable[[Transaction, Entry], Awaitable[None]]
"""Keeps what is to be told of an entry, in the transaction that adds it."""


class TimelineRepository:
    """Implements `app.ports.Timelines`. Whoever adds an entry need not think of those who are told of it, and
    cannot forget them.
    """

    def __init__(
        self, *, tell_people: Tell, tell_endpoints: Tell, have_translated: Tell | None = None
    ) -> None:
        """`have_translated` is None where there is no translator."""
        self._tell_people = tell_people
        self._tell_endpoints = tell_endpoints
        self._have_translated = have_translated
        translates = have_translated is not None
        self._append = adding(NEXT, translates=translates)
        self._save_and_append = adding(NEXT_AND_SAVE, translates=translates)
        self._begin = adding(FIRST, translates=translates)

    async def append(self, tx: Transaction, entry: Entry) -> bool:
        """Adds an entry and has it told; its position is the next one of the conversation."""
        return await self._add(tx, entry, self._append, {})

    async def begin(self, tx: Transaction, begun: Conversation, entry: Entry) -> bool:
        """Adds a conversation with its first entry, and has that told; False where it exists."""
        begin = {**saved_values(begun), "begin_time": begun.create_time}
        return await self._add(tx, entry, self._begin, begin)

    async def append_and_save(
        self, tx: Transaction, entry: Entry, changed: Conversation, *, expected: int
    ) -> None:
        """Compare-and-set on the version; the row is locked, so a miss is a defect."""
        saved = {**saved_values(changed), "expected": expected}
        if not await self._add(tx, entry, self._save_and_append, saved):
            raise RuntimeError(f"{changed.name} was saved without being locked")

    def addition(self, said: MessageSent, *, seen: Conversation, length: int) -> Single[Message]:
        """The new state of the conversation is the guard of the entry."""
        entry = message_entry(said.message)
        values = saved_values(said.conversation) | seen_values(seen, length=length) | place_values(entry)
        row = entry_row(entry, position=length + 1)
        return Single(said.message, ((entries, row),), events=(said,), guard=(SAVE_IF_CURRENT, values))

    async def _add(self, tx: Transaction, entry: Entry, statement: Any, more: dict[str, Any]) -> bool:
        may_hear = await tx.fetch_one(statement, entry_values(entry) | more)
        if may_hear is None:
            return False
        if may_hear.people:
            await self._tell_people(tx, entry)
        if may_hear.endpoints:
            await self._tell_endpoints(tx, entry)
        if may_hear.translations and self._have_translated is not None:
            await self._have_translated(tx, entry)
        return True

    async def timeline(
        self, tx: Transaction, *, conversation: str, seat: Seat, newest_first: bool, page: PageRequest
    ) -> Page[Entry]:
        """Keyset by (create time, id)."""
        query = select(entries).where(entries.c.conversation_id == key_of(conversation))
        query = _seen_from(seat, query)
        query = keyset(query, (entries.c.create_time, entries.c.id), page, descending=newest_first)
        rows = await tx.fetch_all(query)
        translations = await translations_of(tx, key_of(conversation), rows)
        found = [entry_of_row(row, seat, translations) for row in rows]
        return page_of(found, page, lambda last: cursor_of(last.create_time, last.id))

    async def entries_after(
        self, tx: Transaction, *, conversation: str, seat: Seat, position: int, limit: int
    ) -> list[Growth]:
        """In the order of adding and changing. One statement, so that both are of the same moment."""
        of_it = select(entries).where(entries.c.conversation_id == key_of(conversation))
        added = _seen_from(seat, of_it.add_columns(entries.c.position.label("place"))).where(
            entries.c.position > position
        )
        changed = _seen_from(seat, of_it.add_columns(entries.c.change_position.label("place"))).where(
            entries.c.change_position > position, entries.c.position <= position
        )
        query = union_all(
            *(half.order_by("place").limit(limit).subquery().select() for half in (added, changed))
        )
        rows = await tx.fetch_all(query.order_by("place").limit(limit))
        translations = await translations_of(tx, key_of(conversation), rows)
        return [
            Growth(row.place, entry_of_row(row, seat, translations), row.change_position or 0) for row in rows
        ]

    async def position_of(self, tx: Transaction, *, conversation: str, entry_id: str) -> int | None:
        """The position of an entry; None where it is not part of the conversation."""
        if not is_id(entry_id):
            return None
        position: int | None = await tx.scalar(
            _POSITION, {"conversation": key_of(conversation), "id": entry_id}
        )
        return position

    async def last_position(self, tx: Transaction, conversation: str) -> int:
        """The position of the newest entry; 0 before the first."""
        return int(await tx.scalar(_LAST_POSITION, {"id": key_of(conversation)}) or 0)

    async def standing(self, tx: Transaction, *, conversation: str, resource: str) -> Happening | None:
        """By what an offer is open; None where it is not."""
        row = await tx.fetch_one(_STANDING, {"conversation": key_of(conversation), "about": resource})
        if row is None or EventType(row.event_type) not in OPENING:
            return None
        amount = None if row.currency is None else Money(row.currency, row.amount)
        return Happening(EventType(row.event_type), Side(row.side), row.resource, row.revision or 0, amount)

    async def message(self, tx: Transaction, *, conversation: str, message_id: str) -> Message | None:
        """A message; None where it is not part of the conversation."""
        if not is_id(message_id):
            return None
        row = await tx.fetch_one(_MESSAGE, {"conversation": key_of(conversation), "id": message_id})
        if row is None:
            return None
        return message_of_row(row, await translations_of(tx, key_of(conversation), [row]), for_team=False)

    async def count_unread(self, tx: Transaction, *, seat: Seat, after: Message) -> int:
        """How many public messages of others stand after `after`."""
        values = {"conversation": key_of(after.conversation), "time": after.create_time, "id": after.id}
        if seat.in_copy:
            return int(await tx.scalar(_UNREAD_IN_COPY, {**values, "reader": seat.user}) or 0)
        return int(await tx.scalar(_UNREAD, {**values, "author_side": other(seat.side).value}) or 0)

    async def mark_read(self, tx: Transaction, *, seat: Seat, upto: Message, now: datetime) -> None:
        """Only the first reading of a message is noted on it."""
        values = {
            "conversation": key_of(upto.conversation),
            "author_side": other(seat.side).value,
            "time": upto.create_time,
            "upto": upto.id,
            "now": now,
        }
        await tx.execute(_MARK_READ, values)


def _seen_from(seat: Seat, query: Select[Any]) -> Select[Any]:
    """Only what may be seen: what is for the team never leaves the database for anybody else."""
    if not seat.in_team:
        query = query.where(_PUBLIC)
    if seat.since is not None:
        query = query.where(entries.c.create_time >= seat.since)
    return query
