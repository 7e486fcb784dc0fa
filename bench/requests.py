"""ListOrderRequests of a seller and a buyer with 1,000 requests beside those of a pair with 1,000,000."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import grpc

from bench.figures import Figure
from bench.growth import Growth, Kind, compare_in_turn
from bench.rig import Rig
from chassis.kernel.page import Cursor
from chassis.paging import cursor_of
from parley.gating.v1.gating_service_pb2 import (
    CreateOrderRequestRequest,
    ListOrderRequestsRequest,
    SetAvailabilityRequest,
)
from parley.gating.v1.gating_service_pb2_grpc import GatingServiceStub
from parley.gating.v1.order_request_pb2 import Needs, OrderRequest
from stack.demo.marketplace import read

LIST = "/parley.gating.v1.GatingService/ListOrderRequests"
SMALL, LARGE = "bench-small", "bench"
"""The ids of a seller and of his one buyer."""
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# Copies of a request that is there already, so that columns which come later need no word here. One of ten is
# in each state, three are converted, and a quarter of those that ended is dismissed: pages of every list are
# full at both sizes.
_REQUESTS = """
INSERT INTO order_request
SELECT made.* FROM order_request AS pattern,
    generate_series(0, $2::int - 1) AS n,
    LATERAL (SELECT (ARRAY['pending', 'info_requested', 'offered', 'declined', 'withdrawn', 'expired',
        'closed', 'converted', 'converted', 'converted'])[1 + n % 10] AS reached) AS ends,
    LATERAL jsonb_populate_record(pattern, jsonb_build_object(
        'id', $1::text || lpad(n::text, 9, '0'),
        'seller', 'sellers/' || $1, 'buyer', 'users/' || $1, 'package', $1 || '/p' || n,
        'state', reached, 'decline_reason', CASE WHEN reached = 'declined' THEN 'OTHER' END,
        'offer', CASE WHEN reached IN ('offered', 'converted') THEN 'offers/' || n ELSE '' END,
        'dismissed', n % 10 > 2 AND n / 10 % 4 = 0,
        'expire_time', CASE WHEN reached = 'pending' THEN '2100-01-01T00:00Z' END,
        'remaining', CASE WHEN reached = 'info_requested' THEN '1 day' END,
        'create_time', $3::timestamptz + n * interval '1 second')) AS made
WHERE pattern.id = (SELECT min(id) FROM order_request WHERE seller NOT LIKE 'sellers/bench%')
"""

STATES: dict[str, list[Any]] = {
    "all": [],
    "one open state": [OrderRequest.STATE_PENDING],
    "one final state": [OrderRequest.STATE_DECLINED],
    "open ones": [OrderRequest.STATE_PENDING, OrderRequest.STATE_INFO_REQUESTED, OrderRequest.STATE_OFFERED],
}


def _place(number: int) -> Cursor:
    # Newest first, the first page lies behind the last number; before 700 no page of one state is full.
    return cursor_of(BEGIN + timedelta(seconds=number + 700), "")


def list_order_requests(rig: Rig) -> Figure:
    """One caller, pages from all over the lists of both pairs in turn; the slowest kind of list decides."""
    growth = Growth(
        name="ListOrderRequests at 1,000,000 requests of one buyer to one seller, p99 in ms",
        service="gating",
        kinds=_kinds(rig, LARGE),
        goal="every kind of list",
        grow=_grow,
    )
    return compare_in_turn(rig, rig.stack.token("operator"), growth, _kinds(rig, SMALL))


def _kinds(rig: Rig, who: str) -> tuple[Kind, ...]:
    of_seller = (
        Kind(
            f"a seller's, {name}{', dismissed ones too' if dismissed else ''}",
            LIST,
            ListOrderRequestsRequest(seller=f"sellers/{who}", states=states, show_dismissed=dismissed),
            _place,
            scope="users/operator",
        )
        for name, states in STATES.items()
        for dismissed in (False, True)
    )
    token = rig.stack.token("buyer", user=who)
    of_buyer = (
        Kind(
            f"a buyer's, {name}",
            LIST,
            ListOrderRequestsRequest(states=states),
            _place,
            scope=f"users/{who}",
            token=token,
        )
        for name, states in STATES.items()
    )
    return (*of_seller, *of_buyer)


async def _grow(rig: Rig, small: int, large: int) -> None:
    await _submit_one(rig)
    connection = await asyncpg.connect(rig.dsn("gating"))
    try:
        for who, count in ((SMALL, small), (LARGE, large)):
            await connection.execute(_REQUESTS, who, count, BEGIN, timeout=900)
        # What autovacuum does some minutes later.
        await connection.execute("VACUUM (ANALYZE) order_request", timeout=600)
    finally:
        await connection.close()


async def _submit_one(rig: Rig) -> None:
    """The request that the others are made after; for a listing that is away one may be sent at any hour."""
    listing = next(iter(read().listings()))
    seller = listing.name.split("/")[1]
    owner = _bearer(rig.stack.token("seller", seller=seller))
    async with grpc.aio.insecure_channel(rig.stack.grpc["gating"]) as channel:
        gating: Any = GatingServiceStub(channel)
        away = SetAvailabilityRequest(name=listing.name, available=False)
        await gating.SetAvailability(away, metadata=owner, timeout=10)
        request = CreateOrderRequestRequest(package=listing.packages[0].name, needs=Needs(text="A logo"))
        buyer = _bearer(rig.stack.token("buyer", user="bench"))
        await gating.CreateOrderRequest(request, metadata=buyer, timeout=10)
        back = SetAvailabilityRequest(name=listing.name, available=True)
        await gating.SetAvailability(back, metadata=owner, timeout=10)


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)
