"""Speaks to Apertium APy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.messaging.adapters.translator_http import EngineHttp, Kept
from services.messaging.app.translation_ports import Detected, Rendering, TranslatorFailed
from services.messaging.domain.language import base_language

REQUESTS_AT_ONCE: Final = 4
SURE: Final = 0.5
"""The share of the words that a language explains from which it counts as found."""
PER_CENT: Final = 100.0
_CODES: Final = (
    "afr:af arg:an ara:ar bel:be bul:bg ben:bn bre:br bos:bs cat:ca ces:cs cym:cy dan:da deu:de "
    "ell:el eng:en epo:eo spa:es est:et eus:eu fin:fi fao:fo fra:fr gle:ga gla:gd glg:gl heb:he "
    "hin:hi hrv:hr hun:hu ind:id isl:is ita:it jpn:ja kaz:kk kor:ko kir:ky lit:lt lav:lv mkd:mk "
    "msa:ms mlt:mt nob:nb nld:nl nno:nn oci:oc pol:pl por:pt ron:ro rus:ru srd:sc slk:sk slv:sl "
    "sqi:sq srp:sr swe:sv tur:tr tat:tt ukr:uk urd:ur vie:vi zho:zh"
)
_ISO_639_1: Final[Mapping[str, str]] = dict(pair.split(":") for pair in _CODES.split())
"""The codes of two letters, by those of three."""


class Apertium:
    """Implements `app.translation_ports.Translator`."""

    engine: Final = "apertium"

    def __init__(self, url: str, *, key: str, seconds: float) -> None:
        """`key` is empty where the server asks for none."""
        self._http = EngineHttp(url, seconds)
        self._key = {"key": key} if key else {}
        self._pairs = Kept()
        self._places = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def close(self) -> None:
        """Hangs up."""
        await self._http.close()

    async def detect(self, text: str) -> Detected | None:
        """The most probable language; servers without a means to tell name none. TranslatorFailed."""
        answer = await self._http.post_form("/identifyLang", {"q": text, **self._key})
        try:
            shares = [(float(share), str(code)) for code, share in answer.items()]
        except (AttributeError, TypeError, ValueError):
            raise TranslatorFailed("ANSWER_WRONG") from None
        share, code = max(shares, default=(0.0, ""))
        if share <= 0:
            return None
        # Some servers answer shares, some per cent.
        return Detected(_two_letters(code), (share if share <= 1 else share / PER_CENT) >= SURE)

    async def translate(self, texts: Sequence[str], *, source: str, target: str) -> Rendering:
        """TranslatorFailed, lasting where the server has no such pair, or the source is unknown: it does not
        find it out.
        """
        if not source:
            raise TranslatorFailed("LANGUAGE_UNKNOWN", lasting=True)
        pair = await self._pair(source, target)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._translated(text, pair)) for text in texts]
        except* TranslatorFailed as failures:
            raise _first(failures) from None
        return Rendering(source, tuple(task.result() for task in tasks))

    async def _translated(self, text: str, pair: str) -> str:
        fields = {"q": text, "langpair": pair, "markUnknown": "no", "format": "txt", **self._key}
        async with self._places:
            answer = await self._http.post_form("/translate", fields)
        try:
            found = answer["responseData"]["translatedText"]
        except (TypeError, KeyError):
            found = None
        if not isinstance(found, str):
            raise TranslatorFailed("ANSWER_WRONG")
        return found

    async def _pair(self, source: str, target: str) -> str:
        """The pair as this server spells it: exactly, or with a variant such as `por_BR`."""
        pairs: Sequence[tuple[str, str]] | None = self._pairs.get()
        if pairs is None:
            pairs = _pairs(await self._http.get("/listPairs"))
            self._pairs.keep(pairs)
        fitting = [
            pair
            for pair in pairs
            if _two_letters(base_language(pair[0])) == source
            and _two_letters(base_language(pair[1])) == target
        ]
        if not fitting:
            raise TranslatorFailed("PAIR_UNKNOWN", lasting=True)
        return "|".join(min(fitting, key=lambda pair: (len("".join(pair)), pair)))


def _pairs(answer: Any) -> list[tuple[str, str]]:
    try:
        found = [(each["sourceLanguage"], each["targetLanguage"]) for each in answer["responseData"]]
    except (TypeError, KeyError):
        raise TranslatorFailed("ANSWER_WRONG") from None
    if not all(isinstance(code, str) for pair in found for code in pair):
        raise TranslatorFailed("ANSWER_WRONG")
    return found


def _two_letters(code: str) -> str:
    return _ISO_639_1.get(code, code)


def _first(failures: BaseExceptionGroup[TranslatorFailed]) -> TranslatorFailed:
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    assert isinstance(found, TranslatorFailed)
    return found
