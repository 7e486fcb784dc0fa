"""Prometheus metrics of the chassis, and the small HTTP server that shows them.

Labels carry method names, codes and service names, never ids: a label value per customer would be both a leak
and an unbounded series.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from chassis.config import Address

REQUEST_LINE_LIMIT_BYTES = 4_096
REQUEST_SECONDS = 5.0

CALL_SECONDS = Histogram(
    "parley_call_seconds",
    "Time to answer a call, by method and gRPC code.",
    ("method", "code"),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
PEER_CALL_SECONDS = Histogram(
    "parley_peer_call_seconds",
    "Time of a call to a peer, retries included, by peer and gRPC code.",
    ("peer", "code"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
OPEN_CALLS = Gauge("parley_open_calls", "Calls that are being answered.", ("service", "kind"))
READY = Gauge("parley_ready", "1 while the service is ready, by service.", ("service",))
OUTBOX_OLDEST_SECONDS = Gauge(
    "parley_outbox_oldest_seconds", "Age of the oldest event that is not published yet.", ("service",)
)
OUTBOX_ALARM = Gauge(
    "parley_outbox_alarm", "1 while unpublished events are older than the limit.", ("service",)
)
BACKGROUND_RESTARTS = Counter(
    "parley_background_restarts", "Restarts of background tasks after a failure.", ("service", "task")
)


class MetricsServer:
    """Serves /metrics, /healthz and /readyz over HTTP on the event loop of the service.

    It shares the loop on purpose: `/healthz` answers only while the loop turns.
    """

    def __init__(self, ready: Callable[[], Awaitable[str]]) -> None:
        """`ready` answers why the service is not ready; an empty text means that it is."""
        self._ready = ready
        self._server: asyncio.Server | None = None

    async def start(self, address: Address) -> Address:
        """Listen, and answer the address that was bound; OSError where the port is taken."""
        self._server = await asyncio.start_server(
            self._serve, address.host, address.port, limit=REQUEST_LINE_LIMIT_BYTES
        )
        port = self._server.sockets[0].getsockname()[1]
        return Address(address.host, port)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                line = await reader.readline()
                while (await reader.readline()).strip():
                    pass
                code, kind, body = await self._answer(line.split())
                head = f"HTTP/1.1 {code}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
                await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # A probe that hangs up or speaks nonsense is nobody's problem but its own.
        finally:
            writer.close()

    async def _answer(self, words: list[bytes]) -> tuple[str, str, bytes]:
        text = "text/plain; charset=utf-8"
        if len(words) != 3 or words[0] not in (b"GET", b"HEAD"):
            return "405 Method Not Allowed", text, b"GET only\n"
        match words[1].partition(b"?")[0]:
            case b"/metrics":
                return "200 OK", CONTENT_TYPE_LATEST, generate_latest()
            case b"/healthz":
                return "200 OK", text, b"live\n"
            case b"/readyz":
                problem = await self._ready()
                if problem:
                    return "503 Service Unavailable", text, f"{problem}\n".encode()
                return "200 OK", text, b"ready\n"
            case _:
                return "404 Not Found", text, b"/metrics, /healthz, /readyz\n"
