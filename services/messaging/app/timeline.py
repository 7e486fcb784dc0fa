"""Timelines, listed and watched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found
from services.messaging.app.conversations import visible
from services.messaging.app.ports import Conversations, Growth, LiveFeed, Timelines
from services.messaging.domain.side import Seat
from services.messaging.domain.timeline import Entry

WATCH_BATCH: Final = 200
"""Entries that a watcher reads at once."""


@dataclass(frozen=True, slots=True)
class ListTimeline:
    """`conversation` is a resource name."""

    conversation: str
    newest_first: bool
    page: PageRequest


@dataclass(frozen=True, slots=True)
class WatchConversation:
    """`after_entry` names the last entry that the watcher has; empty: only what is to come."""

    conversation: str
    after_entry: str


class TimelineQueries:
    """Reading timelines."""

    def __init__(
        self, database: Database, store: Conversations, timelines: Timelines, feed: LiveFeed
    ) -> None:
        self._database = database
        self._store = store
        self._timelines = timelines
        self._feed = feed

    async def list_timeline(self, call: Call, query: ListTimeline) -> Page[Entry]:
        """What the caller may see of the timeline; Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> Page[Entry]:
            _, seat = await visible(self._store, tx, call, query.conversation)
            found = await self._timelines.timeline(
                tx,
                conversation=query.conversation,
                seat=seat,
                newest_first=query.newest_first,
                page=query.page,
            )
            await self._require_still(tx, seat, query.conversation)
            return found

        return await self._database.read_for(call, work)

    async def watch_conversation(self, call: Call, query: WatchConversation) -> AsyncIterator[Entry]:
        """Entries as they are added, and again as they are translated. Refusal NOT_FOUND, also for an
        `after_entry` of another conversation.
        """

        async def begin(tx: Transaction) -> tuple[Seat, int]:
            _, seat = await visible(self._store, tx, call, query.conversation)
            return seat, await self._first_position(tx, query)

        seat, position = await self._database.read_for(call, begin)
        return self._watch(call, query.conversation, seat, position)

    async def _watch(self, call: Call, conversation: str, seat: Seat, position: int) -> AsyncIterator[Entry]:
        # What was shown as it was after a change that is still to come.
        shown: dict[str, int] = {}
        async with self._feed.watch(conversation) as growth:
            async for _ in growth:
                while True:
                    found = await self._read_after(call, conversation, seat, position)
                    for each in found:
                        if shown.pop(each.entry.id, 0) != each.position:
                            yield each.entry
                        if each.change > each.position:
                            shown[each.entry.id] = each.change
                        position = each.position
                    if len(found) < WATCH_BATCH:
                        break

    async def _read_after(self, call: Call, conversation: str, seat: Seat, position: int) -> list[Growth]:
        async def work(tx: Transaction) -> list[Growth]:
            found = await self._timelines.entries_after(
                tx, conversation=conversation, seat=seat, position=position, limit=WATCH_BATCH
            )
            await self._require_still(tx, seat, conversation)
            return found

        return await self._database.read_for(call, work)

    async def _require_still(self, tx: Transaction, seat: Seat, conversation: str) -> None:
        """Refusal NOT_FOUND for somebody in copy whose grant is another one or none by now. Asked after the
        reading: each statement has its own snapshot, and the entry that ends a grant is not for him any more.
        """
        if not seat.in_copy:
            return
        found = await self._store.load(tx, conversation)
        if found.copy_of(seat.user) is None or found.seat(seat.actor, seat.user) != seat:
            raise not_found(conversation)

    async def _first_position(self, tx: Transaction, query: WatchConversation) -> int:
        if not query.after_entry:
            return await self._timelines.last_position(tx, query.conversation)
        conversation, _, entry_id = query.after_entry.partition("/timeline/")
        found = None
        if conversation == query.conversation:
            found = await self._timelines.position_of(tx, conversation=conversation, entry_id=entry_id)
        if found is None:
            raise not_found(query.after_entry)
        return found
