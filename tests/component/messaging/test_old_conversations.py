"""What was said in conversations that were closed long ago is erased where the operator wants that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, running
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import conversation_methods_pb2 as methods
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import ANA, OTTO, Scene

DAY = timedelta(days=1)


@pytest.mark.covers("V33")
async def test_words_of_old_conversations_are_erased_for_both_sides(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    files = (tmp_path / "files").as_uri()
    async with running(
        DEFINITION, backends, clock=clock, attachments_url=files, conversation_days=40
    ) as service:
        scene = Scene(service, ForeignProducer(service.host.bus), clock)
        old, opened, fresh = [(await scene.inquiry()).conversation.name for _ in range(3)]
        for name in (old, opened, fresh):
            await scene.say(OTTO, name, "Yes, we do.")
        await scene.of(OTTO).CloseConversation(methods.CloseConversationRequest(name=old))
        await service.advance(20 * DAY)
        await scene.of(OTTO).CloseConversation(methods.CloseConversationRequest(name=fresh))
        await service.advance(21 * DAY)
        for who in (ANA, OTTO):
            said = [word for word in await scene.timeline(who, old) if not word.isupper()]
            assert said == ["[erased]", "[erased]"]
            for kept in (opened, fresh):
                assert "Yes, we do." in await scene.timeline(who, kept)
        assert (await scene.see(OTTO, old)).title == ""
        assert (await scene.see(OTTO, fresh)).title == "A logo"
        await service.advance(20 * DAY)
        assert "Yes, we do." not in await scene.timeline(OTTO, fresh)
        assert "Yes, we do." in await scene.timeline(OTTO, opened)
