"""The folders and counters of a seller with 1,000 orders beside those of one with 1,000,000."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import grpc

from bench.figures import Figure
from bench.growth import Growth, Kind, compare_in_turn
from bench.rig import Rig
from bench.throughput import UNGATED
from chassis.kernel.page import Cursor
from chassis.paging import cursor_of
from parley.orders.v1.desk_methods_pb2 import GetFolderCountsRequest
from parley.orders.v1.order_pb2 import Order
from parley.orders.v1.orders_service_pb2 import ListOrdersRequest, PlaceOrderRequest
from parley.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from parley.type.v1.commerce_pb2 import PAYMENT_METHOD_OFFLINE

LIST = "/parley.orders.v1.OrdersService/ListOrders"
COUNT = "/parley.orders.v1.OrdersService/GetFolderCounts"
SMALL_SELLER, LARGE_SELLER = "sellers/bench-small", "sellers/bench"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
FOLDERS = ("INBOX", "PROCESSING", "AWAITING_ANSWER", "CONFIRMED", "CLOSED", "ALL")

# Copies of an order that is there already, so that columns which come later need no word here. Of twenty
# orders one is pending, one answered, one in processing, one awaits an answer, four are confirmed; the others
# are closed.
_ORDERS = """
INSERT INTO orders
SELECT made.* FROM orders AS pattern,
    generate_series(0, $2::int - 1) AS n,
    LATERAL (SELECT (ARRAY['PENDING', 'PROCESSING', 'PROCESSING', 'AWAITING_ANSWER', 'CONFIRMED', 'CONFIRMED',
        'IN_PROGRESS', 'CONFIRMED', 'DECLINED', 'WITHDRAWN'])[n % 20 + 1] AS early) AS state,
    LATERAL (SELECT coalesce(early IN ('CONFIRMED', 'IN_PROGRESS'), true) AS confirmed) AS paid,
    LATERAL jsonb_populate_record(pattern, jsonb_build_object(
        'id', split_part($1, '/', 2) || '-' || lpad(n::text, 7, '0'),
        'seller', $1::text, 'buyer', 'users/b' || n,
        'create_time', $3::timestamptz + n * interval '1 second',
        'state', coalesce(early, 'COMPLETED'), 'unread', CASE WHEN n % 20 < 2 THEN 1 ELSE 0 END,
        'confirm_time', CASE WHEN confirmed THEN $3 END,
        'payment_state', CASE WHEN confirmed THEN 'OFFLINE' ELSE 'NOT_DUE' END,
        'complete_time', CASE WHEN early IS NULL THEN $3 END)) AS made
WHERE pattern.id = (SELECT min(id) FROM orders WHERE seller NOT LIKE 'sellers/bench%')
"""


def _place(number: int) -> Cursor:
    # The first page of a list that is newest first lies behind the last number.
    return cursor_of(BEGIN + timedelta(seconds=number + 200), f"bench-{number:07}")


def folders(rig: Rig) -> Figure:
    """One caller, the counters and pages from all over each folder, of both sellers in turn; the slowest
    decides.
    """
    growth = Growth(
        name="Folder list and counters at 1,000,000 orders of one seller, p99 in ms",
        service="orders",
        kinds=_kinds(LARGE_SELLER),
        goal="counters and every folder",
        grow=_grow,
    )
    return compare_in_turn(rig, rig.stack.token("operator"), growth, _kinds(SMALL_SELLER))


def _kinds(seller: str) -> tuple[Kind, ...]:
    lists = [
        Kind(
            f"list of {name}",
            LIST,
            ListOrdersRequest(seller=seller, folder=Order.Folder.Value(f"FOLDER_{name}")),
            _place,
        )
        for name in FOLDERS
    ]
    states = [Order.STATE_PENDING, Order.STATE_WITHDRAWN]
    return (
        Kind("counters", COUNT, GetFolderCountsRequest(seller=seller)),
        *lists,
        Kind("list of two states", LIST, ListOrdersRequest(seller=seller, states=states), _place),
    )


async def _grow(rig: Rig, small: int, large: int) -> None:
    await place_one(rig)
    connection = await asyncpg.connect(rig.dsn("orders"))
    try:
        # One transaction that changes one counter a million times is not what counters are made for.
        async with connection.transaction():
            await connection.execute("ALTER TABLE orders DISABLE TRIGGER follow_order_folder")
            for seller, count in ((SMALL_SELLER, small), (LARGE_SELLER, large)):
                await connection.execute(_ORDERS, seller, count, BEGIN, timeout=900)
                await connection.execute("SELECT recount_order_folders($1)", seller, timeout=600)
            await connection.execute("ALTER TABLE orders ENABLE TRIGGER follow_order_folder")
        # What autovacuum does some minutes later.
        await connection.execute("VACUUM (ANALYZE) orders, order_folder_count", timeout=600)
        counted = await connection.fetchval(
            "SELECT sum(orders)::bigint FROM order_folder_count WHERE seller = $1", LARGE_SELLER
        )
        assert counted == large, f"{counted} orders are counted, not {large}"
    finally:
        await connection.close()


async def place_one(rig: Rig) -> None:
    """The order that the others are made after."""
    request = PlaceOrderRequest(package=UNGATED, payment_method=PAYMENT_METHOD_OFFLINE)
    token = rig.stack.token("buyer", user="bench")
    async with grpc.aio.insecure_channel(rig.stack.grpc["orders"]) as channel:
        place: Callable[..., Awaitable[object]] = OrdersServiceStub(channel).PlaceOrder
        await place(request, metadata=(("authorization", f"Bearer {token}"),), timeout=10)
