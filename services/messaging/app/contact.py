"""The buyer's phone number: behind a click, and each click recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from services.messaging.app.leads import LeadBook
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain import contact
from services.messaging.domain.timeline import Entry, EventType, Happening


class Phones(Protocol):
    """Knows the phone numbers of people."""

    async def phone_of(self, tx: Transaction, user: str) -> str:
        """The number of `users/{user}`; empty where he left none."""
        ...


@dataclass(frozen=True, slots=True)
class Revealed:
    """The conversation, and the number for who asked."""

    conversation: ConversationView
    phone: str


class ContactCommands:
    """Showing contact data."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        timelines: Timelines,
        phones: Phones,
        feed: LiveFeed,
        *,
        leads: LeadBook,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._store = store
        self._timelines = timelines
        self._phones = phones
        self._feed = feed
        self._leads = leads
        self._clock = clock
        self._ids = ids

    async def reveal_phone(self, call: Call, name: str) -> Revealed:
        """Refusals: NOT_FOUND, NO_PHONE."""

        async def work(tx: Transaction) -> Revealed:
            found = await self._store.load_for_update(tx, name)
            seat = seat_of(call, found)
            now = self._clock.now()
            changed, event = contact.reveal_phone(found, seat=seat, now=now)
            happening = Happening(EventType.PHONE_REVEALED, seat.side, seat.user)
            await self._timelines.append(tx, Entry(name, self._ids.new(), now, happening))
            await self._store.save(tx, changed, expected=found.version)
            tx.record(event)
            phone = await self._phones.phone_of(tx, found.buyer)
            await self._leads.revealed(tx, found, reader=seat.user)
            return Revealed(ConversationView(changed, seat, now), phone)

        revealed = await self._database.command(call, work)
        self._feed.announce(name)
        return revealed
