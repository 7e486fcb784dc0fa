"""Closing, opening again and putting away conversations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from services.messaging.app.conversations import ChangeConversation, check_etag
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain import lifecycle
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.timeline import Entry, EventType, Happening

Change = Callable[..., tuple[Conversation, Any]]


class LifecycleCommands:
    """Whether messages are taken, and in whose lists a conversation stands."""

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

    async def close(self, call: Call, command: ChangeConversation) -> ConversationView:
        """No more messages. Refusals: NOT_FOUND, ETAG_MISMATCH."""
        return await self._change(call, command, lifecycle.close, EventType.CONVERSATION_CLOSED)

    async def reopen(self, call: Call, command: ChangeConversation) -> ConversationView:
        """Messages again. Refusals: NOT_FOUND, ETAG_MISMATCH."""
        return await self._change(call, command, lifecycle.reopen, EventType.CONVERSATION_REOPENED)

    async def archive(self, call: Call, name: str) -> ConversationView:
        """Out of the caller's lists. Refusal NOT_FOUND."""
        return await self._put_away(call, name, away=True)

    async def unarchive(self, call: Call, name: str) -> ConversationView:
        """Back into the caller's lists. Refusal NOT_FOUND."""
        return await self._put_away(call, name, away=False)

    async def _change(
        self, call: Call, command: ChangeConversation, change: Change, kind: EventType
    ) -> ConversationView:
        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, command.name)
            seat = seat_of(call, found)
            check_etag(found, command.etag)
            now = self._clock.now()
            changed, event = change(found, actor=seat.actor, now=now)
            if event is not None:
                happening = Happening(kind, seat.side, found.name)
                await self._timelines.append(tx, Entry(found.name, self._ids.new(), now, happening))
                await self._store.save(tx, changed, expected=found.version)
                tx.record(event)
            return ConversationView(changed, seat, now)

        view = await self._database.command(call, work)
        self._feed.announce(command.name)
        return view

    async def _put_away(self, call: Call, name: str, *, away: bool) -> ConversationView:
        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, name)
            seat = seat_of(call, found)
            changed = lifecycle.archive(found, seat=seat, away=away)
            if changed != found:
                await self._store.save(tx, changed, expected=found.version)
            return ConversationView(changed, seat, self._clock.now())

        return await self._database.command(call, work)
