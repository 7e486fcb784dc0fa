"""EvaluateGate and PlaceOrder: how many calls a service answers beside a bare server that does the least."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import asyncpg
import grpc

from bench import floors, load
from bench.figures import Figure, spread
from bench.rig import Rig, beside, processor_seconds
from parley.gating.v1.gating_service_pb2 import EvaluateGateRequest
from parley.orders.v1.orders_service_pb2 import PlaceOrderRequest
from parley.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from parley.type.v1.commerce_pb2 import PAYMENT_METHOD_OFFLINE
from stack.demo.marketplace import read

ROUNDS = 5
GATE_CALLERS = 16
ORDER_CALLERS = 32
EVALUATE = "/parley.gating.v1.GatingService/EvaluateGate"
PLACE = "/parley.orders.v1.OrdersService/PlaceOrder"
GATE_GOAL, MANY_GATE_GOAL, ORDER_GOAL = 0.7, 0.75, 0.4
SELLERS, HOT_SELLERS = 100_000, 1_000
_GATED = "sellers/kumo"
UNGATED = "sellers/acme/listings/logo-check/packages/express"


def evaluate_gate(rig: Rig) -> Figure:
    """EvaluateGate over every package of the demo marketplace, hot, against an echo of the same request."""
    packages = [package.name for listing in read().listings() for package in listing.packages]
    return _evaluate(rig, packages, "EvaluateGate, calls/s", GATE_GOAL)


def _evaluate(rig: Rig, packages: list[str], name: str, goal: float) -> Figure:
    requests = [EvaluateGateRequest(package=name).SerializeToString().hex() for name in packages]
    address, token = rig.stack.grpc["gating"], rig.stack.token("buyer", user="bench")
    with (
        rig.held_still("orders", "offers", "messaging", "gateway"),
        beside("bench.floors", "echo") as (floor_address, floor_pid),
    ):
        ours = load.Job(address, EVALUATE, requests, token, GATE_CALLERS, load.SECONDS)
        floor = load.Job(floor_address, floors.ECHO, requests, token, GATE_CALLERS, load.SECONDS)
        return compare(
            name,
            goal=goal,
            ours=Side(ours, [rig.pid("gating")]),
            floor=Side(floor, [floor_pid]),
            notes=(
                "the other services are held still, so that each side is one process",
                f"{len(packages):,} packages in turn",
            ),
        )


def evaluate_gate_of_many(rig: Rig) -> Figure:
    """The same with the settings of `SELLERS` in the database and the packages of `HOT_SELLERS` in demand."""
    packages = asyncio.run(_multiply_sellers(rig))
    rig.tidy()
    return _evaluate(rig, packages, "EvaluateGate of many sellers, calls/s", MANY_GATE_GOAL)


async def _multiply_sellers(rig: Rig) -> list[str]:
    """Copies a gated seller of the demo many times; answers the packages that are in demand."""
    connection = await asyncpg.connect(rig.dsn("gating"))
    try:
        await connection.execute(_MANY_SETTINGS, SELLERS)
        await connection.execute(_MANY_PLANS, SELLERS)
        rows = await connection.fetch(_MANY_LISTINGS, HOT_SELLERS)
    finally:
        await connection.close()
    return [row["package"] for row in rows]


def place_order(rig: Rig) -> Figure:
    """PlaceOrder of a package that is not gated, committed with event and key, against the same inserts."""
    request = PlaceOrderRequest(package=UNGATED, payment_method=PAYMENT_METHOD_OFFLINE)
    address, token = rig.stack.grpc["orders"], rig.stack.token("buyer", user="bench")
    asyncio.run(_place_one(address, token, request))
    key_field = PlaceOrderRequest.DESCRIPTOR.fields_by_name["request_id"].number
    encoded = [request.SerializeToString().hex()]
    with (
        rig.held_still("offers", "messaging", "gateway"),
        beside("bench.floors", "insert", rig.dsn("orders")) as (floor_address, floor_pid),
    ):
        ours = load.Job(address, PLACE, encoded, token, ORDER_CALLERS, load.SECONDS, key_field)
        floor = load.Job(floor_address, floors.INSERT, encoded, token, ORDER_CALLERS, load.SECONDS, key_field)
        return compare(
            "PlaceOrder, calls/s",
            goal=ORDER_GOAL,
            ours=Side(ours, [rig.pid("orders"), rig.pid("gating")]),
            floor=Side(floor, [floor_pid]),
            between=lambda: rig.await_published("orders"),
            notes=("the services that only listen are held still; orders, gating, PostgreSQL and NATS run",),
        )


async def _place_one(address: str, token: str, request: PlaceOrderRequest) -> None:
    """The row that the floor copies."""
    first = PlaceOrderRequest()
    first.CopyFrom(request)
    first.request_id = "bench-template"
    async with grpc.aio.insecure_channel(address) as channel:
        place: Callable[..., object] = OrdersServiceStub(channel).PlaceOrder
        await place(first, metadata=(("authorization", f"Bearer {token}"),), timeout=10)  # type: ignore[misc]


_MANY_SETTINGS = f"""
INSERT INTO order_settings (seller, version, document, create_time, update_time)
SELECT 'sellers/bench-' || number, 1, document, create_time, update_time
FROM order_settings, generate_series(1, $1) AS number WHERE seller = '{_GATED}'
"""  # noqa: S608 - our own names
_MANY_PLANS = f"""
INSERT INTO seller_plan (seller, version, tier, expire_time)
SELECT 'sellers/bench-' || number, 1, tier, expire_time
FROM seller_plan, generate_series(1, $1) AS number WHERE seller = '{_GATED}'
"""  # noqa: S608 - our own names
_MANY_LISTINGS = f"""
INSERT INTO listing (name, version, title, intake, published, packages)
SELECT replace(name, '{_GATED}/', 'sellers/bench-' || number || '/'), 1, title, intake, published,
    replace(packages::text, '{_GATED}/', 'sellers/bench-' || number || '/')::jsonb
FROM (SELECT * FROM listing WHERE name LIKE '{_GATED}/%' ORDER BY name LIMIT 1) AS one,
    generate_series(1, $1) AS number
RETURNING packages -> 0 ->> 'name' AS package
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Side:
    """A job, and the processes whose work it is."""

    job: load.Job
    pids: list[int]


def compare(
    name: str,
    *,
    goal: float,
    ours: Side,
    floor: Side,
    between: Callable[[], None] = lambda: None,
    notes: tuple[str, ...] = (),
) -> Figure:
    """Rounds in turn, so that both meet the same machine; `between` lets what a round left behind be done."""
    rates: dict[str, list[float]] = {"ours": [], "floor": []}
    cost: dict[str, list[float]] = {"ours": [], "floor": []}
    p50: list[float] = []
    for _ in range(ROUNDS):
        for which, side in (("floor", floor), ("ours", ours)):
            before = sum(map(processor_seconds, side.pids))
            outcome = load.run(side.job)
            used = sum(map(processor_seconds, side.pids)) - before
            rates[which].append(outcome.rate)
            # The warm-up is in the processor time as well.
            counted = outcome.rate * (outcome.seconds + load.WARM_UP_SECONDS)
            cost[which].append(used / counted * 1e6)
            if which == "ours":
                p50.append(outcome.p50)
                between()
    ratio = median(rates["ours"]) / median(rates["floor"])
    return Figure(
        name=name,
        measured=spread(rates["ours"]),
        floor=spread(rates["floor"]),
        result=f"{ratio:.2f} of the floor",
        goal=f"at least {goal}",
        reached=ratio >= goal,
        details=(
            f"{ours.job.callers} callers, {ROUNDS} rounds of {load.SECONDS:g} s in turn",
            f"processor time per call: {median(cost['ours']):.0f} us, floor {median(cost['floor']):.0f} us",
            f"p50 with all callers at once: {median(p50):.1f} ms",
            *notes,
        ),
    )
