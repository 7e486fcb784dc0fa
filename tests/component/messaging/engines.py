"""Translators on the loopback: they speak LibreTranslate or Apertium APy as those are documented, and
misbehave on demand.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from services.messaging.adapters.apertium import Apertium
from services.messaging.adapters.libretranslate import LibreTranslate
from services.messaging.config import TranslatorKind

LIBRE, APERTIUM = TranslatorKind.LIBRETRANSLATE, TranslatorKind.APERTIUM
LANGUAGES = ("en", "de", "fr", "it", "es", "pt", "nl", "pl", "ja")
_THREE = dict(zip(LANGUAGES, ("eng", "deu", "fra", "ita", "spa", "por_BR", "nld", "pol", "jpn"), strict=True))
_TWO = {three: two for two, three in _THREE.items()}


@dataclass
class Engine:
    """What it was asked, and how it answers."""

    kind: TranslatorKind = LIBRE
    language: str = "en"
    """What it finds every text to be in; empty: it cannot tell."""
    sure: float = 0.9
    mangle: Callable[[str], str] = str
    status: int = 200
    raw: bytes | None = None
    """What it answers to everything, instead."""
    hangs: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody is answered before it is set."""
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""
    connections: int = 0
    adapters: list[LibreTranslate | Apertium] = field(default_factory=list)
    """What asks it, to be closed with it."""

    @property
    def translations(self) -> list[dict[str, Any]]:
        """The requests for translations."""
        return [body for path, body in self.asked if path == "/translate"]

    @property
    def settings(self) -> dict[str, Any]:
        """What makes messaging ask it."""
        return {"translator": self.kind, "translator_url": self.url, "translator_seconds": 10.0}

    def adapter(self, *, key: str = "", seconds: float = 10.0) -> LibreTranslate | Apertium:
        """What asks it."""
        kind = LibreTranslate if self.kind is LIBRE else Apertium
        made = kind(self.url, key=key, seconds=seconds)
        self.adapters.append(made)
        return made

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                await self._answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            # The client had heard enough.
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = first.split(" ")[1]
        is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        sent = (
            {name: values[0] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
            if is_form
            else json.loads(body or b"{}")
        )
        self.asked.append((path, sent))
        self.arrived.set()
        await self.gate.wait()
        if self.hangs:
            await reader.read()
        answer = json.dumps(self._said(path, sent)).encode() if self.raw is None else self.raw
        writer.write(
            f"HTTP/1.1 {self.status} X\r\nLocation: http://127.0.0.1:1/\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(answer)}\r\n\r\n".encode()
        )
        writer.write(answer)
        await writer.drain()

    def _said(self, path: str, sent: dict[str, Any]) -> Any:
        libre = {"/languages": self._languages, "/detect": self._detected, "/translate": self._libre}
        apy = {"/listPairs": self._pairs, "/identifyLang": self._identified, "/translate": self._apy}
        return (libre if self.kind is LIBRE else apy)[path](sent)

    def spoken(self, text: str, target: str) -> str:
        """A translation: everybody sees that it is one, and into what."""
        return self.mangle(f"[{target}] {text}")

    def _languages(self, _: Any) -> Any:
        spoken = [language for language in LANGUAGES if language != "pt"]
        return [{"code": code, "name": code, "targets": [*spoken, "pt-BR"]} for code in (*spoken, "pt-BR")]

    def _detected(self, _: Any) -> Any:
        return [{"confidence": self.sure * 100, "language": self.language}] if self.language else []

    def _libre(self, sent: dict[str, Any]) -> Any:
        assert sent["format"] == "text"
        answer: dict[str, Any] = {"translatedText": [self.spoken(text, sent["target"]) for text in sent["q"]]}
        if sent["source"] == "auto":
            found = {"confidence": 90.0, "language": self.language or "en"}
            answer["detectedLanguage"] = [found for _ in sent["q"]]
        return answer

    def _pairs(self, _: Any) -> Any:
        pairs = [
            {"sourceLanguage": source, "targetLanguage": target}
            for source in _THREE.values()
            for target in _THREE.values()
            if source != target
        ]
        return {"responseData": pairs, "responseDetails": None, "responseStatus": 200}

    def _identified(self, _: Any) -> Any:
        return {_THREE[self.language]: self.sure, "epo": 0.05} if self.language else {}

    def _apy(self, sent: dict[str, Any]) -> Any:
        assert (sent["format"], sent["markUnknown"]) == ("txt", "no")
        target = _TWO[sent["langpair"].split("|")[1]]
        translated = {"translatedText": self.spoken(sent["q"], target)}
        return {"responseData": translated, "responseDetails": None, "responseStatus": 200}


@asynccontextmanager
async def translating(kind: TranslatorKind = LIBRE) -> AsyncIterator[Engine]:
    """An engine that runs."""
    engine = Engine(kind)
    engine.gate.set()
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    engine.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield engine
    finally:
        for adapter in engine.adapters:
            await adapter.close()
        server.close()
