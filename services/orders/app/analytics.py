"""What sellers sold: the reads, and how the sums are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from chassis import telemetry
from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import Refusal, invalid
from chassis.kernel.timetable import zone_of
from services.orders.domain import sales
from services.orders.domain.sales import Measure, Period, SalesAnalytics, SalesOrder, Span, Sum

FOLD_PAUSE_SECONDS: Final = 5.0

_log = telemetry.logger("orders.sales")

# A period of whole local days is at most two days longer than `MAX_DAYS` days of 24 hours.
MAX_LISTED: Final = timedelta(days=sales.MAX_DAYS + 2)


@dataclass(frozen=True, slots=True)
class GetSalesAnalytics:
    """The figures of `seller`; empty `listing`: of all he sells; empty `zone`: in his own."""

    seller: str
    listing: str
    zone: str
    start: datetime | None
    end: datetime | None
    period: Period


@dataclass(frozen=True, slots=True)
class ListSalesOrders:
    """The orders behind a number; empty `listing` and `currency`: all."""

    seller: str
    listing: str
    currency: str
    start: datetime
    end: datetime
    measure: Measure
    page: PageRequest


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums by the index of the period, and by listing."""

    periods: Mapping[int, Sequence[Sum]]
    listings: Mapping[str, Sequence[Sum]]


class Sales(Protocol):
    """Orders, added up as they change."""

    async def sums(self, tx: Transaction, seller: str, listing: str, periods: Sequence[Span]) -> Sums:
        """The sums of consecutive periods, all from one moment; listings only where `listing` is empty."""
        ...

    async def orders(self, tx: Transaction, query: ListSalesOrders) -> Page[SalesOrder]:
        """The orders behind a number, oldest first."""
        ...


class SalesUpkeep(Protocol):
    """Keeps the sums."""

    async def fold(self, tx: Transaction) -> int:
        """Adds some of the changes to the sums; how many."""
        ...

    async def sellers(self, tx: Transaction, after: str) -> Sequence[str]:
        """The next sellers of whom anything is known, by name."""
        ...

    async def rebuild(self, tx: Transaction, seller: str) -> None:
        """Adds up a seller's orders anew. The transaction sees one moment."""
        ...


class Zones(Protocol):
    """Where sellers are."""

    async def zone(self, seller: str) -> str:
        """The time zone of a seller's order settings. Refusal UNAVAILABLE PEER_UNAVAILABLE."""
        ...


class SalesQueries:
    """One method for each RPC about sales."""

    def __init__(self, database: Database, sums: Sales, *, zones: Zones, clock: Clock) -> None:
        self._database = database
        self._sales = sums
        self._zones = zones
        self._clock = clock

    async def get(self, _call: Call, query: GetSalesAnalytics) -> SalesAnalytics:
        """The figures, from the sums."""
        _check_listing(query.seller, query.listing)
        name = query.zone or await self._zones.zone(query.seller)
        zone = zone_of(name)
        whole = sales.span(query.start, query.end or self._clock.now(), zone)
        periods = sales.divided(whole, query.period, zone)

        async def work(tx: Transaction) -> Sums:
            return await self._sales.sums(tx, query.seller, query.listing, periods)

        found = await self._database.read(work)
        everything = [one for sums in found.periods.values() for one in sums]
        return SalesAnalytics(
            query.seller,
            query.listing,
            name,
            whole,
            sales.figures(everything),
            tuple((one, sales.figures(found.periods.get(index, ()))) for index, one in enumerate(periods)),
            sales.by_listing(found.listings),
            sales.exclusions(everything),
        )

    async def list_orders(self, _call: Call, query: ListSalesOrders) -> Page[SalesOrder]:
        """The orders behind a number."""
        _check_listing(query.seller, query.listing)
        if not timedelta() < query.end - query.start <= MAX_LISTED:
            raise invalid("end_time", f"must follow start_time, by {MAX_LISTED.days} days at most")
        return await self._database.read(lambda tx: self._sales.orders(tx, query))


def _check_listing(seller: str, listing: str) -> None:
    if listing and not listing.startswith(f"{seller}/"):
        raise invalid("listing", "belongs to another seller")


async def fold_all(database: Database, upkeep: SalesUpkeep) -> int:
    """Adds every change there is to the sums; says how many."""
    total = 0
    while done := await database.transact(upkeep.fold):
        total += done
    return total


async def keep_folding(database: Database, upkeep: SalesUpkeep) -> None:
    """Folds changes for as long as the service runs. What waits meanwhile is counted by whoever asks."""
    while True:
        try:
            await fold_all(database, upkeep)
        except Refusal as refusal:
            _log.warning("folding_paused", reason=refusal.reason)
        await asyncio.sleep(FOLD_PAUSE_SECONDS)


async def rebuild_analytics(database: Database, *, upkeep: SalesUpkeep) -> str:
    """Adds everything up again from the orders, one seller in each transaction; says what was done.

    It may run beside the service: what changes meanwhile is added to what is found here.
    """
    count, last = 0, ""
    while names := await _sellers(database, upkeep, last):
        for name in names:
            await _rebuild(database, upkeep, name)
        count, last = count + len(names), names[-1]
    return f"the sales of {count} sellers were added up anew"


async def _sellers(database: Database, upkeep: SalesUpkeep, last: str) -> Sequence[str]:
    return await database.read(lambda tx: upkeep.sellers(tx, last))


async def _rebuild(database: Database, upkeep: SalesUpkeep, name: str) -> None:
    await database.transact(lambda tx: upkeep.rebuild(tx, name), serializable=True)
