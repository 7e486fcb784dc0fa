"""Readiness and life over HTTP, asked with as little machinery as possible."""

from __future__ import annotations

import asyncio
from typing import Final

TIMEOUT_SECONDS: Final = 2.0


async def http_ok(host: str, port: int, path: str = "/readyz") -> bool:
    """Whether `GET path` answers 200 within two seconds."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _get(host, port, path) == b"200"
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def http_answers(host: str, port: int, seconds: float, path: str = "/healthz") -> bool:
    """Whether `GET path` is answered at all within so many seconds, whatever the answer is."""
    try:
        async with asyncio.timeout(seconds):
            return bool(await _get(host, port, path))
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _get(host: str, port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        await writer.drain()
        status_line = await reader.readline()
        # Read to the end: closing earlier would have the server log a broken connection.
        while await reader.read(4096):
            pass
    finally:
        writer.close()
    parts = status_line.split(b" ", 2)
    return parts[1] if len(parts) > 1 else b""
