"""Bodies that are passed on while they arrive: never whole in memory, never half a body taken for a whole."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import hashlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest

from tests.integration.gateway.conftest import Opener, Stage
from tests.unit.gateway import sample

PATH = "/v1/racks/a/pictures"
SECONDS = 5.0
MEGABYTE = 1024 * 1024


class Reader:
    """A service that reads when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self.size = 0

    async def __call__(self, requests: Any, _context: Any) -> Any:
        try:
            await anext(aiter(requests))
            self.begun.set()
            await self.go_on.wait()
            async for request in requests:
                self.size += len(request.data)
        finally:
            self.ended.set()
        return sample.new("PutPictureResponse", size=self.size)


def refusing(after: int, code: grpc.StatusCode) -> Any:
    async def answer(requests: Any, context: Any) -> None:
        size = 0
        async for request in requests:
            size += len(request.data)
            if size >= after:
                break
        await context.abort(code, "secret")

    return answer


async def test_the_body_goes_through_as_it_is(stage: Stage) -> None:
    arrived = hashlib.sha256()

    async def digest(requests: Any, _context: Any) -> Any:
        async for request in requests:
            arrived.update(request.data)
        return sample.new("PutPictureResponse")

    content = bytes(range(256)) * 12_000
    stage.upstream.answers["PutPicture"] = digest
    assert (await stage.client.post(PATH, content=content, headers=stage.ana)).status_code == 200
    assert arrived.digest() == hashlib.sha256(content).digest()


async def test_path_query_and_key_come_first(stage: Stage) -> None:
    headers = {**stage.ana, "idempotency-key": "k1", "content-type": "image/png"}
    query = {"title": "Ein Öhrchen & mehr", "kind": "KIND_GOOD"}
    # More than what a body of JSON may have: the limit of a file is the service's own.
    answer = await stage.client.post(PATH, params=query, content=b"x" * 600_000, headers=headers)
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert told["request"] == {
        "parent": "racks/a",
        "title": "Ein Öhrchen & mehr",
        "kind": "KIND_GOOD",
        "data": "",
        "requestId": "k1",
    }
    assert told["size"] == "600000"
    assert told["pieces"] >= 3
    assert stage.upstream.last.metadata["authorization"].startswith("Bearer ")
    assert 0 < stage.upstream.last.seconds_left <= 300
    empty = (await stage.client.post(PATH, headers=stage.ana)).json()
    assert (empty["size"], empty["request"]["parent"]) == ("0", "racks/a")


@pytest.mark.parametrize(
    ("query", "headers", "status", "reason"),
    [
        ("?data=eA", {}, 400, "MALFORMED_REQUEST"),
        ("?color=red", {}, 400, "MALFORMED_REQUEST"),
        ("?kind=WORST", {}, 400, "MALFORMED_REQUEST"),
        ("?requestId=a", {"idempotency-key": "b"}, 400, "MALFORMED_REQUEST"),
        ("", {"content-type": "multipart/form-data; boundary=x"}, 415, "MALFORMED_REQUEST"),
        ("", {"content-encoding": "gzip"}, 415, "MALFORMED_REQUEST"),
        ("", {"authorization": "Bearer nonsense"}, 401, "UNAUTHENTICATED"),
        ("", {"authorization": ""}, 401, "UNAUTHENTICATED"),
        ("", {"x-request-timeout": "-1"}, 400, "MALFORMED_REQUEST"),
    ],
)
async def test_what_cannot_be_read_reaches_no_service(
    stage: Stage, query: str, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = await stage.client.post(PATH + query, content=b"x", headers={**stage.ana, **headers})
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert stage.upstream.calls == []


async def test_a_slow_service_slows_down_its_client(stage: Stage) -> None:
    reader, total = Reader(), 48 * MEGABYTE
    stage.upstream.answers["PutPicture"] = reader
    far, sent = asyncio.Event(), 0

    async def content() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < total:
            sent += MEGABYTE
            if sent > total // 2:
                far.set()
            yield b"x" * MEGABYTE

    sending = asyncio.ensure_future(stage.client.post(PATH, content=content(), headers=stage.ana))
    await asyncio.wait_for(reader.begun.wait(), SECONDS)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(far.wait(), 0.7)
    reader.go_on.set()
    answer = await asyncio.wait_for(sending, 60)
    assert answer.json()["size"] == str(total)


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
async def test_a_client_who_leaves_cancels_the_call(stage: Stage, framing: str) -> None:
    reader = Reader()
    reader.go_on.set()
    stage.upstream.answers["PutPicture"] = reader
    address = stage.gateway._config.address
    token = stage.ana["authorization"]
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n{framing}\r\n\r\n"
    opened, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(head.encode() + b"a\r\n0123456789\r\n")
    await writer.drain()
    await asyncio.wait_for(reader.begun.wait(), SECONDS)
    assert not reader.ended.is_set()
    raw: socket.socket = writer.get_extra_info("socket")
    assert raw.fileno() >= 0
    writer.close()
    await writer.wait_closed()
    assert await opened.read() == b""
    await asyncio.wait_for(reader.ended.wait(), SECONDS)
    async with asyncio.timeout(SECONDS):
        await stage.gateway.app.idle.wait()
    assert stage.gateway.streams.open == 0


@pytest.mark.parametrize(
    ("after", "code", "status"),
    [
        (0, grpc.StatusCode.NOT_FOUND, 404),
        (MEGABYTE, grpc.StatusCode.INVALID_ARGUMENT, 400),
        (3 * MEGABYTE, grpc.StatusCode.UNAVAILABLE, 503),
    ],
)
async def test_a_refusal_in_the_middle_reaches_the_client(
    stage: Stage, after: int, code: grpc.StatusCode, status: int
) -> None:
    stage.upstream.answers["PutPicture"] = refusing(after, code)
    answer = await stage.client.post(PATH, content=b"x" * 40 * MEGABYTE, headers=stage.ana)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


async def test_a_refusal_is_never_lost_to_a_write_that_meets_it(stage: Stage) -> None:
    """Which of the two the client library handles first is chance: many uploads meet both orders."""
    told = collections.Counter[int]()
    for place in range(160):
        after = place % 8 * MEGABYTE // 4
        stage.upstream.answers["PutPicture"] = refusing(after, grpc.StatusCode.INVALID_ARGUMENT)
        answer = await stage.client.post(PATH, content=b"x" * 4 * MEGABYTE, headers=stage.ana)
        told[answer.status_code] += 1
    assert told == {400: 160}


async def test_a_body_without_end_is_not_read_to_its_end(stage: Stage) -> None:
    stage.upstream.answers["PutPicture"] = refusing(MEGABYTE, grpc.StatusCode.INVALID_ARGUMENT)
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += MEGABYTE
            yield b"x" * MEGABYTE

    answer: httpx.Response | None = None
    # It may still be writing when the connection closes.
    with contextlib.suppress(httpx.TransportError):
        answer = await stage.client.post(PATH, content=endless(), headers=stage.ana)
    assert answer is None or answer.status_code == 400
    assert sent < 128 * MEGABYTE


async def test_a_call_that_takes_too_long_is_ended(stage: Stage) -> None:
    reader = Reader()
    stage.upstream.answers["PutPicture"] = reader
    headers = {**stage.ana, "x-request-timeout": "0.3"}
    answer = await stage.client.post(PATH, content=b"x", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (504, "DEADLINE_EXCEEDED")


async def test_an_unreachable_service_and_too_many_uploads_are_refused(stage: Stage, opened: Opener) -> None:
    await stage.upstream.stop()
    answer = await stage.client.post(PATH, content=b"x" * MEGABYTE, headers=stage.ana)
    assert (answer.status_code, answer.json()["reason"]) == (503, "PEER_UNAVAILABLE")
    async with opened(maximum_open_streams=0) as other:
        refused = await other.client.post(PATH, content=b"x", headers=other.ana)
        assert refused.json()["reason"] == "OVERLOADED"
