"""What messaging does about the facts of the other services: it keeps the timelines."""

from __future__ import annotations

from chassis.db import Database, Transaction
from chassis.envelope import Delivery
from services.messaging.app.leads import LeadBook
from services.messaging.app.offer_reminders import set_reminder
from services.messaging.app.ports import Conversations, LiveFeed, Outcomes, Ratings, Timelines
from services.messaging.domain import conversation as conversations
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.rating import RatingEntry
from services.messaging.domain.timeline import Entry, Report, Subject


class Reactions:
    """Every consumed event becomes an entry in each conversation that it belongs to."""

    def __init__(
        self,
        database: Database,
        store: Conversations,
        timelines: Timelines,
        feed: LiveFeed,
        *,
        outcomes: Outcomes,
        ratings: Ratings,
        leads: LeadBook,
    ) -> None:
        self._database = database
        self._store = store
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
            if report.inquiry and await self._append(tx, delivery, report, report.inquiry):
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
        is_new = False
        begun = conversations.about(
            subject=subject.name,
            origin=subject.origin,
            seller=report.seller,
            buyer=report.buyer,
            now=delivery.time,
        )
        if not await self._append(tx, delivery, report, begun.name):
            is_new = await self._store.add(tx, begun)
            if is_new:
                tx.record(conversations.started(begun))
            await self._append(tx, delivery, report, begun.name)
        return begun, is_new

    async def _append(self, tx: Transaction, delivery: Delivery, report: Report, name: str) -> bool:
        return await self._timelines.append(
            tx, Entry(name, delivery.event_id, delivery.time, report.happening)
        )
