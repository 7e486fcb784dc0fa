"""Feedback, and the rating that comes of it."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.envelope import Delivery
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest
from services.messaging.app.ports import Conversations, LiveFeed, Ratings, Timelines
from services.messaging.app.seats import seat_of
from services.messaging.app.views import ConversationView
from services.messaging.domain import feedback
from services.messaging.domain.rating import PERIOD, Rating, RatingEntry, RatingFact
from services.messaging.domain.timeline import Entry, EventType, Happening


@dataclass(frozen=True, slots=True)
class LeaveFeedback:
    """`rating` from 1 to 5; `text` may be empty."""

    name: str
    rating: int
    text: str


@dataclass(frozen=True, slots=True)
class ListRatingEntries:
    """`seller` is `sellers/{seller}`."""

    seller: str
    page: PageRequest


class FeedbackCommands:
    """What buyers say."""

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

    async def leave(self, call: Call, command: LeaveFeedback) -> ConversationView:
        """Refusals: NOT_FOUND, FEEDBACK_EXISTS."""

        async def work(tx: Transaction) -> ConversationView:
            found = await self._store.load_for_update(tx, command.name)
            seat = seat_of(call, found)
            now = self._clock.now()
            changed, event = feedback.leave(
                found, seat=seat, rating=command.rating, text=command.text, now=now
            )
            happening = Happening(EventType.FEEDBACK_LEFT, seat.side, found.name)
            await self._timelines.append(tx, Entry(found.name, self._ids.new(), now, happening))
            await self._store.save(tx, changed, expected=found.version)
            tx.record(event)
            return ConversationView(changed, seat, now)

        view = await self._database.command(call, work)
        self._feed.announce(command.name)
        return view


class RatingQueries:
    """Reading ratings."""

    def __init__(self, database: Database, ratings: Ratings, clock: Clock) -> None:
        self._database = database
        self._ratings = ratings
        self._clock = clock

    async def get(self, call: Call, seller: str) -> Rating:
        """How a seller is rated now."""
        since = self._clock.now() - PERIOD
        return await self._database.read(lambda tx: self._ratings.rating(tx, seller, since=since))

    async def entries(self, call: Call, query: ListRatingEntries) -> Page[RatingEntry]:
        """What is behind it, the newest first."""
        return await self._database.read(
            lambda tx: self._ratings.entries(tx, seller=query.seller, page=query.page)
        )


class RatingReactions:
    """What our own events mean for ratings."""

    def __init__(self, database: Database, ratings: Ratings) -> None:
        self._database = database
        self._ratings = ratings

    async def note(self, delivery: Delivery, fact: RatingFact) -> None:
        """Keeps an entry, once."""
        entry = RatingEntry(fact, delivery.event_id, delivery.time)
        await self._database.react(delivery, lambda tx: self._ratings.add(tx, entry))
