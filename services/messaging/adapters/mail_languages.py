"""The languages of mails: texts from `mail_texts/*.toml`, and how amounts and times are written in them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

from chassis.kernel.money import Money, exponent
from chassis.kernel.timetable import zone_of


@dataclass(frozen=True, slots=True)
class Language:
    """The texts of one language. A text that is missing, or a placeholder without a value, is a KeyError."""

    code: str
    frame: Mapping[str, str]
    formats: Mapping[str, Any]
    topics: Mapping[str, tuple[str, str]]

    def say(self, key: str, **values: object) -> str:
        """A text of the frame."""
        return self.frame[key].format_map(values)

    def title(self, topic: str) -> str:
        """What a subject says."""
        return self.topics[topic][0]

    def sentence(self, topic: str) -> str:
        """What the mail says."""
        return self.topics[topic][1]

    def amount(self, money: Money) -> str:
        """An amount with the currency's code, which means the same everywhere."""
        digits = exponent(money.currency)
        whole, rest = divmod(abs(money.amount), 10**digits)
        number = f"{whole:,}".replace(",", self.formats["thousands"])
        if digits:
            number += f"{self.formats['decimal']}{rest:0{digits}}"
        sign = "-" if money.amount < 0 else ""
        return str(self.formats["amount"]).format(number=sign + number, currency=money.currency)

    def time(self, instant: datetime, zone: str) -> str:
        """An instant on the recipient's clock, with its zone."""
        local = instant.astimezone(zone_of(zone))
        return str(self.formats["time"]).format(
            day=local.day,
            month=self.formats["months"][local.month - 1],
            year=local.year,
            hour=f"{local.hour:02}",
            minute=f"{local.minute:02}",
            zone=zone,
        )


@cache
def language(code: str) -> Language:
    """The texts of a language, read once."""
    path = resources.files("services.messaging.adapters").joinpath("mail_texts", f"{code}.toml")
    found = tomllib.loads(path.read_text("utf-8"))
    topics = {topic: (title, sentence) for topic, (title, sentence) in found["topics"].items()}
    return Language(code, found["frame"], found["format"], topics)
