"""The figures: what is counted, and what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import denied, invalid, not_found
from services.gating.app.gate import Gate
from services.gating.app.ports import Journal, Record
from services.gating.domain import metrics, refusals, responses
from services.gating.domain.catalogue import seller_of
from services.gating.domain.facts import Visit
from services.gating.domain.interval import Interval, past_interval
from services.gating.domain.metrics import (
    GateMetrics,
    Impact,
    ListingFigures,
    ListingTally,
    OrderLife,
    OrderTally,
    RequestTally,
)
from services.gating.domain.responses import Count, RateTally


@dataclass(frozen=True, slots=True)
class RecordVisit:
    """`buyer` looks at `listing`. Empty: the caller himself."""

    listing: str
    buyer: str


@dataclass(frozen=True, slots=True)
class VisitView:
    """Whether a visit counts, and for which local day."""

    counted: bool
    day: date


@dataclass(frozen=True, slots=True)
class GetGateMetrics:
    """The figures of a seller from `start` to before `end`; None: the usual period, until now."""

    seller: str
    listing: str
    start: datetime | None
    end: datetime | None
    include_ids: bool


class Metrics:
    """One method for each RPC about figures."""

    def __init__(
        self, database: Database, *, record: Record, journal: Journal, gate: Gate, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._record = record
        self._journal = journal
        self._gate = gate
        self._clock = clock
        self._ids = ids

    async def record_visit(self, call: Call, command: RecordVisit) -> VisitView:
        """Counts a visit once for each buyer, listing and local day."""
        caller, listing, seller = call.caller, command.listing, seller_of(command.listing)
        buyer = command.buyer or caller.user
        if caller.is_service:
            if not command.buyer:
                raise invalid("buyer", "a service names the buyer for whom it calls")
        elif buyer != caller.user:
            raise denied("recordVisit", buyer)
        zone = await self._gate.zone_of(listing)
        now = self._clock.now()
        visit_id, is_own = self._ids.new(), caller.role_in(seller) is not None

        async def work(tx: Transaction) -> VisitView:
            if zone is None:
                raise not_found(listing)
            visit = Visit(visit_id, seller, listing, buyer, now.astimezone(zone).date(), now)
            counted = not is_own and await self._record.add_visit(tx, visit)
            return VisitView(counted, visit.day)

        if call.idempotency is None:
            # The row is its own memory: one statement is enough.
            return await self._database.write_once(work)
        return await self._database.command(call, work)

    async def get_gate_metrics(self, _call: Call, query: GetGateMetrics) -> GateMetrics:
        """The figures, from the record alone."""
        if query.listing and seller_of(query.listing) != query.seller:
            raise refusals.scope_foreign("listing", query.listing)
        now = self._clock.now()
        period = past_interval(query.start, query.end, longest=metrics.LONGEST_PERIOD, now=now)
        if period.start >= period.end:
            raise invalid("start_time", "must lie before the period's end, which is never later than now")
        return await self._database.read(lambda tx: self._figures(tx, query, period, now))

    async def _figures(
        self, tx: Transaction, query: GetGateMetrics, period: Interval, now: datetime
    ) -> GateMetrics:
        seller, listing, journal = query.seller, query.listing, self._journal
        rated = Interval(period.end - responses.RATE_PERIOD, period.end)
        compared = metrics.comparisons(await journal.saves(tx, seller, before=period.end), period)
        intervals = [period, *(half for each in compared for half in (each.before, each.after))]
        reach = Interval(min(rated.start, *(each.start for each in intervals)), period.end)
        named = metrics.NAMED_IDS if query.include_ids else 0
        became: dict[str, OrderLife] = {}
        placed, sold = [OrderTally(each, named) for each in intervals], ListingTally(period, named)
        async for orders in journal.orders(tx, seller, listing, reach):
            for made in placed:
                made.add(orders)
            sold.add(orders)
            for order in orders:
                if order.order_request:
                    became.setdefault(order.order_request, order)
        closed = responses.closures(
            await journal.declarations(tx, seller, before=now),
            await journal.planned_closures(tx, seller, before=now),
        )
        begun = [RequestTally(each, became, named) for each in intervals]
        answered = RateTally(closed, seller=seller, interval=rated, now=now, named=named)
        async for requests in journal.requests(tx, seller, listing, reach):
            for asked in begun:
                asked.add(requests)
            answered.add(requests)
        found = []
        for visits, asked, made in zip(await self._visits(tx, query, intervals), begun, placed, strict=True):
            found.append(asked.figures(visits, made))
            # To sort the response times of one is enough for a turn.
            await asyncio.sleep(0)
        impacts = zip(compared, found[1::2], found[2::2], strict=True)
        listings: tuple[ListingFigures, ...] = ()
        if not listing:
            seen = await journal.visited_listings(tx, seller, listing, period)
            listings = sold.figures({name: Count(number) for name, number in seen.items()})
        return GateMetrics(
            seller,
            listing,
            found[0],
            answered.rate(),
            tuple(Impact(each.save, before, after) for each, before, after in impacts),
            listings,
        )

    async def _visits(
        self, tx: Transaction, query: GetGateMetrics, intervals: Sequence[Interval]
    ) -> Sequence[Count]:
        numbers = await self._journal.visits(tx, query.seller, query.listing, intervals)
        if not query.include_ids:
            return [Count(number) for number in numbers]
        counts = []
        for number, interval in zip(numbers, intervals, strict=True):
            names = await self._journal.visit_names(tx, query.seller, query.listing, interval)
            counts.append(Count(number, tuple(names)))
        return counts
