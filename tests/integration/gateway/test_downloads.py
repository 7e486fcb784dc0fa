"""Files: answered whole, or in pieces while they are made; never a part that looks like the whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
from google.api.httpbody_pb2 import HttpBody

from chassis.wire import file_piece
from tests.integration.gateway.conftest import Opener, Stage
from tests.integration.gateway.test_events import Feed

PICTURE, TABLE = "/v1/racks/a/things/b:picture", "/v1/racks/a/things:export"
SECONDS = 5.0


def body(data: bytes, content_type: str = "text/csv", filename: str = "") -> HttpBody:
    return file_piece(content_type, data, filename=filename)


def pieces(*parts: Any) -> Any:
    async def stream(_request: Any, context: Any) -> AsyncIterator[Any]:
        for part in parts:
            if isinstance(part, grpc.StatusCode):
                await context.abort(part, "secret")
            yield part

    return stream


async def test_a_file_is_answered_as_it_is(stage: Stage) -> None:
    stage.upstream.answers["GetPicture"] = lambda *_: body(b"\x89PNG\r\n", "image/png", "thing.png")
    answer = await stage.client.get(PICTURE)
    assert (answer.status_code, answer.content) == (200, b"\x89PNG\r\n")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'attachment; filename="thing.png"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-length"] == "6"
    head = await stage.client.head(PICTURE)
    assert (head.content, head.headers["content-length"]) == (b"", "6")


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("", "attachment"),
        ("../../etc/pass\r\nwd", 'attachment; filename="passwd"'),
        ("C:\\temp\\a.pdf", 'attachment; filename="a.pdf"'),
        ('a"b.pdf', "attachment; filename=\"a_b.pdf\"; filename*=UTF-8''a%22b.pdf"),
        (
            "Übersicht 1.csv",
            "attachment; filename=\"_bersicht 1.csv\"; filename*=UTF-8''%C3%9Cbersicht%201.csv",
        ),
        ("..", "attachment"),
    ],
)
async def test_the_name_of_a_file_stays_a_name(stage: Stage, filename: str, shown: str) -> None:
    stage.upstream.answers["GetPicture"] = lambda *_: body(b"x", "text/plain\r\nset-cookie: a=b", filename)
    answer = await stage.client.get(PICTURE)
    assert answer.headers["content-disposition"] == shown
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "set-cookie" not in answer.headers


async def test_a_stream_is_sent_in_pieces(stage: Stage) -> None:
    first = body(b"a,b\r\n", "text/csv; charset=utf-8", "things.csv")
    stage.upstream.answers["ExportThings"] = pieces(first, body(b""), body(b"1,2\r\n"))
    answer = await stage.client.get(TABLE)
    assert (answer.status_code, answer.content) == (200, b"a,b\r\n1,2\r\n")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="things.csv"'
    assert answer.headers["transfer-encoding"] == "chunked"
    assert len(answer.headers["traceparent"]) == 55
    head = await stage.client.head(TABLE)
    assert (head.status_code, head.content) == (200, b"")
    stage.upstream.answers["ExportThings"] = pieces()
    empty = await stage.client.get(TABLE)
    assert (empty.status_code, empty.content) == (200, b"")


async def test_pieces_arrive_while_the_rest_is_made(stage: Stage) -> None:
    feed = Feed()
    stage.upstream.answers["ExportThings"] = feed
    feed.put(body(b"one"))
    async with stage.client.stream("GET", TABLE) as response, asyncio.timeout(SECONDS):
        arriving = response.aiter_bytes()
        assert await anext(arriving) == b"one"
        feed.put(body(b"two"), None)
        assert [piece async for piece in arriving] == [b"two"]


async def test_a_refusal_before_the_first_piece_is_a_problem(stage: Stage) -> None:
    stage.upstream.answers["ExportThings"] = pieces(grpc.StatusCode.NOT_FOUND)
    answer = await stage.client.get(TABLE)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED]
)
async def test_a_failure_in_the_middle_cuts_the_connection(stage: Stage, code: grpc.StatusCode) -> None:
    stage.upstream.answers["ExportThings"] = pieces(body(b"row\r\n"), code)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await stage.client.get(TABLE)
    stage.upstream.answers["ExportThings"] = pieces(body(b"row\r\n"))
    assert (await stage.client.get(TABLE)).content == b"row\r\n"


async def test_a_client_who_leaves_ends_the_work_of_the_service(stage: Stage) -> None:
    feed = Feed()
    stage.upstream.answers["ExportThings"] = feed
    feed.put(body(b"one"))
    async with stage.client.stream("GET", TABLE) as response:
        assert await anext(response.aiter_bytes()) == b"one"
    async with asyncio.timeout(SECONDS):
        await feed.closed.wait()


async def test_too_many_at_once_are_refused(opened: Opener) -> None:
    async with opened(maximum_open_streams=0) as stage:
        stage.upstream.answers["ExportThings"] = pieces(body(b"row"))
        assert (await stage.client.get(TABLE)).json()["reason"] == "OVERLOADED"
