"""What a translation leaves alone: amounts, numbers, dates, links, addresses, names of resources, codes.

Each becomes a number of four digits, which every engine copies and none inflects. No other digit is left in
what an engine gets, so that its answer can be checked: the numbers have to come back once each and in order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chassis.kernel.money import exponent
from chassis.kernel.refusal import Refusal

SENTINEL: Final = "\ue000"
"""Stands for a protected part in a masked text; one that somebody wrote is protected itself."""
FIRST_NUMBER: Final = 7001
"""No round one, and no year that anybody writes of."""

# Kana, ideographs and their punctuation are written without spaces: they end a word.
_UNSPACED: Final = (
    "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff9f"
)
_WORD: Final = re.compile(rf"[^\s{_UNSPACED}]+")
_OPENING: Final = "([{<«‹“‘„‚\"'*…¿¡"
_CLOSING: Final = ")]}>»›”’“\"'*….,;:!?"
_NAME: Final = re.compile(
    r"/?(v1/)?(attachments|conversations|inquiries|listings|messages|observers|offers|orderRequests|orders|packages"
    r"|payments|sellers|subscriptions|users|webhookEndpoints)/\S+"
)
_HOST: Final = re.compile(r"[A-Za-z-]+(\.[A-Za-z-]+)*\.[a-z]{2,}(/\S*)?")
_CODE: Final = re.compile(r"[A-Z]{2,}(-[A-Z]+)+")
_SPACE: Final = " \u00a0\u2009\u202f"
_UNIT: Final = r"[€$£¥₹₽₩₺₴₫₪₦฿%‰円元]|zł|kr|Kč|Ft|[A-Z]{3}"
_UNIT_AFTER: Final = re.compile(rf"[{_SPACE}]?({_UNIT})(?!\w)")
_UNIT_BEFORE: Final = re.compile(rf"(?<!\w)({_UNIT})[{_SPACE}]?\Z")
_BEFORE_LIMIT: Final = 5
_DIGITS: Final = re.compile(r"\d+")
_GLUED: Final = re.compile(r"[A-Za-z]\d|\d[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Masked:
    """A text in which `SENTINEL` stands for each of its `parts`, in order."""

    text: str
    parts: tuple[str, ...]


def masked(text: str) -> Masked:
    """The text without its protected parts."""
    pieces, parts, end = [], [], 0
    for start, stop in protected(text):
        pieces += [text[end:start], SENTINEL]
        parts.append(text[start:stop])
        end = stop
    return Masked("".join((*pieces, text[end:])), tuple(parts))


def protected(text: str) -> list[tuple[int, int]]:
    """Where the protected parts begin and end. Between two of them stands at least one character."""
    merged: list[tuple[int, int]] = []
    for start, stop in _spans(text):
        if merged and (stop <= merged[-1][1] or text[merged[-1][1] : start] in ("", *_SPACE)):
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for word in _WORD.finditer(text):
        found = word.group()
        core = found.lstrip(_OPENING)
        start = word.start() + len(found) - len(core)
        core = core.rstrip(_CLOSING) or core
        if not _is_protected(core):
            continue
        stop = start + len(core)
        if any(_is_number(character) for character in core):
            yield _with_units(text, start, stop)
        else:
            yield start, stop


def _is_protected(core: str) -> bool:
    return (
        any(_is_number(character) or character in "@_\ue000" for character in core)
        or "://" in core
        or _NAME.fullmatch(core) is not None
        or _HOST.fullmatch(core) is not None
        or _CODE.fullmatch(core) is not None
    )


def _is_number(character: str) -> bool:
    return unicodedata.category(character).startswith("N")


def _with_units(text: str, start: int, stop: int) -> tuple[int, int]:
    """The number together with the currency, or the per cent, beside it."""
    after = _UNIT_AFTER.match(text, stop)
    if after is not None and _is_unit(after.group(1)):
        return start, after.end()
    before = _UNIT_BEFORE.search(text[max(0, start - _BEFORE_LIMIT) : start])
    if before is not None and _is_unit(before.group(1)):
        return start - len(before.group()), stop
    return start, stop


def _is_unit(text: str) -> bool:
    if not (len(text) == 3 and text.isascii()):
        return True
    try:
        exponent(text)
    except Refusal:
        return False
    return True


def numbered(masked_text: str) -> str:
    """What an engine gets of a masked text: the first part is `FIRST_NUMBER`, the others follow."""
    pieces = masked_text.split(SENTINEL)
    numbers = (str(FIRST_NUMBER + place) for place in range(len(pieces) - 1))
    return pieces[0] + "".join(number + piece for number, piece in zip(numbers, pieces[1:], strict=True))


def restored(answer: str, parts: tuple[str, ...]) -> str | None:
    """The answer with the parts in their places; None where it does not hold each of them once, alone and in
    order.
    """
    expected = [str(FIRST_NUMBER + place) for place in range(len(parts))]
    if _DIGITS.findall(answer) != expected or _GLUED.search(answer) is not None:
        return None
    pieces = _DIGITS.split(answer)
    return pieces[0] + "".join(part + piece for part, piece in zip(parts, pieces[1:], strict=True))
