"""What the same work costs without any of our code around it: bare grpc.aio servers.

`python -m bench.floors echo ADDRESS` answers a request with itself.
`python -m bench.floors insert DSN ADDRESS` inserts what PlaceOrder inserts, in a hand-written transaction.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import grpc
import uvloop

from parley.gating.v1.gating_service_pb2 import EvaluateGateRequest
from parley.orders.v1.orders_service_pb2 import PlaceOrderRequest

ECHO = "/floor.Floor/Echo"
INSERT = "/floor.Floor/Insert"
POOL_SIZE = 10
_TEMPLATES = {
    "orders": "SELECT * FROM orders ORDER BY create_time DESC LIMIT 1",
    "outbox": "SELECT * FROM outbox WHERE type = 'parley.orders.v1.OrderPlaced' ORDER BY time DESC LIMIT 1",
    "idempotency": "SELECT * FROM idempotency ORDER BY create_time DESC LIMIT 1",
}


class _Echo(grpc.GenericRpcHandler):
    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            _echo, EvaluateGateRequest.FromString, EvaluateGateRequest.SerializeToString
        )


async def _echo(request: EvaluateGateRequest, _context: Any) -> EvaluateGateRequest:
    return request


class _Insert(grpc.GenericRpcHandler):
    """Copies the newest order, its event and its key under new ids."""

    def __init__(self, pool: Any, rows: dict[str, dict[str, Any]]) -> None:
        self._pool = pool
        self._rows = rows
        self._statements = {table: _statement(table, row) for table, row in rows.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            self._insert, PlaceOrderRequest.FromString, PlaceOrderRequest.SerializeToString
        )

    async def _insert(self, request: PlaceOrderRequest, _context: Any) -> PlaceOrderRequest:
        new = str(uuid.uuid4())
        changes = {
            "idempotency": {"key": request.request_id},
            "orders": {"id": new},
            "outbox": {"event_id": str(uuid.uuid4()), "aggregate": f"orders/{new}"},
        }
        async with self._pool.acquire() as connection, connection.transaction():
            for table, own in changes.items():
                row = {**self._rows[table], **own}
                await connection.execute(self._statements[table], *row.values())
        return request


def _statement(table: str, row: dict[str, Any]) -> str:
    names = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    return f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - our own table


async def _insert_handler(dsn: str) -> grpc.GenericRpcHandler:
    pool = await asyncpg.create_pool(dsn, min_size=POOL_SIZE, max_size=POOL_SIZE)
    rows = {}
    async with pool.acquire() as connection:
        for table, query in _TEMPLATES.items():
            found = await connection.fetchrow(query)
            if found is None:
                raise RuntimeError(f"{table} is empty: place an order first")
            rows[table] = dict(found)
    # Nobody is to publish the copies.
    rows["outbox"]["published_at"] = rows["outbox"]["time"]
    return _Insert(pool, rows)


async def _serve(make: Callable[[], Any], address: str) -> None:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers((await make(),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


async def _echo_handler() -> grpc.GenericRpcHandler:
    return _Echo()


def main() -> None:
    """Serves until it is terminated."""
    kind, *rest = sys.argv[1:]
    if kind == "echo":
        uvloop.run(_serve(_echo_handler, rest[0]))
    else:
        uvloop.run(_serve(lambda: _insert_handler(rest[0]), rest[1]))


if __name__ == "__main__":
    main()
