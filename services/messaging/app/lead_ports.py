"""What leads and consents need from outside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest
from services.messaging.domain.consent import ConsentType, Decision
from services.messaging.domain.lead import Change, Disclosure, FeedItem, Means, ShownLead, Source


@dataclass(frozen=True, slots=True)
class LeadChange:
    """What enters the feed of `seller` about his lead `buyer`. `consents`: what held before or after it."""

    seller: str
    buyer: str
    change: Change
    consents: Collection[ConsentType]
    time: datetime
    conversation: str = ""


class Leads(Protocol):
    """Keeps leads and their feeds. Whoever adds to them holds the lock of the buyer's profile, and takes no
    lock of a conversation or a profile afterwards.
    """

    async def contacted(self, tx: Transaction, change: LeadChange, *, lead_id: str, source: Source) -> None:
        """A conversation began: makes the lead where there is none (`lead_id`), moves it on otherwise, and
        adds the change to the feed.
        """
        ...

    async def sellers_of(self, tx: Transaction, buyer: str) -> Sequence[str]:
        """Whose lead somebody is."""
        ...

    async def append(self, tx: Transaction, changes: Sequence[LeadChange]) -> None:
        """Adds to the feeds, at most one change to each. Sellers whose lead the buyer is not get nothing."""
        ...

    async def last_position(self, tx: Transaction, seller: str) -> int:
        """Of the feed: everything up to it can be read; 0 where there is nothing."""
        ...

    async def feed(
        self, tx: Transaction, seller: str, *, consent: ConsentType | None, after: int, limit: int
    ) -> list[FeedItem]:
        """What follows the position `after`, in order."""
        ...

    async def table(
        self, tx: Transaction, seller: str, *, consent: ConsentType | None, page: PageRequest
    ) -> Page[ShownLead]:
        """The leads themselves, by id, without those that were erased."""
        ...


class Consents(Protocol):
    """Keeps decisions."""

    async def decisions(self, tx: Transaction, user: str) -> list[Decision]:
        """For each seller (and all) and type, the newest."""
        ...

    async def add(self, tx: Transaction, decision: Decision) -> None:
        """Adds one; the profile of its person is locked."""
        ...

    async def history(self, tx: Transaction, user: str, page: PageRequest) -> Page[Decision]:
        """All of them, the newest first."""
        ...


class Disclosures(Protocol):
    """Keeps who saw what."""

    async def add(self, tx: Transaction, user: str, disclosure: Disclosure) -> None:
        """Adds one."""
        ...

    async def add_daily(
        self, tx: Transaction, leads: Sequence[ShownLead], *, reader: str, means: Means, now: datetime
    ) -> None:
        """Adds those of leads that show anything, once a day for each reader and person."""
        ...

    async def of_person(self, tx: Transaction, user: str, page: PageRequest) -> Page[Disclosure]:
        """Who saw his data, the newest first."""
        ...
