"""What was said in conversations that were closed long ago is erased where the operator wants that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from chassis.kernel.clock import ManualClock
from chassis.testing import Backends, refused, running
from chassis.testing.producer import ForeignProducer
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1.attachment_pb2 import DownloadAttachmentRequest, UploadAttachmentRequest
from parley.messaging.v1.participant_methods_pb2 import ForwardConversationRequest
from services.messaging.__main__ import DEFINITION
from tests.component.messaging import documents
from tests.component.messaging.conftest import ANA, OTTO, Scene
from tests.component.messaging.personal_records import records_of

DAY = timedelta(days=1)
_ADDRESS = "desk@agency.example"


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
            forward = ForwardConversationRequest(name=name, address=_ADDRESS)
            await scene.of(OTTO).ForwardConversation(forward)
        document = await _sent_document(scene, old)
        await scene.of(OTTO).CloseConversation(methods.CloseConversationRequest(name=old))
        await service.advance(20 * DAY)
        await scene.of(OTTO).CloseConversation(methods.CloseConversationRequest(name=fresh))
        await service.advance(21 * DAY)
        for who in (ANA, OTTO):
            said = [word for word in await scene.timeline(who, old) if not word.isupper()]
            assert said == ["[erased]", "[erased]", "[erased]"]
            for kept in (opened, fresh):
                assert "Yes, we do." in await scene.timeline(who, kept)
        # Neither documents nor addresses are left of it, also not for whoever uploaded and forwarded them.
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []
        download = DownloadAttachmentRequest(name=document)
        assert (await refused(scene.of(OTTO).DownloadAttachment(download).read())).reason == "NOT_FOUND"
        records = await records_of(service, OTTO.subject)
        assert "documents" not in records
        assert {each["conversation"]: each["address"] for each in records["forwards"]} == {
            old: "",
            opened: _ADDRESS,
            fresh: _ADDRESS,
        }
        entries = (await scene.of(OTTO).ListTimeline(pb.ListTimelineRequest(parent=old))).entries
        assert _ADDRESS not in str(entries)
        assert (await scene.see(OTTO, old)).title == ""
        assert (await scene.see(OTTO, fresh)).title == "A logo"
        await service.advance(20 * DAY)
        assert "Yes, we do." not in await scene.timeline(OTTO, fresh)
        assert "Yes, we do." in await scene.timeline(OTTO, opened)


async def _sent_document(scene: Scene, name: str) -> str:
    """Sends one in a conversation; its name."""
    requests = (
        UploadAttachmentRequest(parent=name, filename="offer.pdf"),
        UploadAttachmentRequest(data=documents.pdf()),
    )
    document = (await scene.of(OTTO).UploadAttachment(iter(requests))).attachment.name
    await scene.say(OTTO, name, "Yes, we do.", attachments=[document])
    return str(document)
