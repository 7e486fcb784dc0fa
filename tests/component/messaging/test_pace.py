"""How fast somebody may write, and that watchers who go are let go."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind
from chassis.testing import Backends, refused, running
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import messaging_service_pb2 as pb
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import ANA, BEN, OTTO, Scene, rows

WATCHERS = 40


async def test_who_writes_too_fast_is_told_when_to_go_on(backends: Backends, clock: ManualClock) -> None:
    async with running(DEFINITION, backends, clock=clock, messages_per_minute=3) as service:
        scene = Scene(service, ForeignProducer(service.host.bus), clock)
        name = (await scene.inquiry()).conversation.name
        first = pb.SendMessageRequest(parent=name, text="one", request_id="one")
        await scene.of(ANA).SendMessage(first)
        await scene.say(ANA, name, "two")
        before = await rows(scene)
        for request in (
            scene.of(ANA).SendMessage(pb.SendMessageRequest(parent=name, text="three")),
            scene.of(ANA).CreateInquiry(
                pb.CreateInquiryRequest(seller="sellers/acme", title="More", text="three")
            ),
        ):
            refusal = await refused(request)
            assert (refusal.kind, refusal.reason) == (Kind.EXHAUSTED, "MESSAGE_LIMIT_REACHED")
            assert refusal.retry_after_seconds == 20
        assert await rows(scene) == before
        # The first answer comes again, others are not slowed down, and a stranger learns nothing of it.
        await scene.of(ANA).SendMessage(first)
        await scene.say(OTTO, name, "Yes?")
        for _ in range(4):
            request = pb.SendMessageRequest(parent=name, text="x")
            assert (await refused(scene.of(BEN).SendMessage(request))).reason == "NOT_FOUND"
        clock.advance(timedelta(seconds=20))
        await scene.say(ANA, name, "three")


async def test_streams_that_clients_drop_are_released(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    streams = scene.service.host.chain.streams
    stub, watch_it = scene.of(ANA), pb.WatchConversationRequest(name=name)
    watches: list[Any] = [stub.WatchConversation(watch_it) for _ in range(WATCHERS)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(watch.initial_metadata() for watch in watches))
        assert streams.open == WATCHERS
        await scene.say(OTTO, name, "To all of you")
        seen = await asyncio.gather(*(watch.read() for watch in watches))
        assert {each.entry.message.text for each in seen} == {"To all of you"}
        for watch in watches:
            watch.cancel()
        while streams.open:
            # Another call lets the server see what the clients did.
            await scene.see(OTTO, name)
