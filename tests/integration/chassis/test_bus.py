"""The connection to the broker: broadcasts, promises, and honest errors."""

from __future__ import annotations

import asyncio

import pytest

from chassis.bus import Bus, BusUnavailable, StreamMissing, stream_name
from chassis.testing import NatsServer


async def test_a_stream_is_made_once_and_promises_what_it_keeps(bus: Bus, producer: str) -> None:
    first = await bus.ensure_stream(producer)
    assert first == await bus.ensure_stream(producer)
    assert first.name == stream_name(producer) == f"PARLEY_{producer.upper()}"
    subject = f"parley.{producer}.v1.thing.made.x"
    one = await bus.publish(subject, {"Nats-Msg-Id": "1"}, b"x")
    again = await bus.publish(subject, {"Nats-Msg-Id": "1"}, b"x")
    assert (one.sequence, one.duplicate, again.sequence, again.duplicate) == (1, False, 1, True)
    await bus.delete_stream(producer)
    assert (await bus.ensure_stream(producer)).created != first.created


async def test_a_stream_with_other_settings_is_brought_in_line(bus: Bus, producer: str) -> None:
    js = bus.client.jetstream()
    await js.add_stream(name=stream_name(producer), subjects=[f"parley.{producer}.v1.>"])
    await bus.ensure_stream(producer)
    info = await js.stream_info(stream_name(producer))
    assert info.config.max_age == 7 * 24 * 3600


async def test_a_lost_stream_is_told_apart(bus: Bus, producer: str) -> None:
    with pytest.raises(StreamMissing):
        await bus.publish(f"parley.{producer}.v1.thing.made.x", {}, b"x")


async def test_an_event_that_is_kept_is_in_the_backlog_at_once(bus: Bus, producer: str) -> None:
    await bus.ensure_stream(producer)
    consumers = [f"reader-{number}" for number in range(4)]
    for consumer in consumers:
        await bus.ensure_consumer(producer, consumer)
        assert await bus.backlog(producer, consumer) == 0
    for _ in range(200):
        await bus.publish(f"parley.{producer}.v1.thing.made.x", {}, b"x")
        # The last one made is the last one that the broker tells.
        assert await bus.backlog(producer, consumers[-1]) == 1
        await bus.client.jetstream().purge_stream(stream_name(producer))
        assert await bus.backlog(producer, consumers[-1]) == 0


async def test_what_the_stream_refuses_is_no_promise(bus: Bus, producer: str) -> None:
    await bus.ensure_stream(producer)
    with pytest.raises(BusUnavailable):
        await bus.publish(f"parley.{producer}.v1.thing.made.x", {}, b"x" * 1_000_001)


async def test_broadcasts_reach_whoever_listens_and_a_bad_listener_hears_on(bus: Bus) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(_subject: str, body: bytes) -> None:
        await heard.put(body)
        raise RuntimeError("a listener's own trouble")

    await bus.listen("test.broadcast.>", hear)
    for body in (b"1", b"2"):
        await bus.broadcast("test.broadcast.x", body)
    async with asyncio.timeout(10):
        assert [await heard.get(), await heard.get()] == [b"1", b"2"]


async def test_connecting_waits_for_nobody_and_listeners_wait_for_the_broker(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    bus = await Bus.connect(server.url)
    assert not bus.is_connected
    heard = asyncio.Event()

    async def hear(_subject: str, _body: bytes) -> None:
        heard.set()

    await bus.listen("test.early", hear)
    await bus.broadcast("test.early", b"nobody is there")
    with pytest.raises(BusUnavailable):
        await bus.ensure_stream("test")
    server.start()
    assert await bus.wait_connected(20)
    await bus.broadcast("test.early", b"")
    async with asyncio.timeout(10):
        await heard.wait()
    await bus.close()
    server.stop()
    assert not bus.is_connected


async def test_closing_before_the_first_connection_is_fine(tmp_path_factory: pytest.TempPathFactory) -> None:
    bus = await Bus.connect(NatsServer(tmp_path_factory.mktemp("nats")).url)
    await bus.close()
