"""Methods with one answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from gateway.auth import TokenVerifier, is_public
from gateway.exchange import Exchange, read_request
from gateway.response import JSON_TYPE, NO_STORE, SECURITY_HEADERS, Response
from gateway.transcode import Endpoint, dumps
from gateway.upstream import Upstreams, call_once, call_read, short_name

_HEADERS = [JSON_TYPE, NO_STORE, *SECURITY_HEADERS]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost. Sizes in bytes, times in seconds."""

    request_bytes: int = 4 * 1024 * 1024
    deadline_seconds: float = 15.0
    upload_seconds: float = 300.0
    stream_seconds: float = 3_600.0
    heartbeat_seconds: float = 15.0
    open_streams: int = 1_000


class Handler(Protocol):
    """Answers the exchanges of one endpoint."""

    endpoint: Endpoint

    async def answer(self, exchange: Exchange) -> Response | None:
        """The answer, or `None` if it was sent already; raises Problem."""
        ...


class UnaryHandler:
    """HTTP request -> one call -> JSON. Everything that does not change is looked up when it is made."""

    __slots__ = ("_invoke", "_limits", "_public", "_verifier", "endpoint")

    def __init__(
        self, endpoint: Endpoint, upstreams: Upstreams, verifier: TokenVerifier, limits: Limits
    ) -> None:
        self.endpoint = endpoint
        self._limits = limits
        self._verifier = verifier
        self._public = is_public(endpoint.rpc)
        repeat = call_read if endpoint.is_safe else call_once
        service = short_name(endpoint.rpc.containing_service)
        self._invoke = partial(repeat, upstreams.unary(endpoint), service=service)

    async def answer(self, exchange: Exchange) -> Response:
        """The answer; raises Problem."""
        exchange.identify(self._verifier, public=self._public)
        seconds = exchange.timeout(self._limits.deadline_seconds)
        request = await read_request(
            self.endpoint, exchange, limit_bytes=self._limits.request_bytes, seconds=seconds
        )
        message = await self._invoke(request, seconds=seconds, metadata=exchange.metadata())
        return json_response(self.endpoint, message)


def json_response(endpoint: Endpoint, message: Any) -> Response:
    """The answer that tells a message."""
    headers = list(_HEADERS)
    if etag := _etag(endpoint, message):
        headers.append((b"etag", f'"{etag}"'.encode("ascii", "ignore")))
    return Response(200, dumps(endpoint.encode(message)), headers)


def _etag(endpoint: Endpoint, message: Any) -> str:
    if not endpoint.etag_path:
        return ""
    for name in endpoint.etag_path:
        message = getattr(message, name)
    return str(message)
