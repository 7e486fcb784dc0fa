"""The ASGI application: finds the endpoint of a request, has it answered, and tells about it.

The path of an RPC is one function without middleware; its cost is part of every call of every client.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter

from prometheus_client import Counter, Histogram

from chassis import telemetry
from gateway import errors
from gateway.cors import Cors
from gateway.errors import Problem
from gateway.exchange import ClientGone, Exchange, Severed
from gateway.response import Receive, Response, Scope, Send
from gateway.transcode import RouteIndex
from gateway.unary import Handler

# Paths and queries beyond this are no request of any client of ours.
TARGET_LIMIT_BYTES = 16 * 1024

HTTP_SECONDS = Histogram(
    "parley_http_request_seconds",
    "Time to answer an HTTP request, by method of the contract and status.",
    ("rpc", "status"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
HTTP_PROBLEMS = Counter("parley_http_problems", "Refused HTTP requests, by reason.", ("reason",))

CLIENT_GONE = "CLIENT_GONE"

PageHandler = Callable[[Exchange], Awaitable[Response]]

# What to call a path in metrics, and who answers it; None where there is nothing.
Files = Callable[[str], tuple[str, PageHandler] | None]

_log = telemetry.logger("http")


class App:
    """Serves the endpoints of the contract and a few fixed pages."""

    def __init__(
        self,
        routes: RouteIndex[Handler],
        pages: Mapping[str, PageHandler],
        *,
        files: Files | None = None,
        cors: Cors | None = None,
        log_reads: bool = False,
        support: str = "",
    ) -> None:
        """`pages` are answered for GET at their exact path, `files` where neither they nor the contract have
        anything; `log_reads` logs successful reads, too; `support` is whom the answer to a defect names.
        """
        self._routes = routes
        self._pages = pages
        self._files = files
        self._cors = cors or Cors()
        self._log_reads = log_reads
        self._support = support
        self.open_requests = 0
        self.idle = asyncio.Event()
        """Set while no request is open."""
        self.idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not served")
        started = perf_counter()
        self.open_requests += 1
        self.idle.clear()
        exchange = _exchange(scope, receive, send)
        exchange.support = self._support
        telemetry.enter(exchange)
        status, reason = 0, ""
        try:
            with telemetry.span(exchange, "server"):
                response, reason = await self._answer(exchange)
                status = response.status if response is not None else _unsent_status(reason)
                if response is not None:
                    await self._send(exchange, response)
        finally:
            self.open_requests -= 1
            if not self.open_requests:
                self.idle.set()
            self._tell(exchange, status=status, reason=reason, seconds=perf_counter() - started)

    async def _answer(self, exchange: Exchange) -> tuple[Response | None, str]:
        """The answer, if one is still to be sent, and the reason of a refusal."""
        try:
            return await self._handler(exchange)(exchange), ""
        except Problem as refusal:
            problem = refusal
        except ClientGone:
            return None, CLIENT_GONE
        except Severed as cut:
            # An answer that is left without its end is cut by the server.
            return None, cut.reason
        # A defect in one method must neither end the process nor leave the caller without an answer.
        except Exception:  # noqa: BLE001
            _log.exception("request_failed")
            problem = errors.fault()
        problem = problem.naming(self._support)
        return problem.response(exchange.path, exchange.trace_id), problem.reason

    def _handler(self, exchange: Exchange) -> Callable[[Exchange], Awaitable[Response | None]]:
        """Whoever answers; raises Problem 400, 404, 405 or 414."""
        if len(exchange.path) + len(exchange.query) > TARGET_LIMIT_BYTES:
            raise Problem(414, "PAYLOAD_TOO_LARGE", f"the URL is longer than {TARGET_LIMIT_BYTES} bytes")
        if not exchange.path.isascii() or not exchange.query.isascii():
            raise errors.malformed("the URL contains bytes that must be percent-encoded")
        method = "GET" if exchange.method == "HEAD" else exchange.method
        page = self._pages.get(exchange.path)
        if page is not None:
            exchange.operation = exchange.path
            return self._page(exchange, page, method)
        found = self._routes.find(exchange.segments)
        handler = found.get(method)
        if handler is not None:
            exchange.operation = handler.endpoint.path
            return handler.answer
        if not found and self._files is not None and (file := self._files(exchange.path)) is not None:
            exchange.operation, answer = file
            return self._page(exchange, answer, method)
        if not found or _is_unknown_verb(exchange, found):
            raise errors.route_not_found(exchange.path)
        return self._refuse_method(exchange, _allowed(found))

    def _page(
        self, exchange: Exchange, page: PageHandler, method: str
    ) -> Callable[[Exchange], Awaitable[Response | None]]:
        return page if method == "GET" else self._refuse_method(exchange, "GET, HEAD")

    def _refuse_method(
        self, exchange: Exchange, allowed: str
    ) -> Callable[[Exchange], Awaitable[Response | None]]:
        preflight = self._cors.preflight(exchange.headers, allowed) if exchange.method == "OPTIONS" else None
        if preflight is None:
            raise errors.method_not_allowed(exchange.method, allowed)
        answer: Response = preflight

        async def answered(_exchange: Exchange) -> Response:
            return answer

        return answered

    async def _send(self, exchange: Exchange, response: Response) -> None:
        headers = [*response.headers, (b"traceparent", exchange.traceparent.encode())]
        if response.status != 304:
            # There it would have to be the length of what the client has already.
            headers.append((b"content-length", str(len(response.body)).encode()))
        if self._cors.enabled:
            headers += self._cors.headers(exchange.headers)
        body = b"" if exchange.method == "HEAD" else response.body
        await exchange.send({"type": "http.response.start", "status": response.status, "headers": headers})
        await exchange.send({"type": "http.response.body", "body": body, "more_body": False})

    def _tell(self, exchange: Exchange, *, status: int, reason: str, seconds: float) -> None:
        HTTP_SECONDS.labels(exchange.operation, status).observe(seconds)
        if reason:
            HTTP_PROBLEMS.labels(reason).inc()
        elif exchange.method in ("GET", "HEAD") and not self._log_reads:
            return
        # Paths hold ids only; queries and bodies may hold anything and stay out.
        _log.info(
            "http_request",
            method=exchange.method[:20],
            path=exchange.path[:200],
            status=status,
            milliseconds=round(seconds * 1_000, 2),
            **({"reason": reason} if reason else {}),
        )


def _unsent_status(reason: str) -> int:
    """How an exchange without a response counts: as a stream that has ended, unless there is a reason."""
    if not reason:
        return 200
    return 499 if reason == CLIENT_GONE else 502


def _exchange(scope: Scope, receive: Receive, send: Send) -> Exchange:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    exchange = Exchange(
        scope["method"],
        raw.partition(b"?")[0].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        dict(scope["headers"]),
    )
    exchange.receive = receive
    exchange.send = send
    return exchange


def _is_unknown_verb(exchange: Exchange, found: Mapping[str, Handler]) -> bool:
    """`POST /v1/offers/1:explode` matches the path of GetOffer, but what is wrong with it is the verb."""
    return ":" in exchange.segments[-1] and not next(iter(found.values())).endpoint.template.verb


def _allowed(found: Mapping[str, Handler]) -> str:
    methods = set(found)
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))
