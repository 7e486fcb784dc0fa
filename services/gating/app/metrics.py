"""The figures: what is counted, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import denied, invalid, not_found
from services.gating.app.gate import Gate
from services.gating.app.ports import Record
from services.gating.domain.catalogue import seller_of
from services.gating.domain.facts import Visit


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


class Metrics:
    """One method for each RPC about figures."""

    def __init__(self, database: Database, *, record: Record, gate: Gate, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._record = record
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
