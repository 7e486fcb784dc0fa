"""Methods that answer `google.api.HttpBody`: bytes of a content type, as a file to be kept.

A single body is an ordinary answer. A stream of bodies is sent in pieces as they come, so that neither side
holds more than one of them; the type and the name of the file are those of the first. A refusal before the
first piece is an ordinary problem document. After it the connection is cut: no part passes for the whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from urllib.parse import quote

import grpc
from google.api.httpbody_pb2 import HttpBody

from chassis import telemetry
from gateway.auth import TokenVerifier, is_public
from gateway.errors import upstream_problem
from gateway.events import StreamLimit, disconnected
from gateway.exchange import ClientGone, Exchange, Severed, read_request
from gateway.response import NO_STORE, SECURITY_HEADERS, HeaderList, Response
from gateway.transcode import Endpoint
from gateway.unary import Limits
from gateway.upstream import Upstreams, call_once, call_read, short_name
from parley.type.v1 import download_pb2

UNKNOWN_TYPE = "application/octet-stream"

_log = telemetry.logger("downloads")


def file_headers(body: Any) -> HeaderList:
    """The headers of an answer that begins with `body`. A browser keeps it and never shows it."""
    headers: HeaderList = [(b"content-type", _content_type(body.content_type)), NO_STORE, *SECURITY_HEADERS]
    return [*headers, (b"content-disposition", _disposition(_filename(body)))]


def _content_type(text: str) -> bytes:
    is_usable = text.isascii() and text.isprintable() and "/" in text
    return (text if is_usable else UNKNOWN_TYPE).encode()


def _filename(body: Any) -> str:
    found = download_pb2.Download()
    for extension in body.extensions:
        if extension.Unpack(found):
            break
    # What a service passes on from people must leave neither the header nor the folder of downloads.
    name = found.filename.replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in name if char.isprintable()).strip(". ")


def _disposition(name: str) -> bytes:
    if not name:
        return b"attachment"
    plain = "".join(char if char.isascii() and char not in '"\\%' else "_" for char in name)
    text = f'attachment; filename="{plain}"'
    return (text if plain == name else f"{text}; filename*=UTF-8''{quote(name, safe='')}").encode()


class DownloadHandler:
    """HTTP request -> one call -> one file."""

    __slots__ = ("_call", "_invoke", "_limits", "_public", "_service", "_streams", "_verifier", "endpoint")

    def __init__(
        self,
        endpoint: Endpoint,
        upstreams: Upstreams,
        verifier: TokenVerifier,
        limits: Limits,
        streams: StreamLimit,
    ) -> None:
        self.endpoint = endpoint
        self._limits = limits
        self._verifier = verifier
        self._streams = streams
        self._public = is_public(endpoint.rpc)
        self._service = short_name(endpoint.rpc.containing_service)
        self._call: Any = None
        self._invoke: Any = None
        if endpoint.rpc.server_streaming:
            self._call = upstreams.stream(endpoint)
        else:
            repeat = call_read if endpoint.is_safe else call_once
            self._invoke = partial(repeat, upstreams.unary(endpoint), service=self._service)

    async def answer(self, exchange: Exchange) -> Response | None:
        """The file, or None where it was sent in pieces; raises Problem, ClientGone or Severed."""
        exchange.identify(self._verifier, public=self._public)
        limits = self._limits
        seconds = exchange.timeout(limits.deadline_seconds)
        request = await read_request(
            self.endpoint, exchange, limit_bytes=limits.request_bytes, seconds=seconds
        )
        if self._invoke is not None:
            body = await self._invoke(request, seconds=seconds, metadata=exchange.metadata())
            return Response(200, body.data, file_headers(body))
        with self._streams.opened():
            call = self._call(request, timeout=limits.stream_seconds, metadata=exchange.metadata())
            gone = asyncio.ensure_future(disconnected(exchange))
            try:
                await self._send(exchange, call, gone)
            finally:
                # grpcio does not cancel a call whose reader is dropped: the service would go on for ever.
                call.cancel()
                gone.cancel()
        return None

    async def _send(self, exchange: Exchange, call: Any, gone: asyncio.Future[Any]) -> None:
        started = False
        try:
            async for body in _pieces(call, gone):
                if not started:
                    started = True
                    await self._start(exchange, body)
                if exchange.method == "HEAD":
                    break
                if body.data:
                    await _write(exchange, body.data)
        except grpc.aio.AioRpcError as error:
            problem = upstream_problem(error, self._service)
            if not started:
                raise problem from None
            _log.warning("download_cut", reason=problem.reason)
            raise Severed(problem.reason) from None
        if not started:
            await self._start(exchange, HttpBody())
        await _write(exchange, b"", more=False)

    async def _start(self, exchange: Exchange, body: Any) -> None:
        headers = [*file_headers(body), (b"traceparent", exchange.traceparent.encode())]
        await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})


async def _pieces(call: Any, gone: asyncio.Future[Any]) -> AsyncIterator[Any]:
    """The bodies of a stream. The next one is asked for when this one has been sent: a slow client slows down
    the service instead of filling memory. Raises ClientGone where nobody listens any more.
    """
    while True:
        reading = asyncio.ensure_future(call.read())
        await asyncio.wait({reading, gone}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise ClientGone
        body = reading.result()
        if body is grpc.aio.EOF:
            return
        yield body


async def _write(exchange: Exchange, data: bytes, *, more: bool = True) -> None:
    await exchange.send({"type": "http.response.body", "body": data, "more_body": more})
