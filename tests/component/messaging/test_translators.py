"""Both engines over HTTP: what they are asked, and that nothing they answer does harm."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind, Refusal
from services.messaging.app.interpreter import AT_ONCE, FAILURES_BEFORE_REST, REST, Interpreter
from services.messaging.app.translation_ports import Detected, TranslatorFailed
from services.messaging.config import TranslatorKind
from services.messaging.domain.message import Kind as MessageKind
from services.messaging.domain.message import Message
from services.messaging.domain.side import Side
from tests.component.messaging.engines import APERTIUM, LIBRE, translating

BOTH = pytest.mark.parametrize("kind", [LIBRE, APERTIUM])
NOW = datetime(2026, 5, 1, tzinfo=UTC)
TEXT = "We pay 1.234,56 € for orders/0190 by 1.5.2026.\nWrite to ana@x.example, see https://x.example/a?b=1!"
PARTS = ["1.234,56 €", "orders/0190", "1.5.2026", "ana@x.example", "https://x.example/a?b=1"]


def message(text: str, language: str = "") -> Message:
    return Message(
        "conversations/c", "m", "users/ana", Side.BUYER, MessageKind.PUBLIC, text, NOW, language=language
    )


@BOTH
async def test_what_an_engine_is_asked(kind: TranslatorKind) -> None:
    async with translating(kind) as engine:
        adapter = engine.adapter(key="secret")
        assert await adapter.detect("Hello") == Detected("en", is_sure=True)
        found = await adapter.translate(["One", "Two"], source="en", target="pt")
        assert (found.source, [text[-3:] for text in found.texts]) == ("en", ["One", "Two"])
        if kind is LIBRE:
            body = {"q": ["One", "Two"], "source": "en", "target": "pt-BR", "format": "text"}
            assert engine.translations == [{**body, "api_key": "secret"}]
            found = await adapter.translate(["One"], source="", target="de")
            assert (found.source, engine.translations[-1]["source"]) == ("en", "auto")
            # As much as every server takes at once.
            await adapter.translate(["x" * 900] * 5, source="en", target="de")
            assert [len(sent["q"]) for sent in engine.translations[2:]] == [2, 2, 1]
        else:
            pairs = {(sent["q"], sent["langpair"], sent["key"]) for sent in engine.translations}
            assert pairs == {(text, "eng|por_BR", "secret") for text in ("One", "Two")}
            with pytest.raises(TranslatorFailed, match="LANGUAGE_UNKNOWN"):
                await adapter.translate(["One"], source="", target="de")
        for source, target in (("en", "sv"), ("sv", "en")):
            with pytest.raises(TranslatorFailed) as failure:
                await adapter.translate(["One"], source=source, target=target)
            assert failure.value.lasting
        # What it can do is asked for once, and the text goes nowhere else.
        assert len([path for path, _ in engine.asked if path in ("/languages", "/listPairs")]) == 1
        # Apertium has a request for each text.
        assert engine.connections == (1 if kind is LIBRE else 2)


WRONG = [
    b"",
    b"<html>",
    b"[",
    b"null",
    b"1",
    b'"x"',
    b"[1]",
    b"[null]",
    b'{"a": []}',
    b'[{"confidence": "x"}]',
]
WRONG += [b'{"responseData": null}', b'{"translatedText": "x"}', b'{"responseData": [{"sourceLanguage": 1}]}']
WRONG += [b'{"translatedText": [1]}', b'{"responseData": {"translatedText": 5}}', b"[" * 100_000]
WRONG += [b'[{"code": 1}]', gzip.compress(b"[]"), b"\xff\xfe", b'{"translatedText": ["a", "b"]}']


@BOTH
async def test_no_answer_does_harm(kind: TranslatorKind) -> None:
    async with translating(kind) as engine:
        fresh = engine.adapter()
        await fresh.translate(["One"], source="en", target="de")
        for raw in WRONG:
            engine.raw = raw
            with pytest.raises(TranslatorFailed):
                # It knows the pairs already, so that this answer is the one that is wrong.
                await fresh.translate(["One"], source="en", target="de")
            with pytest.raises(TranslatorFailed):
                await engine.adapter().translate(["One"], source="en", target="de")
        engine.raw = json.dumps({"translatedText": ["x" * 1_100_000]}).encode()
        for status, problem in ((200, "ANSWER_TOO_LONG"), (302, "STATUS_302"), (500, "STATUS_500")):
            engine.status = status
            with pytest.raises(TranslatorFailed, match=problem):
                await fresh.translate(["One"], source="en", target="de")
        engine.status, engine.hangs = 200, True
        with pytest.raises(TranslatorFailed, match="TIMEOUT"):
            await engine.adapter(seconds=0.1).detect("Hello")
    with pytest.raises(TranslatorFailed, match="UNREACHABLE"):
        await fresh.detect("Hello")


@BOTH
async def test_what_must_not_change_survives_engines_that_change_it(kind: TranslatorKind) -> None:
    async with translating(kind) as engine:
        for mangle in (
            str,
            str.upper,
            lambda text: re.sub(r"\d+", lambda number: f"{int(number.group()):,}", text),
            lambda text: re.sub(r"(\d+)(.*?)(\d+)", r"\3\2\1", text),
            lambda text: re.sub(r"\d+", "", text),
            lambda text: text.replace("\n", " "),
            lambda text: text + " \x00\x1b\x85 7001",
        ):
            engine.mangle = mangle
            interpreter = Interpreter(engine.adapter(), ManualClock(NOW))
            found = await interpreter.interpret(message(TEXT), "de")
            places = [found.text.index(part) for part in PARTS]
            assert places == sorted(places)
            assert found.text.count("\n") == 1
            assert not set(found.text) & {"\x00", "\x1b", "\x85"}
            assert (found.source, found.engine) == ("en", kind.value)
        engine.mangle = lambda text: text * 500
        with pytest.raises(Refusal) as refused:
            await Interpreter(engine.adapter(), ManualClock(NOW)).interpret(message(TEXT), "de")
        assert refused.value.kind is Kind.UNAVAILABLE


@BOTH
async def test_languages_that_nobody_has_to_translate(kind: TranslatorKind) -> None:
    async with translating(kind) as engine:
        interpreter = Interpreter(engine.adapter(), ManualClock(NOW))
        for text, language, target in (
            (TEXT, "", "en"),
            (TEXT, "en", "en"),
            ("5 € https://x.example", "", "de"),
            ("…", "", "ja"),
        ):
            found = await interpreter.interpret(message(text, language), target)
            source = "en" if text == TEXT else ""
            assert (found.text, found.source, found.engine) == (text, source, "")
        assert engine.translations == []
        # An engine that is not sure, or cannot tell, is helped by the most frequent words.
        german = "Ich hätte gerne ein Logo mit einer Eule, bitte bis 1.5.2026."
        for engine.language, engine.sure in (("", 0.9), ("nl", 0.3)):
            found = await interpreter.interpret(message(german), "en")
            assert found.source == "de"
        engine.language = ""
        if kind is APERTIUM:
            with pytest.raises(Refusal) as refused:
                await interpreter.interpret(message("Xyzzy"), "de")
            assert refused.value.reason == "TRANSLATION_IMPOSSIBLE"
        else:
            assert (await interpreter.interpret(message("Xyzzy"), "de")).source == "en"


async def test_a_slow_engine_gets_no_more_than_it_can_do() -> None:
    async with translating() as engine:
        interpreter = Interpreter(engine.adapter(seconds=10), ManualClock(NOW))
        engine.gate.clear()
        waiting = [asyncio.ensure_future(interpreter.interpret(message(TEXT), "de")) for _ in range(AT_ONCE)]
        await engine.arrived.wait()
        with pytest.raises(Refusal) as refused:
            await interpreter.interpret(message(TEXT), "de")
        assert "busy" in refused.value.message
        engine.gate.set()
        assert len({found.text for found in await asyncio.gather(*waiting)}) == 1
        # What it says is not believed to be a language.
        engine.language = "e\x00" * 1_000
        with pytest.raises(Refusal) as refused:
            await interpreter.interpret(message("Xyzzy"), "de")
        assert refused.value.kind is Kind.UNAVAILABLE


async def test_an_engine_that_fails_is_left_alone_for_a_while() -> None:
    async with translating() as engine:
        clock = ManualClock(NOW)
        interpreter = Interpreter(engine.adapter(), clock)
        engine.status = 500
        for _ in range(FAILURES_BEFORE_REST + 3):
            with pytest.raises(Refusal):
                await interpreter.interpret(message(TEXT), "de")
        assert len(engine.asked) == FAILURES_BEFORE_REST
        clock.advance(REST - timedelta(seconds=10))
        with pytest.raises(Refusal) as refused:
            await interpreter.interpret(message(TEXT), "de")
        assert refused.value.retry_after_seconds == 10
        # One more is tried; while that fails, the others wait again.
        clock.advance(timedelta(seconds=10))
        for _ in range(3):
            with pytest.raises(Refusal):
                await interpreter.interpret(message(TEXT), "de")
        assert len(engine.asked) == FAILURES_BEFORE_REST + 1
        engine.status = 200
        clock.advance(REST)
        assert (await interpreter.interpret(message(TEXT), "de")).text.startswith("[de]")
        assert (await interpreter.interpret(message(TEXT), "fr")).text.startswith("[fr]")
