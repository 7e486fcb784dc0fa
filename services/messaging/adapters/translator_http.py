"""Asks an engine over HTTP, and believes little of what it answers.

Where the engine is, the operator said, so that every address is allowed. Of an answer no more is read than a
translation can be long.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from services.messaging.adapters.web_client import WebClient
from services.messaging.app.translation_ports import TranslatorFailed

ANSWER_LIMIT_BYTES: Final = 1_048_576
_OK: Final = 200


class EngineHttp:
    """The engine at one address. `seconds` is how long one answer may take."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url.rstrip("/")
        self._seconds = seconds
        self._client = WebClient(seconds=seconds, encrypts=url.startswith("https:"))

    async def get(self, path: str) -> Any:
        """What the engine answers, read as JSON. TranslatorFailed."""
        return await self._ask("GET", path)

    async def post_form(self, path: str, fields: Mapping[str, str]) -> Any:
        """The same for a form."""
        return await self._ask("POST", path, data=fields)

    async def post_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """The same for JSON."""
        return await self._ask("POST", path, json=body)

    async def close(self) -> None:
        """Hangs up."""
        await self._client.close()

    async def _ask(self, method: str, path: str, **content: Any) -> Any:
        import httpx

        try:
            async with asyncio.timeout(self._seconds):
                data = await self._read(method, path, content)
        except TimeoutError:
            raise TranslatorFailed("TIMEOUT") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            # What the library says of it may repeat the text, and stays out.
            raise TranslatorFailed("UNREACHABLE") from None
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise TranslatorFailed("ANSWER_NOT_JSON") from None

    async def _read(self, method: str, path: str, content: Mapping[str, Any]) -> bytes:
        client = await self._client.opened()
        # Packed answers could unpack to anything: none is asked for, and none is unpacked.
        headers = {"accept-encoding": "identity"}
        async with client.stream(method, self._url + path, headers=headers, **content) as response:
            if response.status_code != _OK:
                raise TranslatorFailed(f"STATUS_{response.status_code}")
            data = bytearray()
            async for piece in response.aiter_raw():
                data += piece
                if len(data) > ANSWER_LIMIT_BYTES:
                    raise TranslatorFailed("ANSWER_TOO_LONG")
            return bytes(data)


class Kept:
    """What an engine said that it can do, asked again after a while."""

    SECONDS: Final = 600.0

    def __init__(self) -> None:
        self._value: Any = None
        self._until = 0.0

    def get(self) -> Any:
        """What it said; None where that is too long ago."""
        return self._value if asyncio.get_running_loop().time() < self._until else None

    def keep(self, value: Any) -> None:
        """It said so just now."""
        self._value, self._until = value, asyncio.get_running_loop().time() + self.SECONDS
