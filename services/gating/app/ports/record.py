"""What happened, for the figures and for simulations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from services.gating.domain.facts import Fact, Visit
from services.gating.domain.interval import Interval
from services.gating.domain.metrics import OrderLife, SettingsSave
from services.gating.domain.responses import Declaration, PlannedClosure, RequestLife
from services.gating.domain.simulation import BuyerHistory, Placement, Wanted, Workload


class Record(Protocol):
    """What happened, for the figures. What is there already stays as it is."""

    async def keep(self, tx: Transaction, fact: Fact) -> None:
        """Keeps a fact, in one statement."""
        ...

    async def add_visit(self, tx: Transaction, found: Visit) -> bool:
        """Keeps a visit, in one statement; False where that buyer's of that day is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Restored:
    """How many facts were added, and from which event on to continue; empty: there are no more."""

    added: int
    cursor: str


class Journal(Protocol):
    """What the record of facts says, for one seller. An empty listing: all of his."""

    def requests(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> AsyncIterator[Sequence[RequestLife]]:
        """Requests and inquiries that began in an interval, newest first, in portions."""
        ...

    def orders(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> AsyncIterator[Sequence[OrderLife]]:
        """Orders that were placed in an interval, newest first, in portions."""
        ...

    async def declarations(self, tx: Transaction, seller: str, *, before: datetime) -> Sequence[Declaration]:
        """Every declaration of availability, those for listings included, oldest first."""
        ...

    async def planned_closures(
        self, tx: Transaction, seller: str, *, before: datetime
    ) -> Sequence[PlannedClosure]:
        """Every absence with messages closed that was planned, those of listings included."""
        ...

    async def saves(self, tx: Transaction, seller: str, *, before: datetime) -> Sequence[SettingsSave]:
        """Every save of the order settings, oldest first."""
        ...

    async def visits(
        self, tx: Transaction, seller: str, listing: str, intervals: Sequence[Interval]
    ) -> Sequence[int]:
        """How many visits each of some intervals had."""
        ...

    async def visited_listings(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Mapping[str, int]:
        """How many visits each listing had, where it had any."""
        ...

    async def visit_names(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Sequence[str]:
        """The newest visits, as many as an answer names, and one more."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """How many placements of a period can be judged, and how many not: orders made by accepting an offer, and
    requests that were sent while nobody took orders.
    """

    total: int
    accepted: int
    unavailable: int


class Placements(Protocol):
    """Orders that were placed and requests that were submitted."""

    async def sample(self, tx: Transaction, seller: str, period: Interval) -> Sample:
        """How many there are."""
        ...

    async def portion(
        self, tx: Transaction, seller: str, period: Interval, *, after: Placement | None, limit: int
    ) -> Sequence[Placement]:
        """Those that follow `after`, in the order of time and name."""
        ...

    async def histories(
        self, tx: Transaction, seller: str, buyers: Collection[str], wanted: Wanted
    ) -> Mapping[str, BuyerHistory]:
        """What is known of those buyers of whom anything is, as far as it is wanted."""
        ...

    async def workload(self, tx: Transaction, seller: str, *, limit: int, before: datetime) -> Workload:
        """When as many orders as `limit` were open."""
        ...


class Upkeep(Protocol):
    """Makes the record whole again, and what is derived from it anew."""

    async def restore(self, tx: Transaction, after: str) -> Restored:
        """Adds the facts that kept events after `after` tell and the record lacks, a batch at a time."""
        ...

    async def sellers(self, tx: Transaction, after: str) -> Sequence[str]:
        """The next sellers of whom anything is recorded or derived, by name; none behind the last one."""
        ...

    async def derive(self, tx: Transaction, seller: str) -> None:
        """Derives everything of one seller from his facts, and drops what was derived before."""
        ...
