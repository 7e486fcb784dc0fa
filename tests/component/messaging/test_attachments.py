"""Documents through the public API: uploaded, sent, downloaded, and removed when no message names them."""

from __future__ import annotations

import asyncio
import collections
import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from chassis.kernel.refusal import Kind, Refusal
from chassis.testing import ANONYMOUS, Identity, operator, refused
from parley.messaging.v1 import attachment_pb2, participant_methods_pb2, timeline_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.type.v1.download_pb2 import Download
from services.messaging.domain import attachment
from tests.component.messaging import documents
from tests.component.messaging.bucket import Bucket, served
from tests.component.messaging.conftest import ANA, BEN, OLGA, OTTO, RIVAL, Scene

OFFER, OTHER = attachment_pb2.Attachment.KIND_OFFER, attachment_pb2.Attachment.KIND_OTHER
PIECE_BYTES = 100_000
HOURS = timedelta(hours=1)


async def upload(
    scene: Scene, who: Identity, conversation: str, data: bytes, *, filename: str = "offer.pdf", **first: Any
) -> Any:
    """The attachment; raises what the call raises."""

    async def requests() -> AsyncIterator[attachment_pb2.UploadAttachmentRequest]:
        yield attachment_pb2.UploadAttachmentRequest(parent=conversation, filename=filename, **first)
        for start in range(0, len(data), PIECE_BYTES):
            yield attachment_pb2.UploadAttachmentRequest(data=data[start : start + PIECE_BYTES])

    return (await scene.of(who).UploadAttachment(requests(), timeout=60)).attachment


async def send(scene: Scene, who: Identity, conversation: str, *names: str, **fields: Any) -> Any:
    request = pb.SendMessageRequest(parent=conversation, attachments=names, **fields)
    return (await scene.of(who).SendMessage(request)).message


async def download(scene: Scene, who: Identity, name: str) -> tuple[bytes, str]:
    """The bytes and the name of the file."""
    data, filename = b"", ""
    request = attachment_pb2.DownloadAttachmentRequest(name=name)
    async for body in scene.of(who).DownloadAttachment(request):
        assert body.content_type == "application/pdf"
        for extension in body.extensions:
            found = Download()
            assert extension.Unpack(found)
            filename = found.filename
        data += body.data
    return data, filename


async def denied(scene: Scene, who: Identity, name: str) -> Refusal:
    request = attachment_pb2.DownloadAttachmentRequest(name=name)
    return await refused(scene.of(who).DownloadAttachment(request).read())


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A store elsewhere."""
    with served(tmp_path) as found:
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        yield found


@pytest.fixture
def files_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder, or where a test says so by `in_either_store` or `in_s3`, S3."""
    if getattr(request, "param", "folder") == "folder":
        return (tmp_path / "files").as_uri()
    url: str = request.getfixturevalue("bucket").url
    return url


in_either_store = pytest.mark.parametrize("files_url", ["folder", "s3"], indirect=True)
in_s3 = pytest.mark.parametrize("files_url", ["s3"], indirect=True)


def stored(folder: Path) -> list[Path]:
    """Every file in the store."""
    return sorted(path for path in (folder / "files").rglob("*") if path.is_file())


@pytest.mark.covers("V14", "V25", "V35")
@in_either_store
async def test_a_document_goes_from_one_side_to_the_other(
    scene: Scene, tmp_path: Path, files_url: str
) -> None:
    name = (await scene.inquiry()).conversation.name
    content = documents.of_size(700_000)
    offer = await upload(scene, OTTO, name, content, kind=OFFER)
    assert (offer.kind, offer.filename, offer.size_bytes) == (OFFER, "offer.pdf", len(content))
    assert offer.sha256 == hashlib.sha256(content).hexdigest()
    assert (offer.author, offer.side) == ("users/otto", 2)
    assert offer.HasField("expire_time")
    if files_url.startswith("file:"):
        # No other user of the machine gets into the folder.
        assert (tmp_path / "files").stat().st_mode & 0o077 == 0
    (file,) = stored(tmp_path)
    assert file.read_bytes() == content
    assert "offer" not in str(file.relative_to(tmp_path))

    # Until a message names it, it is his alone.
    for stranger in (ANA, OLGA, BEN, RIVAL, operator()):
        assert (await denied(scene, stranger, offer.name)).reason == "NOT_FOUND"
    assert (await download(scene, OTTO, offer.name))[0] == content
    assert await scene.timeline(ANA, name) == ["INQUIRY_STARTED", "Do you draw owls?"]

    other = await upload(scene, OTTO, name, documents.pdf(), filename="terms.PDF")
    assert other.kind == OTHER
    message = await send(scene, OTTO, name, offer.name, other.name, text="")
    assert [each.name for each in message.attachments] == [offer.name, other.name]
    assert not message.attachments[0].HasField("expire_time")
    entries = (await scene.of(ANA).ListTimeline(pb.ListTimelineRequest(parent=name))).entries
    assert entries[-1].message == message

    # The receiver's first download stands in the timeline, once for each person; the sender's does not.
    assert await download(scene, ANA, offer.name) == (content, "offer.pdf")
    assert (await download(scene, ANA, offer.name))[0] == content
    assert (await download(scene, OTTO, offer.name))[0] == content
    assert (await download(scene, OLGA, offer.name))[0] == content
    assert (await scene.timeline(OTTO, name))[2:] == ["", "ATTACHMENT_DOWNLOADED"]
    event = (await scene.of(OTTO).ListTimeline(pb.ListTimelineRequest(parent=name))).entries[-1].event
    assert (event.resource, event.side) == (offer.name, 1)
    for stranger in (BEN, RIVAL, operator()):
        assert (await denied(scene, stranger, offer.name)).reason == "NOT_FOUND"
    assert (await denied(scene, ANONYMOUS, offer.name)).kind is Kind.UNAUTHENTICATED
    scene.clock.advance(HOURS * 1_000)
    await scene.service.settle()
    assert (await download(scene, ANA, other.name))[1] == "terms.PDF"


@pytest.mark.covers("V15", "V39")
async def test_only_whole_and_harmless_documents_are_taken(scene: Scene, tmp_path: Path) -> None:
    name = (await scene.inquiry()).conversation.name
    for title, content in documents.good().items():
        assert (await upload(scene, ANA, name, content)).size_bytes == len(content), title
    kept = stored(tmp_path)
    answers = {}
    hostile = documents.hostile()
    for title, (_, content) in hostile.items():
        refusal = await refused(upload(scene, ANA, name, content))
        assert refusal.kind is Kind.INVALID
        answers[title] = refusal.reason
    assert answers == {title: reason for title, (reason, _) in hostile.items()}
    assert len(hostile) >= 25
    # None of them is anywhere, and the service is as it was.
    assert stored(tmp_path) == kept
    assert await scene.timeline(ANA, name) == ["INQUIRY_STARTED", "Do you draw owls?"]
    await scene.say(ANA, name, "Still there?")


async def test_the_name_of_a_document_is_only_a_name(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    for filename, shown in (
        ("../../etc/passwd.pdf", "passwd.pdf"),
        ("C:\\temp\\Angebot Öl.pdf", "Angebot Öl.pdf"),
        ("invoice\u202efdp.exe.pdf", "invoicefdp.exe.pdf"),
        ("a\r\nb.pdf", "ab.pdf"),
    ):
        assert (await upload(scene, ANA, name, documents.pdf(), filename=filename)).filename == shown
    for filename in ("invoice.exe", "owl.pdf.exe", ".pdf", "", "x" * 197 + ".pdf"):
        refusal = await refused(upload(scene, ANA, name, documents.pdf(), filename=filename))
        assert refusal.reason == "ATTACHMENT_NOT_PDF"


@pytest.mark.covers("X01")
async def test_the_same_key_and_file_are_one_attachment(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    content = documents.pdf()
    first, second = await asyncio.gather(
        *(upload(scene, ANA, name, content, request_id="k1") for _ in range(2))
    )
    assert first == second == await upload(scene, ANA, name, content, request_id="k1")
    for changed in ({"data": documents.pdf(version=b"1.5")}, {"data": content, "kind": OFFER}):
        refusal = await refused(upload(scene, ANA, name, request_id="k1", **changed))
        assert refusal.reason == "REQUEST_ID_REUSED"


async def test_uploads_that_are_refused_keep_nothing(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = (await scene.inquiry()).conversation.name
    content = documents.pdf()
    cases = [
        (upload(scene, BEN, name, content), "NOT_FOUND"),
        (upload(scene, RIVAL, name, content), "NOT_FOUND"),
        (upload(scene, operator(), name, content), "NOT_FOUND"),
        (upload(scene, ANONYMOUS, name, content), "UNAUTHENTICATED"),
        (upload(scene, ANA, "conversations/unknown", content), "NOT_FOUND"),
        (upload(scene, ANA, "", content), "VALIDATION_FAILED"),
        (upload(scene, ANA, "orders/1", content), "VALIDATION_FAILED"),
        (upload(scene, ANA, name, content, kind=9), "VALIDATION_FAILED"),
        (upload(scene, ANA, name, content, request_id="\n"), "VALIDATION_FAILED"),
        (scene.of(ANA).UploadAttachment(iter(())), "VALIDATION_FAILED"),
    ]
    for call, reason in cases:
        assert (await refused(call)).reason == reason
    assert stored(tmp_path) == []
    monkeypatch.setattr(attachment, "UNSENT_LIMIT", 2)
    first = await upload(scene, ANA, name, content, request_id="k1")

    async def attempt() -> str:
        try:
            await upload(scene, ANA, name, content)
        except grpc.aio.AioRpcError:
            return "refused"
        return "kept"

    assert sorted(await asyncio.gather(*(attempt() for _ in range(6)))) == ["kept"] + ["refused"] * 5
    refusal = await refused(upload(scene, ANA, name, content))
    assert (refusal.kind, refusal.reason) == (Kind.EXHAUSTED, "TOO_MANY_ATTACHMENTS")
    # Whoever repeats what was answered gets the answer, and no refusal.
    assert await upload(scene, ANA, name, content, request_id="k1") == first
    await upload(scene, OTTO, name, content)


async def test_the_reason_reaches_clients_that_still_write(scene: Scene) -> None:
    """Which of the two the client library handles first is chance: many uploads meet both orders."""
    name = (await scene.inquiry()).conversation.name
    large = b"%PDF-1.4\n" + bytes(documents.LIMIT_BYTES + 4 * PIECE_BYTES)
    told = collections.Counter[str]()
    for content, times in ((b"Hello" + bytes(1024 * 1024), 150), (large, 10)):
        for _ in range(times):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await upload(scene, ANA, name, content)
            told[caught.value.code().name] += 1
    assert told == {"INVALID_ARGUMENT": 160}


async def test_a_message_takes_only_what_its_author_has(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    elsewhere = (await scene.inquiry()).conversation.name
    mine, spare = [await upload(scene, ANA, name, documents.pdf()) for _ in range(2)]
    foreign = await upload(scene, OTTO, name, documents.pdf())
    other = await upload(scene, ANA, elsewhere, documents.pdf())
    unknown = f"{name}/attachments/0190a000-0000-7000-8000-000000000009"
    for wrong in (foreign.name, other.name, unknown, f"{name}/attachments/x"):
        assert (await refused(send(scene, ANA, name, spare.name, wrong, text="Hi"))).reason == "NOT_FOUND"
    for fields in ({"names": [mine.name] * 2}, {"names": [f"{name}/attachments/{n}" for n in range(11)]}):
        refusal = await refused(send(scene, ANA, name, *fields["names"]))
        assert refusal.reason == "VALIDATION_FAILED"
    assert (await refused(send(scene, ANA, name, text=" "))).reason == "EMPTY_BODY"

    async def attempt() -> str:
        try:
            await send(scene, ANA, name, mine.name, text="Here")
        except grpc.aio.AioRpcError:
            return "refused"
        return "sent"

    assert sorted(await asyncio.gather(attempt(), attempt())) == ["refused", "sent"]
    refusal = await refused(send(scene, ANA, name, mine.name, text="Again"))
    assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "ATTACHMENT_ALREADY_SENT")
    # What failed together with another is still to be sent.
    await send(scene, ANA, name, spare.name)


async def test_the_document_of_a_note_is_for_the_team(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    held = await upload(scene, OTTO, name, documents.pdf())
    await send(scene, OTTO, name, held.name, kind=timeline_pb2.Message.KIND_INTERNAL_NOTE)
    assert (await denied(scene, ANA, held.name)).reason == "NOT_FOUND"
    assert (await download(scene, OLGA, held.name))[0] == documents.pdf()
    assert await scene.timeline(ANA, name) == ["INQUIRY_STARTED", "Do you draw owls?"]


async def test_people_in_copy_have_what_was_sent_since(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    before = await upload(scene, ANA, name, documents.pdf())
    await send(scene, ANA, name, before.name)
    scene.clock.advance(HOURS)
    added = participant_methods_pb2.AddParticipantRequest(name=name, user="users/ben")
    await scene.of(OTTO).AddParticipant(added)
    own = await upload(scene, BEN, name, documents.pdf())
    await send(scene, BEN, name, own.name)
    assert (await download(scene, ANA, own.name))[0] == documents.pdf()
    later = await upload(scene, ANA, name, documents.pdf())
    await send(scene, ANA, name, later.name)
    assert (await download(scene, BEN, later.name))[0] == documents.pdf()
    assert (await denied(scene, BEN, before.name)).reason == "NOT_FOUND"
    await scene.of(OTTO).RemoveParticipant(
        participant_methods_pb2.RemoveParticipantRequest(name=name, user="users/ben")
    )
    for held in (own, later):
        assert (await denied(scene, BEN, held.name)).reason == "NOT_FOUND"


@in_either_store
async def test_what_no_message_names_is_removed(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = (await scene.inquiry()).conversation.name
    orphan, sent = [await upload(scene, ANA, name, documents.pdf()) for _ in range(2)]
    await send(scene, ANA, name, sent.name)
    assert len(stored(tmp_path)) == 2
    await scene.service.advance(HOURS * 23)
    assert len(stored(tmp_path)) == 2
    await scene.service.advance(HOURS * 2)
    (kept,) = stored(tmp_path)
    assert kept.read_bytes() == documents.pdf()
    assert (await denied(scene, ANA, orphan.name)).reason == "NOT_FOUND"
    assert (await refused(send(scene, ANA, name, orphan.name))).reason == "NOT_FOUND"
    assert (await download(scene, OTTO, sent.name))[0] == documents.pdf()

    # What breaks off between the store and the last row leaves only what the timer finds.
    async def dies(*_arguments: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(type(scene.service.host.database), "command", dies)
        with pytest.raises(grpc.aio.AioRpcError):
            await upload(scene, ANA, name, documents.pdf())
    assert len(stored(tmp_path)) == 2
    await scene.service.advance(HOURS * 2)
    assert stored(tmp_path) == [kept]


async def test_a_store_that_cannot_be_reached_refuses_and_recovers(scene: Scene, tmp_path: Path) -> None:
    name = (await scene.inquiry()).conversation.name
    held = await upload(scene, ANA, name, documents.pdf())
    (file,) = stored(tmp_path)
    folder = tmp_path / "files"
    folder.rename(tmp_path / "away")
    folder.write_text("in the way")
    refusal = await refused(upload(scene, ANA, name, documents.pdf()))
    assert (refusal.kind, refusal.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert (await download(scene, ANA, held.name))[0] == documents.pdf()
    file.unlink()
    with pytest.raises(grpc.aio.AioRpcError, match="internal error"):
        await download(scene, ANA, held.name)


@in_s3
async def test_a_store_elsewhere_that_is_away_refuses_soon_and_recovers(scene: Scene, bucket: Bucket) -> None:
    name = (await scene.inquiry()).conversation.name
    held = await upload(scene, ANA, name, documents.pdf())
    bucket.stop()
    refusal = await asyncio.wait_for(refused(upload(scene, ANA, name, documents.pdf())), 15)
    assert (refusal.kind, refusal.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
    assert (await denied(scene, ANA, held.name)).reason == "PEER_UNAVAILABLE"
    bucket.start()
    assert (await download(scene, ANA, held.name))[0] == documents.pdf()
    await upload(scene, ANA, name, documents.pdf())
