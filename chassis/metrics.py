"""Prometheus metrics of the chassis, and the small HTTP server that shows them.

Labels carry method names, codes and service names, never ids: a label value per customer would be both a leak
and an unbounded series.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable
from itertools import accumulate

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from chassis.config import Address

REQUEST_LINE_LIMIT_BYTES = 4_096
REQUEST_SECONDS = 5.0

_CALL_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class CallSeconds(Collector):
    """How long calls took, as a histogram for each method and code.

    It is for the one thread of the event loop: the library's own histogram takes a lock twice for each
    observation, which every call would pay for.
    """

    def __init__(self) -> None:
        self._observed: dict[tuple[str, str], tuple[list[int], list[float]]] = {}

    def of(self, method: str, code: str) -> Callable[[float], None]:
        """What takes the seconds of one call after the other."""
        counts, total = self._observed.setdefault((method, code), ([0] * (len(_CALL_BOUNDS) + 1), [0.0]))

        def observe(seconds: float) -> None:
            counts[bisect_left(_CALL_BOUNDS, seconds)] += 1
            total[0] += seconds

        return observe

    def collect(self) -> Iterable[Metric]:
        """The histogram as it is now; its buckets count what took at most so long."""
        family = HistogramMetricFamily(
            "parley_call_seconds",
            "Time to answer a call, by method and gRPC code.",
            labels=("method", "code"),
        )
        for labels, (counts, total) in self._observed.items():
            bounds = (*map(floatToGoString, _CALL_BOUNDS), "+Inf")
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric(labels, buckets, total[0])
        return [family]


CALL_SECONDS = CallSeconds()
REGISTRY.register(CALL_SECONDS)
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
