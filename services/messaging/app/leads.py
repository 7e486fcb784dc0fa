"""Leads: who is in contact with a seller, and what he may know of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.page import Page, PageRequest
from chassis.paging import all_pages
from services.messaging.app.lead_ports import Consents, Disclosures, LeadChange, Leads
from services.messaging.app.profiles import Profiles
from services.messaging.domain.consent import ConsentType, Decision, added, given, standing
from services.messaging.domain.conversation import Conversation
from services.messaging.domain.lead import (
    Change,
    ContactData,
    Disclosure,
    FeedItem,
    Means,
    ShownLead,
    contact_data,
    source_of,
)
from services.messaging.domain.profile import Profile

PAGE_ROWS: Final = 500
"""Leads that the table reads at once."""


@dataclass(frozen=True, slots=True)
class ListLeads:
    """The feed of `seller` behind the position `after`."""

    seller: str
    consent: ConsentType | None
    after: int
    size: int


@dataclass(frozen=True, slots=True)
class LeadsPage:
    """Items, and whether there are more behind them. `end`: the last position that was looked at."""

    items: tuple[FeedItem, ...]
    end: int
    more: bool


@dataclass(frozen=True, slots=True)
class ExportLeads:
    """The leads of `seller` that hold a consent; None: all."""

    seller: str
    consent: ConsentType | None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of the table; the first piece has the headings."""

    leads: tuple[ShownLead, ...]
    is_first: bool


class LeadBook:
    """Keeps the feeds in step with what happens. Every feed is locked last, after conversations and profiles:
    so nobody waits in a circle.
    """

    def __init__(
        self,
        leads: Leads,
        consents: Consents,
        disclosures: Disclosures,
        people: Profiles,
        *,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._leads = leads
        self._consents = consents
        self._disclosures = disclosures
        self._people = people
        self._clock = clock
        self._ids = ids

    async def contacted(
        self, tx: Transaction, begun: Conversation, consents: tuple[ConsentType, ...] = ()
    ) -> None:
        """A conversation began, with these consents for its seller."""
        await self._people.load_for_update(tx, begun.buyer)
        for kind in consents:
            decision = Decision(begun.buyer, begun.seller, kind, True, begun.create_time, begun.name)
            await self._consents.add(tx, decision)
        change = await self._change(tx, begun, Change.CONTACTED, begun.create_time)
        await self._leads.contacted(tx, change, lead_id=self._ids.new(), source=source_of(begun.subject))

    async def revealed(self, tx: Transaction, about: Conversation, *, reader: str) -> None:
        """Somebody of the team looked at the buyer's number."""
        now = self._clock.now()
        await self._people.load_for_update(tx, about.buyer)
        shown = Disclosure(self._ids.new(), Means.PHONE_REVEALED, about.seller, reader, about.name, now)
        await self._disclosures.add(tx, about.buyer, shown)
        await self._leads.append(tx, [await self._change(tx, about, Change.PHONE_REVEALED, now)])

    async def _change(
        self, tx: Transaction, about: Conversation, change: Change, time: datetime
    ) -> LeadChange:
        held = given(await self._consents.decisions(tx, about.buyer), about.seller)
        return LeadChange(about.seller, about.buyer, change, tuple(held), time, about.name)

    async def profile_saved(self, tx: Transaction, before: Profile, after: Profile) -> None:
        """Tells the sellers who are allowed to see what changed."""
        if _contact(before) == _contact(after):
            return
        decisions = await self._consents.decisions(tx, after.user)
        if not any(each.granted for each in decisions):
            return
        now = self._clock.now()
        changes = []
        for seller in await self._leads.sellers_of(tx, after.user):
            held = given(decisions, seller)
            if held:
                change = Change.CONTACT_DATA_CHANGED
                changes.append(LeadChange(seller, after.user, change, tuple(held), now))
        await self._leads.append(tx, changes)

    async def decided(self, tx: Transaction, decision: Decision) -> Decision:
        """Keeps what a person decided, whose profile is locked, and tells the sellers for whom it changes
        something. Where the same holds already, that decision is answered and nothing done.
        """
        user, before = decision.user, await self._consents.decisions(tx, decision.user)
        found = standing(before, decision.seller, decision.type)
        if found is not None and found.granted is decision.granted:
            return found
        await self._consents.add(tx, decision)
        after = added(before, decision)
        change = Change.CONSENT_GIVEN if decision.granted else Change.CONSENT_WITHDRAWN
        changes = []
        for seller in await self._leads.sellers_of(tx, user):
            held, holds = given(before, seller), given(after, seller)
            if held.keys() != holds.keys():
                consents = held.keys() | holds.keys()
                changes.append(
                    LeadChange(seller, user, change, consents, decision.time, decision.conversation)
                )
        await self._leads.append(tx, changes)
        return decision

    async def erased(self, tx: Transaction, user: str) -> None:
        """The person is erased: every feed that names him ends his lead. His profile is locked."""
        decisions, now = await self._consents.decisions(tx, user), self._clock.now()
        changes = [
            LeadChange(seller, user, Change.ERASED, tuple({each.type for each in decisions}), now)
            for seller in await self._leads.sellers_of(tx, user)
        ]
        await self._leads.append(tx, changes)


class LeadQueries:
    """Reading leads. That contact data was shown is recorded before it leaves."""

    def __init__(self, database: Database, leads: Leads, disclosures: Disclosures, clock: Clock) -> None:
        self._database = database
        self._leads = leads
        self._disclosures = disclosures
        self._clock = clock

    async def list(self, call: Call, query: ListLeads) -> LeadsPage:
        """A part of the feed."""

        async def work(tx: Transaction) -> LeadsPage:
            # Read before the feed, so that nothing up to it is missed there.
            last = 0 if query.consent is None else await self._leads.last_position(tx, query.seller)
            found = await self._leads.feed(
                tx, query.seller, consent=query.consent, after=query.after, limit=query.size + 1
            )
            items = tuple(found[: query.size])
            await self._record(tx, call, tuple(each.shown for each in items), Means.LEADS_LISTED)
            end = items[-1].position if items else query.after
            more = len(found) > query.size
            # What does not match up to the end of the feed need not be looked at again.
            return LeadsPage(items, end if more else max(end, last), more)

        return await self._database.transact(work)

    async def export(self, call: Call, query: ExportLeads) -> AsyncIterator[Piece]:
        """The leads as they are, piece by piece."""
        return self._pieces(call, query)

    async def _pieces(self, call: Call, query: ExportLeads) -> AsyncIterator[Piece]:
        is_first = True
        async for page in all_pages(partial(self._page, call, query), size=PAGE_ROWS):
            yield Piece(page.items, is_first)
            is_first = False

    async def _page(self, call: Call, query: ExportLeads, request: PageRequest) -> Page[ShownLead]:
        async def work(tx: Transaction) -> Page[ShownLead]:
            page = await self._leads.table(tx, query.seller, consent=query.consent, page=request)
            await self._record(tx, call, page.items, Means.LEADS_EXPORTED)
            return page

        return await self._database.transact(work)

    async def _record(self, tx: Transaction, call: Call, leads: tuple[ShownLead, ...], means: Means) -> None:
        await self._disclosures.add_daily(
            tx, leads, reader=call.principal, means=means, now=self._clock.now()
        )


def _contact(profile: Profile) -> ContactData:
    """What a consent shows of a profile."""
    return contact_data(
        display_name=profile.display_name,
        email=profile.email,
        email_state=profile.email_state,
        phone=profile.phone,
    )
