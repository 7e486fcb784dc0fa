"""What the same work costs without any of our code around it: bare grpc.aio servers.

`python -m bench.floors echo ADDRESS` answers a request with itself.
`python -m bench.floors insert DSN ADDRESS` inserts what PlaceOrder inserts, in a hand-written transaction.
`python -m bench.floors send DSN ADDRESS` writes what SendMessage writes, in the same way.
"""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from typing import Any

import asyncpg
import grpc
import uvloop

from chassis import row_security
from parley.gating.v1.gating_service_pb2 import EvaluateGateRequest
from parley.messaging.v1.messaging_service_pb2 import SendMessageRequest
from parley.orders.v1.orders_service_pb2 import PlaceOrderRequest

ECHO = "/floor.Floor/Echo"
INSERT = "/floor.Floor/Insert"
POOL_SIZE = 10
_KEY = "SELECT * FROM idempotency ORDER BY create_time DESC LIMIT 1"
_ORDER = {
    "orders": "SELECT * FROM orders ORDER BY create_time DESC LIMIT 1",
    "outbox": "SELECT * FROM outbox WHERE type = 'parley.orders.v1.OrderPlaced' ORDER BY time DESC LIMIT 1",
    "idempotency": _KEY,
}
_MESSAGE = {
    "timeline_entry": "SELECT * FROM timeline_entry WHERE kind = 'public' ORDER BY create_time DESC LIMIT 1",
    "outbox": "SELECT * FROM outbox WHERE type LIKE '%.MessageSent' ORDER BY time DESC LIMIT 1",
    "idempotency": _KEY,
}
_COUNT = (
    "UPDATE conversation SET entry_count = entry_count + 1, version = version + 1, seller_unread = "
    "seller_unread + 1, last_entry_time = now(), update_time = now() WHERE id = $1 RETURNING entry_count"
)


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
            await self._write(connection, changes)
        return request

    async def _write(self, connection: Any, changes: dict[str, dict[str, Any]]) -> None:
        for table, own in changes.items():
            row = {**self._rows[table], **own}
            await connection.execute(self._statements[table], *row.values())


class _Send(_Insert):
    """Copies the newest message under a new id and the next number of its conversation."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            self._send, SendMessageRequest.FromString, SendMessageRequest.SerializeToString
        )

    async def _send(self, request: SendMessageRequest, _context: Any) -> SendMessageRequest:
        key = request.parent.partition("/")[2]
        async with self._pool.acquire() as connection, connection.transaction():
            position = await connection.fetchval(_COUNT, key)
            changes = {
                "idempotency": {"key": request.request_id},
                "timeline_entry": {
                    "conversation_id": key,
                    "id": str(uuid.uuid4()),
                    "position": position,
                    "text": request.text,
                },
                "outbox": {"event_id": str(uuid.uuid4()), "aggregate": f"floor/{uuid.uuid4()}"},
            }
            await self._write(connection, changes)
        return request


def _statement(table: str, row: dict[str, Any]) -> str:
    names = ", ".join(row)
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    return f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 - our own table


async def _insert_handler(dsn: str, make: type[_Insert], templates: dict[str, str]) -> _Insert:
    pool = await asyncpg.create_pool(
        dsn, min_size=POOL_SIZE, max_size=POOL_SIZE, server_settings=row_security.AS_PROCESS
    )
    rows = {}
    async with pool.acquire() as connection:
        for table, query in templates.items():
            found = await connection.fetchrow(query)
            if found is None:
                raise RuntimeError(f"{table} is empty: nothing can be copied")
            rows[table] = dict(found)
    # Nobody is to publish the copies.
    rows["outbox"]["published_at"] = rows["outbox"]["time"]
    return make(pool, rows)


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
        return
    copier, templates = (_Send, _MESSAGE) if kind == "send" else (_Insert, _ORDER)
    uvloop.run(_serve(lambda: _insert_handler(rest[0], copier, templates), rest[1]))


if __name__ == "__main__":
    main()
