"""Streams of answers as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest

from tests.integration.gateway.conftest import Opener, Stage
from tests.unit.gateway import sample

WATCH = "/v1/racks/a/things/b:watch"
SECONDS = 5.0


def entry(number: int) -> Any:
    return sample.new("WatchThingResponse", entry={"name": f"entries/{number}", "title": f"line\n{number}"})


class Feed:
    """A stream that a test feeds; it knows when its reader has gone."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[Any] = asyncio.Queue()
        self.closed = asyncio.Event()

    async def __call__(self, _request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            while True:
                item = await self.items.get()
                if item is None:
                    return
                if isinstance(item, grpc.StatusCode):
                    await context.abort(item, "secret")
                yield item
        finally:
            self.closed.set()

    def put(self, *items: Any) -> None:
        for item in items:
            self.items.put_nowait(item)


@pytest.fixture
def feed(stage: Stage) -> Feed:
    feed = Feed()
    stage.upstream.answers["WatchThing"] = feed
    return feed


async def blocks(response: httpx.Response) -> AsyncIterator[str]:
    """The events of a stream, each as its text."""
    text = ""
    async for piece in response.aiter_text():
        text += piece
        while "\n\n" in text:
            block, _, text = text.partition("\n\n")
            yield block


async def test_each_answer_is_an_event(stage: Stage, feed: Feed) -> None:
    feed.put(entry(1), entry(2), None)
    answer = await stage.client.get(WATCH)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    opening, first, second, rest = answer.text.split("\n\n")
    assert (opening, rest) == ("retry: 2000", "")
    id_line, event_line, data_line = first.split("\n")
    assert (id_line, event_line) == ("id: entries/1", "event: entry")
    assert json.loads(data_line.removeprefix("data: "))["entry"]["title"] == "line\n1"
    assert second.startswith("id: entries/2\n")


async def test_events_arrive_when_they_happen(stage: Stage, feed: Feed) -> None:
    feed.put(entry(1))
    async with stage.client.stream("GET", WATCH) as response, asyncio.timeout(SECONDS):
        events = blocks(response)
        assert await anext(events) == "retry: 2000"
        assert (await anext(events)).startswith("id: entries/1")
        feed.put(entry(2))
        assert (await anext(events)).startswith("id: entries/2")


async def test_a_reader_who_leaves_ends_the_stream_of_the_service(stage: Stage, feed: Feed) -> None:
    feed.put(entry(1))
    async with stage.client.stream("GET", WATCH) as response:
        await anext(blocks(response))
        assert stage.gateway.streams.open == 1
    async with asyncio.timeout(SECONDS):
        await feed.closed.wait()
        await stage.gateway.app.idle.wait()
    assert stage.gateway.streams.open == 0


async def test_a_reader_who_leaves_before_the_first_event(stage: Stage, feed: Feed) -> None:
    reader, writer = await asyncio.open_connection(stage.client.base_url.host, stage.client.base_url.port)
    writer.write(f"GET {WATCH} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    async with asyncio.timeout(SECONDS):
        while not stage.upstream.calls:
            await asyncio.wait({asyncio.ensure_future(reader.read(1))}, timeout=0.01)
        writer.close()
        await feed.closed.wait()


async def test_silence_is_filled_with_heartbeats(opened: Opener) -> None:
    async with opened(heartbeat_seconds=0.02) as stage:
        feed = stage.upstream.answers["WatchThing"] = Feed()
        async with stage.client.stream("GET", WATCH) as response, asyncio.timeout(SECONDS):
            events = blocks(response)
            assert [await anext(events) for _ in range(4)] == ["retry: 2000", ":", ":", ":"]
            feed.put(entry(1))
            while not (block := await anext(events)).startswith("id:"):
                assert block == ":"


async def test_the_last_event_id_is_where_the_service_goes_on(stage: Stage, feed: Feed) -> None:
    feed.put(None, None)
    await stage.client.get(WATCH, headers={"last-event-id": "entries/7"})
    assert stage.upstream.last.request.after_entry == "entries/7"
    # A browser repeats its first URL; what it saw last is newer.
    await stage.client.get(f"{WATCH}?afterEntry=entries/1", headers={"last-event-id": "entries/8"})
    assert stage.upstream.last.request.after_entry == "entries/8"


async def test_a_refusal_before_the_first_event_is_a_problem(stage: Stage, feed: Feed) -> None:
    feed.put(grpc.StatusCode.NOT_FOUND)
    answer = await stage.client.get(WATCH)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == "NOT_FOUND"


async def test_a_refusal_after_the_first_event_is_an_event(stage: Stage, feed: Feed) -> None:
    feed.put(entry(1), grpc.StatusCode.PERMISSION_DENIED)
    answer = await stage.client.get(WATCH)
    last = answer.text.split("\n\n")[-2]
    name, data = last.split("\n")
    assert name == "event: problem"
    problem = json.loads(data.removeprefix("data: "))
    assert (problem["status"], problem["reason"]) == (403, "PERMISSION_DENIED")
    assert "secret" not in answer.text


async def test_a_failure_after_the_first_event_names_whom_to_ask(stage: Stage, feed: Feed) -> None:
    feed.put(entry(1), grpc.StatusCode.UNKNOWN)
    answer = await stage.client.get(WATCH)
    problem = json.loads(answer.text.split("\n\n")[-2].partition("data: ")[2])
    assert (problem["reason"], problem["metadata"]) == ("INTERNAL", {"support": "support@parley.example"})


async def test_a_bad_request_opens_no_stream(stage: Stage, feed: Feed) -> None:
    assert (await stage.client.get(f"{WATCH}?x=1")).status_code == 400
    assert (await stage.client.get(WATCH, headers={"authorization": "Bearer x"})).status_code == 401
    assert stage.upstream.calls == []
    assert feed.items.empty()


async def test_a_name_that_would_forge_an_event_is_no_id(stage: Stage, feed: Feed) -> None:
    feed.put(sample.new("WatchThingResponse", entry={"name": "x\nevent: forged"}), None)
    assert "\nevent: forged" not in (await stage.client.get(WATCH)).text


async def test_too_many_streams(opened: Opener) -> None:
    async with opened(maximum_open_streams=1) as stage:
        feed = stage.upstream.answers["WatchThing"] = Feed()
        feed.put(entry(1))
        async with stage.client.stream("GET", WATCH) as response:
            await anext(blocks(response))
            answer = await stage.client.get(WATCH)
            assert answer.status_code == 429
            assert answer.json()["metadata"] == {"limit": "open_streams"}
            assert answer.headers["retry-after"] == "1"


async def test_a_stream_ends_after_its_longest_life(opened: Opener) -> None:
    async with opened(stream_seconds=1.0) as stage:
        feed = stage.upstream.answers["WatchThing"] = Feed()
        feed.put(entry(1))
        async with asyncio.timeout(SECONDS):
            answer = await stage.client.get(WATCH)
        assert answer.text.split("\n\n")[1].startswith("id: entries/1")
        assert "problem" not in answer.text


async def test_a_service_that_goes_away_ends_the_stream(stage: Stage, feed: Feed) -> None:
    feed.put(entry(1), grpc.StatusCode.UNAVAILABLE)
    answer = await stage.client.get(WATCH)
    assert answer.status_code == 200
    assert "problem" not in answer.text


async def test_stopping_ends_streams_and_lets_calls_finish(opened: Opener) -> None:
    async with opened() as stage:
        feed = stage.upstream.answers["WatchThing"] = Feed()
        feed.put(entry(1))
        entered, release = asyncio.Event(), asyncio.Event()

        async def slow(request: Any, _context: Any) -> Any:
            entered.set()
            await release.wait()
            return sample.new("ListThingsResponse", request=request)

        stage.upstream.answers["ListThings"] = slow
        async with stage.client.stream("GET", WATCH) as response, asyncio.timeout(SECONDS):
            events = blocks(response)
            await anext(events)
            call = asyncio.ensure_future(stage.client.get("/v1/racks/a/things"))
            await entered.wait()
            stage.stop.set()
            assert [block async for block in events][-1].startswith("id: entries/1")
            assert await stage.gateway.readiness.problem() == "stopping"
            release.set()
            assert (await call).status_code == 200
