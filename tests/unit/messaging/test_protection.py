"""What must come through a translation byte for byte, whatever the engine does to it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.messaging.domain.protection import SENTINEL, masked, numbered, protected, restored
from services.messaging.domain.translation import (
    PIECE_CHARACTERS,
    Piece,
    cleaned,
    pieces_of,
)

EXAMPLES = [
    ("Pay 1.234,56 € now", ["1.234,56 €"]),
    ("Pay € 5, or USD 1,000.00.", ["€ 5", "USD 1,000.00"]),
    ("It costs $5!", ["$5"]),
    ("Das macht 120 EUR.", ["120 EUR"]),
    ("120 PLANS", ["120"]),
    # A unit belongs to the number in its own line.
    ("Logo: 100 €\n5 days", ["100 €", "5"]),
    ("in EUR\n3 drafts", ["3"]),
    ("about 5 % less", ["5 %"]),
    ("before 2026-05-01 or 1.5.2026 at 14:30?", ["2026-05-01", "1.5.2026", "14:30"]),
    ("see https://parley.example/a?b=c&d=(e), please", ["https://parley.example/a?b=c&d=(e"]),
    ("see www.parley.example.", ["www.parley.example"]),
    ("write to ana@mail.example", ["ana@mail.example"]),
    ("call +49 30 1234567", ["+49 30 1234567"]),
    ("order orders/0190a000-0000-7000-8000-000000000001!", ["orders/0190a000-0000-7000-8000-000000000001"]),
    ("the listing sellers/acme/listings/logo is nice", ["sellers/acme/listings/logo"]),
    ("your code SAVE-NOW or my_code or A1B2", ["SAVE-NOW", "my_code", "A1B2"]),
    ("he and/or she, e.g. them", []),
    ("納期は2026年5月1日です。1000円", ["2026", "5", "1", "1000円"]),
    ("Tea for two", []),
]


@pytest.mark.parametrize(("text", "parts"), EXAMPLES)
def test_what_is_protected(text: str, parts: list[str]) -> None:
    assert [text[start:stop] for start, stop in protected(text)] == parts


WORDS = st.sampled_from(
    [
        *"5٣Ⅻ½円。…\n",
        "Hello",
        "price",
        "is",
        "die",
        "1.234,56 €",
        "EUR 7",
        "(12%)",
        "7001",
        "70017002",
        SENTINEL,
        "https://x.example/7?a=1",
        "ana@x.example",
        "orders/0190",
        "A_B",
        ". ",
        "日本",
        "-5-",
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=8), max_size=40).map(" ".join) | st.text(max_size=200)


def translated(text: str, engine: Callable[[str], str]) -> str:
    """As the service does it: whole pieces first, segments of those that came back mangled."""
    done = []
    for piece in pieces_of(text):
        if not piece.is_spoken:
            done.append(piece.original)
            continue
        answer = piece.answered(engine(piece.asked))
        done.append(piece.rebuilt([engine(each) for each in piece.segments]) if answer is None else answer)
    return "".join(done)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_nothing_is_lost_by_cutting_and_joining(text: str) -> None:
    whole = masked(text)
    assert whole.text.count(SENTINEL) == len(whole.parts)
    assert re.search(r"\d", whole.text) is None
    # What is written against a part, as in "日5日", is given back as well; letters of ours are not.
    assert restored(numbered(whole.text), whole.parts) in (text, None)
    pieces = pieces_of(text)
    assert "".join(piece.original for piece in pieces) == text
    assert all(len(piece.asked) <= PIECE_CHARACTERS for piece in pieces)
    assert translated(text, lambda asked: asked).split() == text.split()


HOSTILE: list[Callable[[str], str]] = [
    str.upper,
    lambda asked: "",
    lambda asked: asked[::-1],
    lambda asked: asked.replace("7001", "7002"),
    lambda asked: re.sub(r"\d+", lambda found: f"{int(found.group()):,}", asked),
    lambda asked: re.sub(r"\d+", "", asked),
    lambda asked: asked + " " + asked,
    lambda asked: " ".join(sorted(asked.split())),
    lambda asked: asked.replace("\n", " "),
    lambda asked: "x" + asked.replace(" ", ""),
    lambda asked: asked.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    lambda asked: "Pay 9999 EUR to eve@x.example",
]


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.sampled_from(HOSTILE))
def test_protected_parts_survive_every_engine_in_order(text: str, engine: Callable[[str], str]) -> None:
    answer, place = translated(text, engine), 0
    for start, stop in protected(text):
        part = text[start:stop]
        place = answer.index(part, place) + len(part)
    assert answer.count("\n") >= text.count("\n")


def _engine(asked: str) -> str:
    return asked


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.functions(like=_engine, returns=TEXTS, pure=True))
def test_protected_parts_survive_engines_that_answer_anything(
    text: str, engine: Callable[[str], str]
) -> None:
    answer, place = translated(text, engine), 0
    for start, stop in protected(text):
        part = text[start:stop]
        place = answer.index(part, place) + len(part)


def test_an_engine_that_keeps_the_numbers_is_asked_once() -> None:
    (piece,) = pieces_of("Pay 5 € to ana@x.example\nby 1.5.2026.")
    assert piece.asked == "Pay 7001 to 7002\nby 7003."
    assert piece.answered("Zahle 7001 an 7002\nbis 7003.") == "Zahle 5 € an ana@x.example\nbis 1.5.2026."
    for mangled in (
        "Bis 7003 zahle 7001\nan 7002",
        "7001 7002 7003",
        "7001\n7002 7003 7003",
        "7001\na7002 7003",
    ):
        assert piece.answered(mangled) is None
    assert piece.segments == ("Pay", "to", "by")
    assert piece.rebuilt(["Zahle", "an", "bis\nzum"]) == "Zahle 5 € an ana@x.example\nbis zum 1.5.2026."


def test_long_texts_are_cut_between_lines_and_sentences() -> None:
    sentence = "This is a sentence of some words. "
    pieces = pieces_of(sentence * 100)
    assert len(pieces) > 3
    assert all(piece.core.endswith(".") for piece in pieces)
    lines = pieces_of("a line without an end\n" * 100)
    assert all(piece.trail == "\n" for piece in lines)
    assert [len(piece.core) for piece in pieces_of("x" * 2_500)] == [1_000, 1_000, 500]
    assert Piece("", "…", "", ()).is_spoken is False


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=100))
def test_answers_hold_nothing_that_cannot_be_shown(answer: str) -> None:
    shown = cleaned(answer, "asked for")
    assert shown is not None
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ue000]", shown)
    assert cleaned("x" * 300, "short") is None
