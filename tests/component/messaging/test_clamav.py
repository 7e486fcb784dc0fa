"""A virus scanner that is asked about every document, and what happens when it does not answer clearly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind
from chassis.testing import Backends, refused, running
from chassis.testing.producer import ForeignProducer
from services.messaging.__main__ import DEFINITION
from tests.component.messaging import documents
from tests.component.messaging.conftest import ANA, Scene
from tests.component.messaging.test_attachments import stored, upload

LIMIT_SECONDS = 0.5


@dataclass
class Clamd:
    """Speaks what clamd speaks: zINSTREAM, pieces with their lengths, one answer that ends in a zero."""

    answer: bytes = b"stream: OK\0"
    scanned: list[bytes] = field(default_factory=list)
    hangs: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        data = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            data += await reader.readexactly(size)
        self.scanned.append(data)
        if self.hangs:
            await reader.read()
        elif b"EICAR" in data:
            writer.write(b"stream: Eicar-Signature FOUND\0")
        else:
            writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def scanned_by(
    clamd: Clamd, backends: Backends, tmp_path: Path, *, local: bool
) -> AsyncIterator[tuple[Scene, asyncio.Server]]:
    """Messaging with a scanner."""
    clock, path = ManualClock(), tmp_path / "clamd.sock"
    if local:
        server: asyncio.Server = await asyncio.start_unix_server(clamd.serve, path)
        address = f"unix:{path}"
    else:
        server = await asyncio.start_server(clamd.serve, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    settings: dict[str, Any] = {"clamav_address": address, "clamav_seconds": LIMIT_SECONDS}
    files = (tmp_path / "files").as_uri()
    async with running(DEFINITION, backends, clock=clock, attachments_url=files, **settings) as service:
        yield Scene(service, ForeignProducer(service.host.bus), clock), server
    server.close()


@pytest.mark.parametrize("local", [False, True])
async def test_only_what_the_scanner_calls_clean_is_kept(
    backends: Backends, tmp_path: Path, local: bool
) -> None:
    clamd = Clamd()
    async with scanned_by(clamd, backends, tmp_path, local=local) as (scene, server):
        name = (await scene.inquiry()).conversation.name
        large = documents.of_size(300_000)
        await upload(scene, ANA, name, large)
        assert clamd.scanned == [large]
        infected = documents.pdf(documents.stream(b"EICAR"))
        refusal = await refused(upload(scene, ANA, name, infected))
        assert (refusal.reason, refusal.metadata["found"]) == ("ATTACHMENT_INFECTED", "Eicar-Signature")
        kept = stored(tmp_path)

        # Whatever is no clear answer keeps nothing.
        endless = b"stream: " + b"x" * 100_000
        for answer in (b"stream: ", b"", b"INSTREAM size limit exceeded. ERROR\0", b"stream: OK", endless):
            clamd.answer = answer
            refusal = await refused(upload(scene, ANA, name, large))
            assert (refusal.kind, refusal.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
            assert refusal.metadata["peer"] == "virus scanner"
        clamd.hangs = True
        assert (await refused(upload(scene, ANA, name, large))).kind is Kind.UNAVAILABLE
        server.close()
        assert (await refused(upload(scene, ANA, name, large))).kind is Kind.UNAVAILABLE
        assert stored(tmp_path) == kept
