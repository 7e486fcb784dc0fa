"""Replays settings over the placements of a past period."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import not_found
from services.gating.app.ports import Placements, Sample, Sellers
from services.gating.domain import refusals, settings
from services.gating.domain.interval import Interval, past_interval
from services.gating.domain.settings import OrderSettings, SettingsChange
from services.gating.domain.simulation import (
    LONGEST_PERIOD,
    MAX_PLACEMENTS,
    BuyerHistory,
    Placement,
    Report,
    Simulation,
    Wanted,
    Workload,
)

PORTION: Final = 5_000
"""Placements that are judged before others get a turn and progress is told."""

SIMULATIONS_AT_ONCE: Final = 2
"""In one process; others wait. One simulation takes a whole core while it judges."""

HISTORIES_CAPACITY: Final = 200_000
"""Buyers whose history one simulation remembers; beyond that it asks again."""


@dataclass(frozen=True, slots=True)
class SimulateGate:
    """Replay a saved `version`, or `proposed` settings, or, with neither, the current ones."""

    seller: str
    version: int | None
    proposed: SettingsChange | None
    start: datetime | None
    end: datetime | None
    max_examples: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of `total` placements are judged."""

    judged: int
    total: int


@dataclass(frozen=True, slots=True)
class Found:
    """The result, with what it is about."""

    period: Interval
    sample: Sample
    report: Report


class Simulations:
    """Runs simulations, few at once."""

    def __init__(self, database: Database, *, sellers: Sellers, placements: Placements, clock: Clock) -> None:
        self._database = database
        self._sellers = sellers
        self._placements = placements
        self._clock = clock
        self._turns = asyncio.Semaphore(SIMULATIONS_AT_ONCE)

    async def simulate_gate(self, _call: Call, query: SimulateGate) -> AsyncIterator[Progress | Found]:
        """Progress, then the result. Refusal NOT_FOUND for a version that was never saved, and those of a
        save for proposed settings; SIMULATION_TOO_LARGE.
        """
        now = self._clock.now()
        period = past_interval(query.start, query.end, longest=LONGEST_PERIOD, now=now)

        async def begin(tx: Transaction) -> tuple[OrderSettings, Sample, Workload]:
            chosen = await self._chosen(tx, query, now)
            sample = await self._placements.sample(tx, query.seller, period)
            if sample.total > MAX_PLACEMENTS:
                raise refusals.simulation_too_large(MAX_PLACEMENTS)
            if not chosen.max_open_orders:
                return chosen, sample, Workload()
            limit = chosen.max_open_orders
            workload = await self._placements.workload(tx, query.seller, limit=limit, before=period.end)
            return chosen, sample, workload

        chosen, sample, workload = await self._database.read(begin)
        simulation = Simulation(chosen, workload=workload, max_examples=query.max_examples)
        return self._run(simulation, query.seller, period, sample)

    async def _chosen(self, tx: Transaction, query: SimulateGate, now: datetime) -> OrderSettings:
        if query.proposed is not None:
            # Judged by the same rules as a save, but nothing is saved: no version.
            proposed = settings.save(OrderSettings(query.seller), query.proposed, etag="", now=now).settings
            return settings.unsaved(proposed)
        if query.version is None:
            return await self._sellers.settings(tx, query.seller)
        found = await self._sellers.settings_version(tx, query.seller, query.version)
        if found is None:
            raise not_found(f"{query.seller}/orderSettings/versions/{query.version}")
        return found

    async def _run(
        self, simulation: Simulation, seller: str, period: Interval, sample: Sample
    ) -> AsyncIterator[Progress | Found]:
        async with self._turns:
            judged, histories = 0, dict[str, BuyerHistory | None]()
            yield Progress(judged, sample.total)
            coming = asyncio.create_task(self._portion(seller, period, None))
            try:
                while True:
                    portion = await coming
                    is_last = len(portion) < PORTION
                    if not is_last:
                        # Read while these are judged.
                        coming = asyncio.create_task(self._portion(seller, period, portion[-1]))
                    undecided = simulation.weigh(portion)
                    buyers = {placement.buyer for placement, _ in undecided}
                    await self._learn(histories, seller, buyers, simulation.wanted)
                    simulation.settle(undecided, histories)
                    judged += len(portion)
                    if is_last:
                        break
                    # What arrived meanwhile is judged as well.
                    yield Progress(judged, max(judged, sample.total))
            finally:
                coming.cancel()
            yield Found(period, sample, simulation.report())

    async def _portion(self, seller: str, period: Interval, after: Placement | None) -> Sequence[Placement]:
        return await self._database.read(
            lambda tx: self._placements.portion(tx, seller, period, after=after, limit=PORTION)
        )

    async def _learn(
        self, histories: dict[str, BuyerHistory | None], seller: str, buyers: set[str], wanted: Wanted
    ) -> None:
        """Makes `histories` know these buyers."""
        if len(histories) > HISTORIES_CAPACITY:
            histories.clear()
        unknown = buyers - histories.keys()
        if not unknown:
            return
        found = await self._database.read(lambda tx: self._placements.histories(tx, seller, unknown, wanted))
        histories.update({buyer: found.get(buyer) for buyer in unknown})
