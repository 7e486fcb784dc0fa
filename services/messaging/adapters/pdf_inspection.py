"""Looks into PDFs in a process that may use little and knows nothing, and is gone after one file."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

from chassis.telemetry import logger
from services.messaging.domain.attachment import Finding

AT_ONCE: Final = 2
"""Inspections at the same time; others wait for their turn."""
START_SECONDS: Final = 30.0
"""Until the process is ready: what it loads is ours, only the machine can be slow."""
WALL_SECONDS: Final = 10.0
"""The process counts its own seconds of work; this ends one that waits for something."""
ANSWER_LIMIT_BYTES: Final = 1_000
_PROGRAM: Final = Path(__file__).with_name("pdf_inspector.py")

_log = logger("pdf_inspection")


class TemporaryFiles:
    """Implements `app.attachment_ports.Spool`."""

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """A file without a name, which the system takes back in any case."""
        with tempfile.TemporaryFile() as file:
            yield file


class PdfInspector:
    """Implements `app.attachment_ports.Inspector`."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)

    async def inspect(self, file: BinaryIO) -> tuple[Finding, str]:
        """What `pdf_inspector.py` says about the file; too complex where it does not come to an end."""
        async with self._places:
            file.flush()
            file.seek(0)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                str(_PROGRAM),
                stdin=file,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                # It has no secret to tell.
                env={},
                close_fds=True,
            )
            try:
                return await _answer(process)
            finally:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


async def _answer(process: Any) -> tuple[Finding, str]:
    async with asyncio.timeout(START_SECONDS):
        ready = await process.stdout.readline()
    if not ready:
        raise RuntimeError("the inspector of PDFs does not start")
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(WALL_SECONDS):
            line = (await process.stdout.read(ANSWER_LIMIT_BYTES)).strip()
    try:
        said = json.loads(line)
        finding, found = Finding(said["finding"]), str(said["found"])
    except (ValueError, KeyError, TypeError):
        # Killed for its time or memory, or for a fault that the file provoked.
        finding, found = Finding.TOO_COMPLEX, ""
    if finding is not Finding.FINE:
        _log.info("pdf_refused", finding=finding.value, found=found)
    return finding, found
