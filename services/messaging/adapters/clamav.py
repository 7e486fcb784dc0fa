"""Asks a virus scanner: clamd, by its command INSTREAM, over TCP or a socket in the file system."""

from __future__ import annotations

import asyncio
from typing import BinaryIO, Final

from chassis.kernel.refusal import Refusal, unavailable
from chassis.telemetry import logger

PIECE_BYTES: Final = 64 * 1024
ANSWER_LIMIT_BYTES: Final = 4_096
_LOCAL: Final = "unix:"
_COMMAND: Final = b"zINSTREAM\0"
_CLEAN: Final = b"stream: OK"
_FOUND: Final = b" FOUND"

_log = logger("clamav")


class NoScanner:
    """Implements `app.attachment_ports.Scanner` where the operator runs none."""

    async def scan(self, file: BinaryIO) -> str:
        """Nothing was found, as nobody looked."""
        return ""


class ClamavScanner:
    """Implements `app.attachment_ports.Scanner`. Whatever is no clear answer refuses the file."""

    def __init__(self, address: str, seconds: float) -> None:
        """`address` is `host:port` or `unix:/path`; `seconds` is how long one scan may take."""
        self._address = address
        self._seconds = seconds

    async def scan(self, file: BinaryIO) -> str:
        """The name of what clamd found, empty where it found nothing. Refusal UNAVAILABLE."""
        file.seek(0)
        answer = b""
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._ask(file)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            _log.warning("scanner_failed", error=type(error).__name__)
            raise _unavailable() from None
        if answer == _CLEAN:
            return ""
        if answer.startswith(b"stream: ") and answer.endswith(_FOUND):
            return answer[len(b"stream: ") : -len(_FOUND)].decode("utf-8", "replace")[:200]
        _log.warning("scanner_failed", error="no clear answer")
        raise _unavailable()

    async def _ask(self, file: BinaryIO) -> bytes:
        if self._address.startswith(_LOCAL):
            reader, writer = await asyncio.open_unix_connection(self._address.removeprefix(_LOCAL))
        else:
            host, _, port = self._address.rpartition(":")
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        try:
            writer.write(_COMMAND)
            while piece := file.read(PIECE_BYTES):
                writer.write(len(piece).to_bytes(4, "big") + piece)
                await writer.drain()
            writer.write(bytes(4))
            await writer.drain()
            answer = await reader.readuntil(b"\0")
        finally:
            writer.close()
        return answer[:ANSWER_LIMIT_BYTES].rstrip(b"\0\n")


def scanner_at(address: str, seconds: float) -> ClamavScanner | NoScanner:
    """The scanner at an address; none where that is empty."""
    return ClamavScanner(address, seconds) if address else NoScanner()


def _unavailable() -> Refusal:
    message = "the virus scanner cannot be asked"
    return unavailable("PEER_UNAVAILABLE", message, retry_after_seconds=5.0, peer="virus scanner")
