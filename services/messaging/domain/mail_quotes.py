"""What somebody wrote in an answer, without what he answered to.

The whole is one pass over the lines, each of them looked at up to a fixed length: there is no text on which
it takes long. What is left is never longer than what came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

READ_LIMIT: Final = 400_000
"""Characters that are looked at; what follows is history."""
LINE_LIMIT: Final = 300
"""Characters of a line that are looked at."""
HEADER_LINES: Final = 3
"""Lines over which a mail program may break the line before a quotation."""
BLANK_LINES: Final = 2
"""Blank lines in a row that are kept."""

_QUOTE_MARK: Final = ">"
_SIGNATURES: Final = frozenset({"-- ", "--"})
# How the line before a quotation begins and ends in each language. It holds a number: a date, a time.
_INTRODUCTIONS: Final = (
    (("on ",), ("wrote:",)),
    (("am ",), ("schrieb:", "geschrieben:")),
    (("le ",), ("a écrit :", "a écrit:", "a écrit\u00a0:", "a écrit\u202f:")),
    (("il ", "in data "), ("ha scritto:",)),
    (("el ",), ("escribió:", "ha escrito:")),
)
_GERMAN_MIDDLE: Final = " schrieb "
_STARTS: Final = tuple(start for starts, _ in _INTRODUCTIONS for start in starts)
_RULES: Final = (
    "original message",
    "forwarded message",
    "ursprüngliche nachricht",
    "weitergeleitete nachricht",
    "message d'origine",
    "message d’origine",
    "message original",
    "message transféré",
    "messaggio originale",
    "messaggio inoltrato",
    "mensaje original",
    "mensaje reenviado",
)
# A block of headers: the first of them, and those of which one must follow within the next lines.
_FIRST_HEADERS: Final = ("from:", "von:", "de:", "de :", "de\u00a0:", "da:")
_NEXT_HEADERS: Final = (
    "sent:",
    "date:",
    "gesendet:",
    "datum:",
    "envoyé:",
    "envoyé :",
    "envoyé\u00a0:",
    "date :",
    "date\u00a0:",
    "inviato:",
    "data:",
    "enviado:",
    "enviado el:",
    "fecha:",
)
_DIGIT: Final = re.compile(r"[0-9]")
_UNDERLINE: Final = re.compile(r"_{10,}")


def written(text: str) -> str:
    """What is new in an answer: no quotation, nothing below the head of one, no signature."""
    lines = [_shown(line) for line in text[:READ_LIMIT].replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if line in _SIGNATURES and any(each.strip() for each in kept):
            break
        length = _introduction(lines, number)
        if length:
            # Where the quotation is marked line by line, what follows it is the answer.
            number += length
            if not _is_marked(lines, number):
                break
            continue
        if _begins_history(lines, number):
            break
        if not _is_quote(line):
            kept.append(line)
        number += 1
    return _tidied(kept)


def _shown(line: str) -> str:
    return line.replace("\u200b", "").replace("\ufeff", "")


def _is_quote(line: str) -> bool:
    return line[:LINE_LIMIT].lstrip().startswith(_QUOTE_MARK)


def _is_marked(lines: Sequence[str], number: int) -> bool:
    ahead = lines[number : number + HEADER_LINES]
    return any(_is_quote(line) for line in ahead if line.strip())


def _introduction(lines: Sequence[str], number: int) -> int:
    """How many lines the line before a quotation takes that begins here; 0 where none does."""
    first = lines[number][:LINE_LIMIT].strip().casefold()
    if not first.startswith(_STARTS):
        return 0
    said = ""
    for count in range(1, HEADER_LINES + 1):
        if number + count > len(lines):
            break
        line = lines[number + count - 1][:LINE_LIMIT].strip().casefold()
        if not line:
            break
        said = f"{said} {line}".strip()
        if _introduces(said):
            return count
    return 0


def _introduces(said: str) -> bool:
    if not said.endswith(":") or _DIGIT.search(said) is None:
        return False
    for starts, ends in _INTRODUCTIONS:
        if said.startswith(starts) and said.endswith(ends):
            return True
    return said.startswith("am ") and _GERMAN_MIDDLE in said


def _begins_history(lines: Sequence[str], number: int) -> bool:
    line = lines[number][:LINE_LIMIT].strip().casefold()
    if line.startswith("---") and line.strip("- ").startswith(_RULES):
        return True
    if _UNDERLINE.fullmatch(line):
        return _has_headers(lines, number + 1)
    return _has_headers(lines, number)


def _has_headers(lines: Sequence[str], number: int) -> bool:
    """Whether the headers of another mail stand here, as text."""
    block = [_plain(line) for line in lines[number : number + 4]]
    if not block or not block[0].startswith(_FIRST_HEADERS):
        return False
    return any(line.startswith(_NEXT_HEADERS) for line in block[1:])


def _plain(line: str) -> str:
    return line[:LINE_LIMIT].strip().strip("*").casefold()


def _tidied(lines: Sequence[str]) -> str:
    kept: list[str] = []
    blank = 0
    for line in lines:
        blank = 0 if line.strip() else blank + 1
        if blank <= BLANK_LINES:
            kept.append(line.rstrip())
    return "\n".join(kept).strip()
