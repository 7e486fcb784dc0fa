"""Methods with a stream of answers, as server-sent events.

Each answer is one event: `data` is its JSON, `event` the JSON name of its first message field, and `id` the
resource name inside that field. A browser that reconnects sends the last id back as `Last-Event-ID`; it goes
into the request field `after_<field>`, so that the service continues where the stream broke off. Lines that
begin with a colon are heartbeats. A refusal before the first event is an ordinary problem document, one after
it is an event `problem`. A stream whose time is over or whose service goes away simply ends: browsers
connect again by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import grpc
from google.protobuf.descriptor import FieldDescriptor

from gateway import errors
from gateway.auth import TokenVerifier, is_public
from gateway.errors import Problem, upstream_problem
from gateway.exchange import Exchange, read_request
from gateway.response import EVENT_STREAM_TYPE, NO_STORE, SECURITY_HEADERS, HeaderList
from gateway.transcode import BadValue, Endpoint, dumps, set_from_header
from gateway.unary import Limits
from gateway.upstream import Upstreams, short_name

# A refusal arrives within this time; a stream that is merely silent starts after it.
OPENING_SECONDS = 0.5
RECONNECT_MILLISECONDS = 2_000
LAST_EVENT_ID = b"last-event-id"

# After these a new connection continues the stream; every other refusal would be repeated.
_ENDINGS = (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
_HEARTBEAT = b":\n\n"
_OPENING = f"retry: {RECONNECT_MILLISECONDS}\n\n".encode()
_HEADERS: HeaderList = [EVENT_STREAM_TYPE, NO_STORE, *SECURITY_HEADERS, (b"x-accel-buffering", b"no")]


class StreamLimit:
    """How many streams are open, over all methods, and the signal that ends them."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self.open = 0
        self.draining = asyncio.Event()

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Counts one stream while it is open; raises Problem 429 if there are too many."""
        if self.open >= self._maximum or self.draining.is_set():
            raise errors.overloaded("open_streams")
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


class StreamHandler:
    """HTTP request -> one call -> events until either side ends it."""

    __slots__ = ("_call", "_limits", "_public", "_resume", "_service", "_streams", "_verifier", "endpoint")

    def __init__(
        self,
        endpoint: Endpoint,
        upstreams: Upstreams,
        verifier: TokenVerifier,
        limits: Limits,
        streams: StreamLimit,
    ) -> None:
        self.endpoint = endpoint
        self._call = upstreams.stream(endpoint)
        self._service = short_name(endpoint.rpc.containing_service)
        self._limits = limits
        self._verifier = verifier
        self._streams = streams
        self._public = is_public(endpoint.rpc)
        self._resume = _resume_field(endpoint)

    async def answer(self, exchange: Exchange) -> None:
        """Sends the events; raises Problem only before the first byte was sent."""
        exchange.identify(self._verifier, public=self._public)
        limits = self._limits
        request = await read_request(
            self.endpoint, exchange, limit_bytes=limits.request_bytes, seconds=limits.deadline_seconds
        )
        self._resume_after(request, exchange)
        with self._streams.opened():
            call = self._call(request, timeout=limits.stream_seconds, metadata=exchange.metadata())
            gone = asyncio.ensure_future(disconnected(exchange))
            draining = asyncio.ensure_future(self._streams.draining.wait())
            try:
                await self._forward(exchange, call, {gone, draining})
            finally:
                # grpcio does not cancel a call whose reader is dropped: the service would stream for ever.
                call.cancel()
                gone.cancel()
                draining.cancel()

    def _resume_after(self, request: Any, exchange: Exchange) -> None:
        last = exchange.headers.get(LAST_EVENT_ID, b"")
        if self._resume is None or not last:
            return
        try:
            # A reconnecting browser repeats its first URL; the id it saw last is the newer truth.
            request.ClearField(self._resume.name)
            set_from_header(
                request, (self._resume.name,), last.decode("utf-8", "replace"), header="Last-Event-ID"
            )
        except BadValue as error:
            raise errors.bad_value(error) from None

    async def _forward(self, exchange: Exchange, call: Any, ends: set[asyncio.Future[Any]]) -> None:
        messages = self._messages(call, ends)
        started = False
        try:
            async for message in messages:
                if not started:
                    started = True
                    await self._start(exchange)
                await _write(exchange, _HEARTBEAT if message is None else self._event(message))
            if not started and self._streams.draining.is_set():
                raise errors.overloaded("open_streams")
            if not started and not any(end.done() for end in ends):
                started = True
                await self._start(exchange)
        except grpc.aio.AioRpcError as error:
            problem = upstream_problem(error, self._service)
            if not started:
                raise problem from None
            if error.code() not in _ENDINGS:
                await _write(exchange, _problem_event(problem.naming(exchange.support), exchange))
        finally:
            await messages.aclose()
        if started:
            await _write(exchange, b"", more=False)

    async def _messages(self, call: Any, ends: set[asyncio.Future[Any]]) -> AsyncGenerator[Any, None]:
        """The answers of the call, `None` for each silence that needs a heartbeat, until any of `ends`."""
        silence = OPENING_SECONDS
        reading = asyncio.ensure_future(call.read())
        try:
            while True:
                done, _ = await asyncio.wait(
                    {reading, *ends}, timeout=silence, return_when=asyncio.FIRST_COMPLETED
                )
                silence = self._limits.heartbeat_seconds
                if done & ends:
                    return
                if not done:
                    yield None
                    continue
                message = reading.result()
                if message is grpc.aio.EOF:
                    return
                yield message
                reading = asyncio.ensure_future(call.read())
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await reading

    async def _start(self, exchange: Exchange) -> None:
        headers = [*_HEADERS, (b"traceparent", exchange.traceparent.encode())]
        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
        await _write(exchange, _OPENING)

    def _event(self, message: Any) -> bytes:
        data = dumps(self.endpoint.encode(message))
        head = b""
        for field, value in message.ListFields():
            if field.message_type is not None and not field.is_repeated:
                name = _line(getattr(value, "name", ""))
                head = (f"id: {name}\n" if name else "").encode() + f"event: {field.json_name}\n".encode()
                break
        return b"%sdata: %s\n\n" % (head, data)


async def _write(exchange: Exchange, body: bytes, *, more: bool = True) -> None:
    await exchange.send({"type": "http.response.body", "body": body, "more_body": more})


async def disconnected(exchange: Exchange) -> None:
    """Returns when the client has gone."""
    while (await exchange.receive())["type"] != "http.disconnect":
        pass


def _problem_event(problem: Problem, exchange: Exchange) -> bytes:
    document = dumps(problem.as_json(exchange.path, exchange.trace_id))
    return b"event: problem\ndata: %s\n\n" % document


def _resume_field(endpoint: Endpoint) -> FieldDescriptor | None:
    """The request field that takes the id of the last event: `after_entry` for answers with `entry`."""
    fields = endpoint.rpc.input_type.fields_by_name
    for field in endpoint.rpc.output_type.fields:
        found = fields.get(f"after_{field.name}")
        if found is not None and found.type == FieldDescriptor.TYPE_STRING:
            return found
    return None


def _line(value: Any) -> str:
    """Text that fits on one line of the stream; an id with a line break could forge events."""
    text = value if isinstance(value, str) else ""
    return "" if any(char in text for char in "\r\n\0") else text
