"""What messaging does about the facts of the other services: it keeps the timelines."""

from __future__ import annotations

from chassis.db import Database, Transaction
from chassis.envelope import Delivery
from services.messaging.app.leads import LeadBook
from services.messaging.app.offer_reminders import set_reminder
from services.messaging.app.ports import LiveFeed, Outcomes, Ratings, Timelines
from services.messaging.domain import conversation as conversations
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.rating import RatingEntry
from services.messaging.domain.timeline import Entry, Report, Subject


class Reactions:
    """Every consumed event becomes an entry in each conversation that it belongs to."""

    def __init__(
        self,
        database: Database,
        timelines: Timelines,
        feed: LiveFeed,
        *,
        outcomes: Outcomes,
        ratings: Ratings,
        leads: LeadBook,
    ) -> None:
        self._database = database
        self._timelines = timelines
        self._outcomes = outcomes
        self._ratings = ratings
        self._leads = leads
        self._feed = feed

    async def note(self, delivery: Delivery, report: Report) -> None:
        """Adds the report to its timelines, once; the first event about a subject begins its conversation."""
        touched: list[str] = []

        async def work(tx: Transaction) -> None:
            # Locks are taken in the order of the names, so that two reactions never wait for each other.
            ordered = sorted(report.subjects, key=lambda subject: subject.name.rpartition("/")[2])
            # Contention runs this again from the start.
            touched.clear()
            begun: list[Conversation] = []
            for subject in ordered:
                about, is_new = await self._note_at(tx, delivery, report, subject)
                touched.append(about.name)
                if is_new:
                    begun.append(about)
            if report.inquiry and await self._timelines.append(tx, _entry(delivery, report, report.inquiry)):
                touched.append(report.inquiry)
            if report.sale_of and report.sale_time is not None:
                await self._outcomes.sold(tx, report.sale_of, time=report.sale_time)
            if report.rating is not None:
                await self._ratings.add(tx, RatingEntry(report.rating, delivery.event_id, delivery.time))
            if report.reminder is not None and report.reminder.due > delivery.time:
                set_reminder(tx, report.reminder, touched)
            for each in begun:
                await self._leads.contacted(tx, each)

        await self._database.react(delivery, work)
        for name in touched:
            self._feed.announce(name)

    async def _note_at(
        self, tx: Transaction, delivery: Delivery, report: Report, subject: Subject
    ) -> tuple[Conversation, bool]:
        """The conversation about a subject, and whether this transaction begins it."""
        begun = conversations.about(
            subject=subject.name,
            origin=subject.origin,
            seller=report.seller,
            buyer=report.buyer,
            now=delivery.time,
        )
        entry = _entry(delivery, report, begun.name)
        # What usually comes first is not asked for in vain before.
        if not subject.begins and await self._timelines.append(tx, entry):
            return begun, False
        if await self._timelines.begin(tx, begun, entry):
            tx.record(conversations.started(begun))
            return begun, True
        await self._timelines.append(tx, entry)
        return begun, False


def _entry(delivery: Delivery, report: Report, conversation: str) -> Entry:
    return Entry(conversation, delivery.event_id, delivery.time, report.happening)
