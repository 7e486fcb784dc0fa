"""Has a text translated: what must not change is kept away from the engine, what comes back is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from chassis.kernel.clock import Clock
from chassis.telemetry import logger
from services.messaging.app.translation_ports import Rendering, Translator, TranslatorFailed
from services.messaging.domain import translation_refusals as refusals
from services.messaging.domain.language import base_language, guessed
from services.messaging.domain.message import Message
from services.messaging.domain.protection import SENTINEL, masked
from services.messaging.domain.translation import SEGMENT_LIMIT, Piece, Translation, cleaned, pieces_of

TRANSLATION_SECONDS: Final = 25.0
"""For a whole message, in however many requests: less than the time for which a timer is claimed."""
AT_ONCE: Final = 8
"""Messages that are translated at the same time, more than timers alone have translated."""
FAILURES_BEFORE_REST: Final = 3
REST: Final = timedelta(seconds=30)
"""How long an engine that failed so often is not asked."""
DETECTED_CHARACTERS: Final = 1_000

_log = logger("translation")


class Interpreter:
    """One engine, asked by this process with restraint."""

    def __init__(self, translator: Translator, clock: Clock) -> None:
        self._translator = translator
        self._clock = clock
        self._places = asyncio.Semaphore(AT_ONCE)
        self._failures = 0
        self._rest_until: datetime | None = None

    async def interpret(self, message: Message, target: str) -> Translation:
        """What a message says in a language. Without an engine it is the original, which was in it already.

        Refusals: TRANSLATION_IMPOSSIBLE, PEER_UNAVAILABLE.
        """
        source = message.language
        if source == target:
            return Translation(target, source, message.text)
        now = self._clock.now()
        if self._rest_until is not None and now < self._rest_until:
            left = (self._rest_until - now).total_seconds()
            raise refusals.out_of_reach("it has failed too often", retry_after_seconds=left)
        if self._places.locked():
            raise refusals.out_of_reach("it is busy")
        try:
            async with self._places, asyncio.timeout(TRANSLATION_SECONDS):
                found = await self._interpret(message, source, target)
        except TranslatorFailed as failure:
            _log.warning("translator_failed", problem=failure.problem, message=message.name)
            if failure.lasting:
                raise refusals.impossible(message.name, source, target) from None
            self._failed()
            raise refusals.out_of_reach(failure.problem) from None
        except TimeoutError:
            # It answered so far, only not soon enough for so long a text: that is no outage.
            _log.warning("translator_slow", message=message.name)
            raise refusals.out_of_reach("it takes too long") from None
        self._failures, self._rest_until = 0, None
        return found

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_BEFORE_REST:
            self._rest_until = self._clock.now() + REST

    async def _interpret(self, message: Message, source: str, target: str) -> Translation:
        pieces = pieces_of(message.text)
        spoken = [piece for piece in pieces if piece.is_spoken]
        if not spoken:
            # Amounts, links and nothing else say the same in every language, and are in none.
            return Translation(target, source, message.text)
        source = source or await self._language_of(message.text)
        if source == target:
            return Translation(target, source, message.text)
        first = await self._asked([piece.asked for piece in spoken], source, target)
        if first.source == target:
            return Translation(target, target, message.text)
        answers = [piece.answered(answer) for piece, answer in zip(spoken, first.texts, strict=True)]
        mangled = [piece for piece, answer in zip(spoken, answers, strict=True) if answer is None]
        rebuilt = iter(await self._rebuilt(mangled, first.source, target))
        done = iter([next(rebuilt) if answer is None else answer for answer in answers])
        text = "".join(next(done) if piece.is_spoken else piece.original for piece in pieces)
        return Translation(target, first.source, text, self._translator.engine, self._clock.now())

    async def _language_of(self, text: str) -> str:
        """The engine knows better than we do, unless it is not sure."""
        spoken = masked(text).text.replace(SENTINEL, " ")[:DETECTED_CHARACTERS]
        detected = await self._translator.detect(spoken)
        if detected is not None and detected.is_sure:
            return base_language(detected.language)
        return guessed(spoken) or (base_language(detected.language) if detected is not None else "")

    async def _rebuilt(self, mangled: Sequence[Piece], source: str, target: str) -> list[str]:
        """Pieces of which the engine lost something, translated between what must not be lost."""
        segments = [segment for piece in mangled for segment in piece.segments]
        if not segments:
            return []
        if len(segments) > SEGMENT_LIMIT:
            raise TranslatorFailed("MANGLED", lasting=True)
        answers = iter((await self._asked(segments, source, target)).texts)
        return [piece.rebuilt([next(answers) for _ in piece.segments]) for piece in mangled]

    async def _asked(self, texts: Sequence[str], source: str, target: str) -> Rendering:
        rendering = await self._translator.translate(texts, source=source, target=target)
        if len(rendering.texts) != len(texts):
            raise TranslatorFailed("ANSWER_INCOMPLETE")
        shown = []
        for asked, answer in zip(texts, rendering.texts, strict=True):
            found = cleaned(answer, asked)
            if not found:
                raise TranslatorFailed("ANSWER_TOO_LONG" if found is None else "ANSWER_EMPTY")
            shown.append(found)
        found_in = base_language(rendering.source)
        if not found_in:
            raise TranslatorFailed("ANSWER_WRONG")
        return Rendering(found_in, tuple(shown))
