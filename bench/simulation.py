"""SimulateGate over 100,000 placements of one seller."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg
import grpc

from bench.figures import Figure
from bench.rig import Rig, processor_seconds
from parley.gating.v1.gating_service_pb2 import SimulateGateRequest, SimulateGateResponse
from parley.gating.v1.gating_service_pb2_grpc import GatingServiceStub
from parley.gating.v1.order_settings_pb2 import OrderSettings

SELLER = "sellers/simulated"
PLACEMENTS = 100_000
ROUNDS = 3
GOAL_SECONDS = 2.0

# Over the last 80 days, of 30,000 buyers, so that two thirds of the placements are those of returning ones.
_ORDERS = """
INSERT INTO known_order (name, version, seller, buyer, package, intake, place_time, is_open, confirm_time,
    close_time)
SELECT 'orders/s' || n, 3, $1, 'users/b' || n * 7919 % 30000, $1 || '/listings/l/packages/p' || n % 20,
    'INSTANT', placed, false, placed, placed + interval '3 days'
FROM generate_series(1, $2::int) AS n,
    LATERAL (SELECT now() - interval '80 days' + n * interval '80 days' / $2::int AS placed) AS at
"""
_CONFIRMED = """
INSERT INTO confirmed_order (name, buyer, seller, confirm_time)
SELECT name, buyer, seller, confirm_time FROM known_order WHERE seller = $1
"""
_READ = (
    "SELECT name, package, buyer, intake, place_time FROM known_order WHERE seller = $1 ORDER BY place_time"
)


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    first: float
    messages: int
    processor: float


def simulate(rig: Rig) -> Figure:
    """Settings that look at everything: windows, returning buyers and the capacity."""
    asyncio.run(_fill(rig))
    gating = rig.pid("gating")
    runs = [asyncio.run(_simulate(rig, gating)) for _ in range(ROUNDS)]
    read = median(asyncio.run(_read(rig)) for _ in range(ROUNDS))
    seconds = median(run.seconds for run in runs)
    return Figure(
        name=f"SimulateGate of {PLACEMENTS:,} placements, s",
        measured=f"{seconds:.2f}",
        floor=f"{read:.2f} (reading the same rows)",
        result=f"{PLACEMENTS / seconds:,.0f} placements/s",
        goal=f"below {GOAL_SECONDS:g}",
        reached=seconds < GOAL_SECONDS,
        details=(
            f"{runs[0].messages} messages are streamed, the first after {runs[0].first * 1000:.0f} ms",
            f"{median(run.processor for run in runs):.2f} s of gating's processor time",
            "nights, returning buyers and 5,000 open orders are looked at",
        ),
    )


async def _fill(rig: Rig) -> None:
    connection = await asyncpg.connect(rig.dsn("gating"))
    try:
        await connection.execute(_ORDERS, SELLER, PLACEMENTS, timeout=300)
        await connection.execute(_CONFIRMED, SELLER, timeout=300)
        await connection.execute("VACUUM (ANALYZE) known_order, confirmed_order", timeout=300)
    finally:
        await connection.close()


async def _read(rig: Rig) -> float:
    connection = await asyncpg.connect(rig.dsn("gating"))
    try:
        began = time.perf_counter()
        rows = await connection.fetch(_READ, SELLER)
        assert len(rows) == PLACEMENTS
        return time.perf_counter() - began
    finally:
        await connection.close()


async def _simulate(rig: Rig, pid: int) -> _Run:
    days: list[Any] = [1, 2, 3, 4, 5, 6, 7]
    proposed = OrderSettings(
        enabled=True,
        scope=OrderSettings.Scope(all_packages=True),
        audience=OrderSettings.AUDIENCE_NEW_BUYERS,
        time_zone="Europe/Berlin",
        windows=[
            OrderSettings.Window(days=days, start=start, end=end)
            for start, end in (("00:00", "06:00"), ("21:00", "24:00"))
        ],
        max_open_orders=5_000,
    )
    request = SimulateGateRequest(name=f"{SELLER}/orderSettings", proposed=proposed)
    token = rig.stack.token("seller", seller=SELLER.partition("/")[2])
    async with grpc.aio.insecure_channel(rig.stack.grpc["gating"]) as channel:
        gating: Any = GatingServiceStub(channel)
        began, used = time.perf_counter(), processor_seconds(pid)
        metadata = (("authorization", f"Bearer {token}"),)
        answers = gating.SimulateGate(request, metadata=metadata, timeout=60)
        arrived: list[tuple[float, SimulateGateResponse]] = [
            (time.perf_counter() - began, message) async for message in answers
        ]
        (first, _), (seconds, last) = arrived[0], arrived[-1]
        assert last.simulation.sample_size == PLACEMENTS
        return _Run(seconds, first, len(arrived), processor_seconds(pid) - used)
