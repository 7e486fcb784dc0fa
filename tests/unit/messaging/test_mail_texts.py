"""The texts of mails: every language says everything; amounts and times are written its way."""

from __future__ import annotations

import string
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chassis.kernel.money import Money
from services.messaging.adapters.mail_languages import language
from services.messaging.domain.notification import TOPICS
from services.messaging.domain.profile import WRITTEN_LANGUAGES

FOLDER = Path(__file__).parents[3] / "services/messaging/adapters/mail_texts"
NOON = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


def read(code: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{code}.toml").read_text("utf-8"))


def placeholders(text: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


def test_there_is_a_file_for_each_language_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(WRITTEN_LANGUAGES)


@pytest.mark.parametrize("code", WRITTEN_LANGUAGES)
def test_a_language_says_everything(code: str) -> None:
    found, english = read(code), read("en")
    assert list(found["topics"]) == list(english["topics"])
    assert set(found["topics"]) == set(TOPICS)
    for topic, texts in found["topics"].items():
        title, sentence = texts
        assert title, topic
        assert sentence.endswith("."), topic
        assert not placeholders(title) | placeholders(sentence), topic
        assert len(title) <= 60, topic
    for part in ("frame", "format"):
        assert list(found[part]) == list(english[part])
    for key, text in found["frame"].items():
        assert placeholders(text) == placeholders(english["frame"][key]), key
        assert text.isprintable(), key
    assert placeholders(found["format"]["amount"]) == {"number", "currency"}
    assert placeholders(found["format"]["time"]) == {"day", "month", "year", "hour", "minute", "zone"}
    assert len(set(found["format"]["months"])) == 12


@pytest.mark.parametrize("code", [code for code in WRITTEN_LANGUAGES if code != "en"])
def test_nothing_was_left_in_english(code: str) -> None:
    english = read("en")
    same = [topic for topic, texts in read(code)["topics"].items() if texts == english["topics"][topic]]
    same += [key for key, text in read(code)["frame"].items() if text == english["frame"][key]]
    assert set(same) <= {"subject"}


@pytest.mark.parametrize(
    ("code", "money", "shown"),
    [
        ("en", Money("EUR", 123456789), "EUR 1,234,567.89"),
        ("de", Money("EUR", 123456789), "1.234.567,89 EUR"),
        ("fr", Money("EUR", 123456789), "1\u202f234\u202f567,89\u00a0EUR"),
        ("it", Money("EUR", 5), "0,05 EUR"),
        ("es", Money("JPY", 1500), "1.500 JPY"),
        ("en", Money("KWD", 1500), "KWD 1.500"),
        ("de", Money("EUR", -50), "-0,50 EUR"),
    ],
)
def test_amounts(code: str, money: Money, shown: str) -> None:
    assert language(code).amount(money) == shown


@pytest.mark.parametrize(
    ("code", "zone", "shown"),
    [
        ("en", "UTC", "1 March 2026, 12:05 (UTC)"),
        ("de", "Europe/Berlin", "1. März 2026, 13:05 Uhr (Europe/Berlin)"),
        ("fr", "Asia/Kathmandu", "1 mars 2026 à 17:50 (Asia/Kathmandu)"),
        ("it", "Pacific/Kiritimati", "2 marzo 2026, 02:05 (Pacific/Kiritimati)"),
        ("es", "America/Lima", "1 de marzo de 2026, 07:05 (America/Lima)"),
    ],
)
def test_times(code: str, zone: str, shown: str) -> None:
    assert language(code).time(NOON, zone) == shown
