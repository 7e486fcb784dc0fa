"""What the observer of an inquiry may know, kept apart from every conversation.

Nothing here can reach a conversation: it knows only the store of outcomes, which facts without text fill.
"""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.envelope import Delivery
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found
from services.messaging.app.ports import Outcomes, Ratings
from services.messaging.domain.outcome import ObservedContact, ObservedInquiry, Outcome
from services.messaging.domain.rating import RatingEntry, RatingFact


@dataclass(frozen=True, slots=True)
class ListOutcomes:
    """`observer` is `observers/{observer}`."""

    observer: str
    page: PageRequest


class OutcomeQueries:
    """Reading outcomes."""

    def __init__(self, database: Database, outcomes: Outcomes) -> None:
        self._database = database
        self._outcomes = outcomes

    async def get(self, call: Call, name: str) -> Outcome:
        """The outcome of an inquiry that the caller observes; Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> Outcome:
            found = await self._outcomes.load(tx, name.removesuffix("/outcome"))
            observers = () if found is None else (found.observer,)
            call.party(buyer="", seller="", name=name, observers=observers)
            assert found is not None
            return found

        return await self._database.read_for(call, work)

    async def list(self, call: Call, query: ListOutcomes) -> Page[Outcome]:
        """Those of an observer, who has to be the caller; Refusal NOT_FOUND."""
        if query.observer not in call.caller.observers:
            raise not_found(query.observer)
        return await self._database.read_for(
            call, lambda tx: self._outcomes.list_for(tx, observer=query.observer, page=query.page)
        )


class OutcomeReactions:
    """What our own events mean for observers. Most conversations have none: nothing is written then."""

    def __init__(self, database: Database, outcomes: Outcomes, ratings: Ratings) -> None:
        self._database = database
        self._outcomes = outcomes
        self._ratings = ratings

    async def began(self, delivery: Delivery, inquiry: ObservedInquiry | None) -> None:
        """An inquiry began."""
        if inquiry is not None:
            await self._database.react(
                delivery, lambda tx: self._outcomes.began(tx, inquiry, time=delivery.time)
            )

    async def contacted(self, delivery: Delivery, contact: ObservedContact | None) -> None:
        """The seller answered."""
        if contact is not None:
            await self._database.react(
                delivery, lambda tx: self._outcomes.contacted(tx, contact.conversation, time=delivery.time)
            )

    async def declined(self, delivery: Delivery, declined: tuple[RatingFact, ObservedContact | None]) -> None:
        """The seller declined an inquiry: an answer, which does not touch his rating."""
        fact, contact = declined

        async def work(tx: Transaction) -> None:
            await self._ratings.add(tx, RatingEntry(fact, delivery.event_id, delivery.time))
            if contact is not None:
                await self._outcomes.contacted(tx, contact.conversation, time=delivery.time)

        await self._database.react(delivery, work)
