"""Speaks to LibreTranslate, and to whatever else speaks its protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.messaging.adapters.translator_http import EngineHttp, Kept
from services.messaging.app.translation_ports import Detected, Rendering, TranslatorFailed
from services.messaging.domain.language import base_language

REQUEST_CHARACTERS: Final = 2_000
"""In one request: what servers with the usual limits take."""
REQUEST_TEXTS: Final = 50
SURE: Final = 50.0
"""Per cent from which a language counts as found."""
_AUTO: Final = "auto"


class LibreTranslate:
    """Implements `app.translation_ports.Translator`."""

    engine: Final = "libretranslate"

    def __init__(self, url: str, *, key: str, seconds: float) -> None:
        """`key` is empty where the server asks for none."""
        self._http = EngineHttp(url, seconds)
        self._key = {"api_key": key} if key else {}
        self._languages = Kept()

    async def close(self) -> None:
        """Hangs up."""
        await self._http.close()

    async def detect(self, text: str) -> Detected | None:
        """The most probable language. TranslatorFailed."""
        answer = await self._http.post_json("/detect", {"q": text, **self._key})
        try:
            best = max(answer, key=lambda each: float(each["confidence"]), default=None)
            return (
                None if best is None else Detected(_code(best["language"]), float(best["confidence"]) >= SURE)
            )
        except (TypeError, ValueError, KeyError):
            raise TranslatorFailed("ANSWER_WRONG") from None

    async def translate(self, texts: Sequence[str], *, source: str, target: str) -> Rendering:
        """TranslatorFailed, lasting where the server does not list the two."""
        spoken_source, spoken_target = await self._pair(source, target)
        found: list[str] = []
        for batch in _batches(texts):
            answer = await self._http.post_json(
                "/translate",
                {
                    "q": batch,
                    "source": spoken_source,
                    "target": spoken_target,
                    "format": "text",
                    **self._key,
                },
            )
            translated = _texts(answer, len(batch))
            # What the first texts were found to be in holds for the rest of the message.
            if spoken_source == _AUTO:
                source = _detected(answer)
                spoken_source, _ = await self._pair(source, target)
            found += translated
        return Rendering(source, tuple(found))

    async def _pair(self, source: str, target: str) -> tuple[str, str]:
        """The codes of the two as this server spells them."""
        spoken: Mapping[str, frozenset[str]] | None = self._languages.get()
        if spoken is None:
            spoken = _languages(await self._http.get("/languages"))
            self._languages.keep(spoken)
        code = _AUTO if not source else _spelled(source, spoken)
        targets = frozenset().union(*spoken.values()) if code == _AUTO else spoken.get(code, frozenset())
        found = _spelled(target, targets)
        if not code or not found:
            raise TranslatorFailed("PAIR_UNKNOWN", lasting=True)
        return code, found


def _languages(answer: Any) -> Mapping[str, frozenset[str]]:
    """Into which languages each is translated; servers of old list no targets and mean all."""
    try:
        everything = [_code(each["code"]) for each in answer]
        return {
            _code(each["code"]): frozenset(_code(target) for target in each.get("targets") or everything)
            for each in answer
        }
    except (TypeError, KeyError, AttributeError):
        raise TranslatorFailed("ANSWER_WRONG") from None


def _spelled(language: str, codes: Mapping[str, Any] | frozenset[str]) -> str:
    """`pt` where the server has it, else its variant such as `pt-BR`; empty where it has neither."""
    if language in codes:
        return language
    return next((code for code in sorted(codes) if base_language(code) == language), "")


def _code(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _texts(answer: Any, count: int) -> list[str]:
    texts = answer.get("translatedText") if isinstance(answer, dict) else None
    if not isinstance(texts, list) or len(texts) != count or not all(isinstance(text, str) for text in texts):
        raise TranslatorFailed("ANSWER_WRONG")
    return texts


def _detected(answer: Any) -> str:
    """The language of the longest agreement: of each text the server says one."""
    found = answer.get("detectedLanguage")
    found = found if isinstance(found, list) else [found]
    codes = [each.get("language") for each in found if isinstance(each, dict)]
    known = [code for code in codes if isinstance(code, str) and code]
    if not known:
        raise TranslatorFailed("LANGUAGE_UNKNOWN", lasting=True)
    return base_language(max(known, key=known.count))


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        if batch and (len(batch) == REQUEST_TEXTS or sum(map(len, batch)) + len(text) > REQUEST_CHARACTERS):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch
