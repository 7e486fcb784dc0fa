"""Reminding a buyer of an offer that ends soon and still waits for him."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from services.messaging.app.ports import Conversations, LiveFeed, Timelines
from services.messaging.domain.side import Side
from services.messaging.domain.timeline import Entry, EventType, Happening, Reminder

REMIND: Final = "offer.remind"
"""Timer: an offer ends soon."""


def set_reminder(tx: Transaction, reminder: Reminder, conversations: Sequence[str]) -> None:
    """Sets it, in the place of an earlier revision's. Whether the offer waits then is seen then."""
    payload = {"revision": reminder.revision, "conversations": list(conversations)}
    tx.schedule(REMIND, reminder.offer, reminder.due, payload)


class OfferReminders:
    """One method per timer."""

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

    async def remind(self, timer: DueTimer) -> None:
        """Adds an entry to each conversation of the offer, which tells the buyer; nothing where he, time
        or the seller was quicker.
        """
        names = sorted(timer.payload["conversations"])
        # One id: people are told of it once, in however many conversations it stands.
        entry_id = self._ids.new()
        reminded: list[str] = []

        async def work(tx: Transaction) -> None:
            reminded.clear()
            for name in names:
                await self._store.load_for_update(tx, name)
                last = await self._timelines.standing(tx, conversation=name, resource=timer.key)
                if last is None or last.side is not Side.SELLER or last.revision != timer.payload["revision"]:
                    continue
                soon = Happening(
                    EventType.OFFER_EXPIRES_SOON, Side.SYSTEM, timer.key, last.revision, last.amount
                )
                await self._timelines.append(tx, Entry(name, entry_id, self._clock.now(), soon))
                reminded.append(name)

        await self._database.fire(timer, work)
        for name in reminded:
            self._feed.announce(name)
