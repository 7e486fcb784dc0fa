"""One HTTP request on its way through the gateway."""

from __future__ import annotations

import asyncio
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis.kernel.caller import ANONYMOUS, Caller
from chassis.telemetry import TRACEPARENT, Scope
from gateway import errors
from gateway.auth import TokenVerifier, identify
from gateway.response import Headers, Receive, Send
from gateway.transcode import BadValue, Endpoint, NotJson, loads, set_from_header
from gateway.upstream import Metadata

NO_ROUTE = "-"
TIMEOUT_HEADER = b"x-request-timeout"
# How much of a body that is too large is taken off the client's hands.
DISCARD_LIMIT_BYTES = 16 * 1024 * 1024
_TRACEPARENT_HEADER = TRACEPARENT.encode()
_JSON_TYPES = frozenset({b"application/json", b"text/json"})


class ClientGone(Exception):
    """The caller hung up before the request was complete; nobody waits for an answer."""


class Severed(Exception):
    """The rest of an answer that has begun cannot be had: the connection is cut, so that nobody takes a part
    for the whole.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Exchange(Scope):
    """The parsed head of a request; also the scope that its log lines and its calls belong to."""

    __slots__ = ("caller", "headers", "method", "path", "query", "receive", "segments", "send", "support")

    def __init__(self, method: str, path: str, query: str, headers: Headers) -> None:
        super().__init__(NO_ROUTE, headers.get(_TRACEPARENT_HEADER, b"").decode("latin-1"))
        self.method = method
        self.path = path
        self.segments = path[1:].split("/")
        self.query = query
        self.headers = headers
        self.caller: Caller = ANONYMOUS
        self.receive: Receive = _nothing
        self.send: Send = _nowhere
        self.support = ""
        """Whom the answer to a defect names."""

    @property
    def principal(self) -> str:
        """The id of the caller, empty until he is known."""
        return self.caller.user

    def identify(self, verifier: TokenVerifier, *, public: bool) -> None:
        """Finds out who calls; raises Problem 401."""
        self.caller = identify(verifier, self.headers.get(b"authorization"), public=public)

    def metadata(self) -> Metadata:
        """What accompanies every call to a service: the trace, and the caller's own token."""
        authorization = self.headers.get(b"authorization")
        trace = (TRACEPARENT, self.traceparent)
        return (
            (trace,) if authorization is None else (trace, ("authorization", authorization.decode("latin-1")))
        )

    def timeout(self, longest_seconds: float) -> float:
        """How long the caller is willing to wait, in seconds; raises Problem for nonsense."""
        raw = self.headers.get(TIMEOUT_HEADER)
        if raw is None:
            return longest_seconds
        try:
            seconds = float(raw)
        except ValueError:
            seconds = -1.0
        # NaN is refused by the same comparison.
        if not seconds > 0:
            raise errors.malformed("the header X-Request-Timeout must be a positive number of seconds")
        return min(seconds, longest_seconds)

    async def body(self, limit_bytes: int, seconds: float) -> bytes:
        """The whole body; raises Problem 413, Problem 408 or ClientGone.

        Bytes are counted while they arrive: a declared length may be missing, or a lie. What is too much is
        read on and thrown away, up to a limit: a client that is still writing when the connection closes sees
        a broken pipe instead of the answer.
        """
        declared = self.headers.get(b"content-length", b"0")
        expected = int(declared) if declared.isdigit() else 0
        if expected > limit_bytes + DISCARD_LIMIT_BYTES:
            raise errors.too_large(limit_bytes)
        is_too_large = expected > limit_bytes
        chunks: list[bytes] = []
        total = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    chunk: bytes = message.get("body", b"")
                    total += len(chunk)
                    is_too_large = is_too_large or total > limit_bytes
                    if not is_too_large:
                        chunks.append(chunk)
                    if not message.get("more_body", False) or total > limit_bytes + DISCARD_LIMIT_BYTES:
                        break
        except TimeoutError:
            raise errors.deadline_exceeded("the request did not arrive in time", status=408) from None
        if is_too_large:
            raise errors.too_large(limit_bytes)
        return b"".join(chunks)


async def read_request(endpoint: Endpoint, exchange: Exchange, *, limit_bytes: int, seconds: float) -> Any:
    """The request message of an exchange; raises Problem or ClientGone."""
    value = None
    if endpoint.request.takes_body:
        raw = await exchange.body(limit_bytes, seconds)
        if endpoint.request.takes_bytes:
            value = _as_it_is(raw, exchange.headers)
        elif raw:
            value = _json(raw, exchange.headers)
    return request_of(endpoint, exchange, value)


def request_of(endpoint: Endpoint, exchange: Exchange, value: Any) -> Any:
    """The request message of path, query, headers and the parsed body; raises Problem."""
    reader = endpoint.request
    try:
        message = reader.read(exchange.segments, exchange.query, value)
        for name, headers in reader.headers.items():
            given = (header for header in headers if exchange.headers.get(header.encode()))
            if (first := next(given, None)) is not None:
                setattr(message, name, _text(exchange.headers[first.encode()], header=first))
        if reader.idempotency is not None and (key := exchange.headers.get(b"idempotency-key")):
            name = "Idempotency-Key"
            set_from_header(message, reader.idempotency, _text(key, header=name), header=name)
        if reader.etag is not None and (tag := exchange.headers.get(b"if-match", b"*").strip()) != b"*":
            name = "If-Match"
            text = _text(tag.removeprefix(b"W/"), header=name)
            set_from_header(message, reader.etag, text, header=name)
    except BadValue as error:
        raise errors.bad_value(error) from None
    return message


def refuse_compressed(headers: Headers) -> None:
    """Raises Problem 415 for a body that is not the bytes themselves."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise errors.malformed("the body must not be compressed", status=415)


def _as_it_is(raw: bytes, headers: Headers) -> HttpBody:
    """The very bytes: whoever signed them signed these."""
    refuse_compressed(headers)
    try:
        kind = _text(headers.get(b"content-type", b""), header="Content-Type")
    except BadValue as error:
        raise errors.bad_value(error) from None
    return HttpBody(content_type=kind, data=raw)


def _json(raw: bytes, headers: Headers) -> Any:
    kind, _, parameters = headers.get(b"content-type", b"").partition(b";")
    kind = kind.strip().lower()
    if kind not in _JSON_TYPES and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise errors.malformed("the content type of the body must be application/json", status=415)
    charset = parameters.strip().lower()
    if charset.startswith(b"charset=") and charset[8:].strip(b'"') not in (b"utf-8", b"utf8", b"us-ascii"):
        raise errors.malformed("the body must be UTF-8", status=415)
    refuse_compressed(headers)
    try:
        return loads(raw)
    except NotJson as error:
        raise errors.malformed(f"the body is not JSON: {error}", problem=str(error)) from None


def _text(value: bytes, *, header: str) -> str:
    """A header's value; some clients quote keys, as the draft standard of `Idempotency-Key` asks for."""
    try:
        text = value.strip().decode("ascii")
    except UnicodeDecodeError:
        raise BadValue("must be ASCII").at(header) from None
    is_quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    return text[1:-1] if is_quoted else text


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def _nowhere(_message: Any) -> None:
    return None
