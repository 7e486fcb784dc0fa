"""Methods that take a stream of requests: the body of the HTTP request, passed on as it arrives.

The annotation of such a method names a field of bytes as its body. The first request carries what the path,
the query and the headers say, each further one the next piece of the body. A piece is taken from the client
when the one before it was sent, so that a slow service slows down the client instead of filling memory. How
much is too much is for the service to say: it refuses in the middle, and what the client still writes is
thrown away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc

from gateway import errors
from gateway.auth import TokenVerifier, is_public
from gateway.errors import upstream_problem
from gateway.events import StreamLimit, disconnected
from gateway.exchange import ClientGone, Exchange, refuse_compressed, request_of
from gateway.response import Response
from gateway.transcode import Endpoint
from gateway.unary import Limits, json_response
from gateway.upstream import Upstreams, short_name

PIECE_BYTES = 256 * 1024
"""Of one request to the service: far below what gRPC takes as a message."""
DISCARD_LIMIT_BYTES = 64 * 1024 * 1024
"""Of what a client still writes after a refusal: several times the files that people send by mistake."""
_MADE_UP_BY_GRPC = "Internal error from Core"
"""The details of the status that stands for a failed write."""


class UploadHandler:
    """HTTP request -> one call with many requests -> JSON."""

    __slots__ = ("_call", "_field", "_limits", "_public", "_service", "_streams", "_verifier", "endpoint")

    def __init__(
        self,
        endpoint: Endpoint,
        upstreams: Upstreams,
        verifier: TokenVerifier,
        limits: Limits,
        streams: StreamLimit,
    ) -> None:
        field = endpoint.request.body_field
        assert field is not None, endpoint.path
        self.endpoint = endpoint
        self._call = upstreams.upload(endpoint)
        self._field = field.name
        self._limits = limits
        self._verifier = verifier
        self._streams = streams
        self._public = is_public(endpoint.rpc)
        self._service = short_name(endpoint.rpc.containing_service)

    async def answer(self, exchange: Exchange) -> Response:
        """The answer; raises Problem or ClientGone."""
        exchange.identify(self._verifier, public=self._public)
        seconds = exchange.timeout(self._limits.upload_seconds)
        _refuse_wrapped(exchange)
        first = request_of(self.endpoint, exchange, None)
        with self._streams.opened():
            call = self._call(timeout=seconds, metadata=exchange.metadata())
            ended = _Ended(call)
            answer = asyncio.ensure_future(_answer(call))
            try:
                body = _Body(exchange)
                await self._forward(call, answer, first, body)
                message = await self._answered(exchange, answer, body)
            except grpc.aio.AioRpcError as error:
                raise upstream_problem(ended.error or error, self._service) from None
            finally:
                # Whoever leaves before the end ends the call: half a file is no file.
                call.cancel()
                answer.cancel()
                await asyncio.gather(answer, return_exceptions=True)
        return json_response(self.endpoint, message)

    async def _forward(self, call: Any, answer: asyncio.Future[Any], first: Any, body: _Body) -> None:
        """Passes on the body until its end, or until the service has answered."""
        make = self.endpoint.request.message_class
        is_open = await _write(call, first)
        while is_open and not body.is_over and (piece := await body.next(answer)) is not None:
            for start in range(0, len(piece), PIECE_BYTES):
                request = make(**{self._field: piece[start : start + PIECE_BYTES]})
                is_open = is_open and await _write(call, request)
        await call.done_writing()

    async def _answered(self, exchange: Exchange, answer: asyncio.Future[Any], body: _Body) -> Any:
        if body.is_over:
            gone = asyncio.ensure_future(disconnected(exchange))
            try:
                await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
            if not answer.done():
                raise ClientGone
        else:
            await asyncio.wait({answer})
            await body.discard(self._limits.deadline_seconds)
        return answer.result()


class _Body:
    """The body of a request, piece by piece."""

    def __init__(self, exchange: Exchange) -> None:
        declared = exchange.headers.get(b"content-length", b"")
        self._expected = int(declared) if declared.isdigit() else None
        self._exchange = exchange
        self._pending: asyncio.Future[Any] | None = None
        self._taken = 0
        self.is_over = False

    async def next(self, until: asyncio.Future[Any]) -> bytes | None:
        """The next piece; None once `until` is done. Raises ClientGone."""
        receiving = self._pending or asyncio.ensure_future(self._exchange.receive())
        self._pending = receiving
        await asyncio.wait({receiving, until}, return_when=asyncio.FIRST_COMPLETED)
        if not receiving.done():
            return None
        self._pending = None
        message = receiving.result()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        self._taken += len(piece)
        self.is_over = not message.get("more_body", False)
        if self.is_over and self._expected is not None and self._taken < self._expected:
            raise ClientGone
        return piece

    async def discard(self, seconds: float) -> None:
        """Takes the rest off the client's hands, up to a limit: one that still writes when the connection
        closes sees a broken pipe instead of the answer.
        """
        rest = 0 if self._expected is None else self._expected - self._taken
        never: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        end = self._taken + DISCARD_LIMIT_BYTES
        try:
            async with asyncio.timeout(seconds):
                while rest <= DISCARD_LIMIT_BYTES and not self.is_over and self._taken < end:
                    await self.next(never)
        except TimeoutError:
            pass
        finally:
            if self._pending is not None:
                self._pending.cancel()


class _Ended:
    """With which error a call was ended by the other side.

    A write that meets the end of the call fails, and grpc.aio then puts INTERNAL in the place of the status
    that had already arrived (grpc/grpc#36066). Each status is told to the callbacks at once: the first that
    the library did not make up is kept, for that is the one that the other side gave.
    """

    __slots__ = ("error",)

    def __init__(self, call: Any) -> None:
        self.error: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._keep)

    def _keep(self, call: Any) -> None:
        if self.error is not None:
            return
        code, details = _ready(call.code()), _ready(call.details())
        if code is not grpc.StatusCode.OK and details != _MADE_UP_BY_GRPC:
            trailing = _ready(call.trailing_metadata())
            self.error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details)


def _ready(value: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that has nothing to wait for, as those of a call that is done."""
    try:
        value.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError


async def _answer(call: Any) -> Any:
    return await call


async def _write(call: Any, request: Any) -> bool:
    """Whether the call still takes requests; why it does not is its answer."""
    try:
        await call.write(request)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return False
    return True


def _refuse_wrapped(exchange: Exchange) -> None:
    """Raises Problem 415 for a body that is not the bytes themselves."""
    kind = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind.startswith(b"multipart/"):
        raise errors.malformed("the body must be the file itself and no form", status=415)
    refuse_compressed(exchange.headers)
