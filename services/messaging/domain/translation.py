"""Translations: how a text goes to an engine in pieces, and how it comes back with nothing lost."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.messaging.domain.protection import SENTINEL, masked, numbered, restored

PIECE_CHARACTERS: Final = 1_000
"""The longest piece, as an engine gets it. Engines take 2,000 characters at least."""
SEGMENT_LIMIT: Final = 500
"""Segments of one message that are translated one by one because an engine mangled the whole."""
GROWTH: Final = 4
"""How many times as long as the original a translation may be, beside `GROWTH_CHARACTERS`."""
GROWTH_CHARACTERS: Final = 200
WAITING: Final = timedelta(hours=6)
"""How long an automatic translation is tried: later nobody waits for it any more."""
_BREAKS: Final = re.compile(rf"([{SENTINEL}\n])")
_SENTENCE_END: Final = re.compile(r"[.!?…][\"'»”)\]]*\s|[。！？]")
_NUMBER_LENGTH: Final = 4


@dataclass(frozen=True, slots=True)
class Translation:
    """What a message says in `language`. `source` is the language of the original. Where that is the same one
    there is no engine, and nothing to be kept.
    """

    language: str
    source: str
    text: str
    engine: str = ""
    create_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text: `core` is masked, `parts` are what was taken out of it."""

    lead: str
    core: str
    trail: str
    parts: tuple[str, ...]

    @property
    def is_spoken(self) -> bool:
        """Whether there is anything in it to translate."""
        return _has_letters(self.core)

    @property
    def asked(self) -> str:
        """What the engine gets."""
        return numbered(self.core)

    def answered(self, answer: str) -> str | None:
        """The piece in the other language; None where the answer lost something of it."""
        if answer.count("\n") != self.core.count("\n"):
            return None
        found = restored(answer, self.parts)
        return None if found is None else self.lead + found + self.trail

    @property
    def segments(self) -> tuple[str, ...]:
        """What stands between the protected parts and the ends of lines: nothing in it can be lost."""
        return tuple(each.strip() for each in _BREAKS.split(self.core) if _has_letters(each))

    def rebuilt(self, answers: Sequence[str]) -> str:
        """The piece out of the translations of its segments."""
        rest, parts, built = iter(answers), iter(self.parts), [self.lead]
        for each in _BREAKS.split(self.core):
            if each == SENTINEL:
                built.append(next(parts))
            elif _has_letters(each):
                built.append(_around(each, " ".join(next(rest).split())))
            else:
                built.append(each)
        return "".join((*built, self.trail))

    @property
    def original(self) -> str:
        """The piece as it was written."""
        pieces = self.core.split(SENTINEL)
        rest = (part + piece for part, piece in zip(self.parts, pieces[1:], strict=True))
        return "".join((self.lead, pieces[0], *rest, self.trail))


def pieces_of(text: str) -> tuple[Piece, ...]:
    """The text in pieces of at most `PIECE_CHARACTERS`, cut between lines or sentences where it has any."""
    whole = masked(text)
    pieces, start, used = [], 0, 0
    while start < len(whole.text):
        end = _end_of_piece(whole.text, start)
        cut = whole.text[start:end]
        core = cut.strip()
        lead = cut[: len(cut) - len(cut.lstrip())] if core else cut
        parts = whole.parts[used : used + core.count(SENTINEL)]
        pieces.append(Piece(lead, core, cut[len(lead) + len(core) :], parts))
        start, used = end, used + len(parts)
    return tuple(pieces)


def _end_of_piece(text: str, start: int) -> int:
    end = min(len(text), start + PIECE_CHARACTERS)
    while end - start + (_NUMBER_LENGTH - 1) * text.count(SENTINEL, start, end) > PIECE_CHARACTERS:
        end = start + (end - start) * 3 // 4
    if end == len(text):
        return end
    earliest = start + (end - start) // 4
    line = text.rfind("\n", earliest, end)
    if line >= 0:
        return line + 1
    sentences = [found.end() for found in _SENTENCE_END.finditer(text, earliest, end)]
    if sentences:
        return sentences[-1]
    space = max(text.rfind(each, earliest, end) for each in (" ", "\t", "\u00a0"))
    return space + 1 if space >= 0 else end


def cleaned(answer: str, asked: str) -> str | None:
    """What an engine answered, without what cannot be shown; None where it is longer than any translation."""
    if len(answer) > GROWTH * len(asked) + GROWTH_CHARACTERS:
        return None
    shown = (each for each in answer.strip() if each in "\n\t" or not _is_hidden(each))
    return "".join(shown).strip()


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Co")


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _around(old: str, new: str) -> str:
    """`new` with the spaces around `old`."""
    inner = old.strip()
    start = old.index(inner)
    return old[:start] + new + old[start + len(inner) :]
