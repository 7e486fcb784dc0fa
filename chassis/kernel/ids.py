"""Identifiers and resource names."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random, SystemRandom
from threading import Lock
from typing import Protocol

from chassis.kernel.clock import Clock
from chassis.kernel.refusal import invalid

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SEGMENT = r"([a-z0-9][a-z0-9_-]{0,62})"
_TAIL_BITS = 74
_STEP_BITS = 40
MAX_NAME_LENGTH = 512
"""Characters of a resource name."""


class Ids(Protocol):
    """Makes identifiers that nobody used before."""

    def new(self) -> str:
        """A fresh lower-case UUIDv7 as text."""
        ...


class UuidV7:
    """UUIDv7 in strict order of creation within this object, also when the clock steps back."""

    def __init__(self, clock: Clock, random: Random | None = None) -> None:
        self._clock = clock
        self._random = random or SystemRandom()
        self._lock = Lock()
        self._millisecond = 0
        self._tail = 0

    def new(self) -> str:
        """A fresh identifier, greater than every one before it."""
        millisecond = int(self._clock.now().timestamp() * 1000)
        with self._lock:
            if millisecond > self._millisecond:
                self._millisecond = millisecond
                self._tail = self._random.getrandbits(_TAIL_BITS)
            else:
                # A random step keeps the next id unguessable while it stays greater than the last one.
                self._tail += 1 + self._random.getrandbits(_STEP_BITS)
                if self._tail >> _TAIL_BITS:
                    self._millisecond += 1
                    self._tail = self._random.getrandbits(_TAIL_BITS)
            return _v7_text(self._millisecond, self._tail)


class SequentialIds:
    """Deterministic identifiers of the same shape, for tests: ...0001, ...0002, and so on.

    Two objects with different `family` numbers never make the same identifier.
    """

    def __init__(self, family: int = 0) -> None:
        self._family = family
        self._count = 0

    def new(self) -> str:
        """The next identifier of the sequence."""
        self._count += 1
        return _v7_text(0x0190_0000_0000 + self._family, self._count)


def _v7_text(millisecond: int, tail: int) -> str:
    high, low = tail >> 62, tail & (1 << 62) - 1
    return spelled(f"{millisecond & 0xFFFF_FFFF_FFFF:012x}7{high & 0xFFF:03x}{0x8 << 60 | low:016x}")


def spelled(digits: str) -> str:
    """The UUID of 32 hexadecimal digits, with its hyphens."""
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_id(text: str) -> bool:
    """Whether `text` is a UUID in the one spelling that Parley uses (lower case, with hyphens)."""
    return _UUID.fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("/".join(_SEGMENT if part == "*" else re.escape(part) for part in pattern.split("/")))


def parse_name(name: str, pattern: str, *, field: str = "name") -> tuple[str, ...]:
    """The variable segments of a resource name: ``("sellers/acme/listings/logo", "sellers/*/listings/*")``
    gives ``("acme", "logo")``. Refusal INVALID when the name does not have that shape.
    """
    match = _compiled(pattern).fullmatch(name) if len(name) <= MAX_NAME_LENGTH else None
    if match is None:
        raise invalid(field, f"must have the form {pattern}", form=pattern)
    return match.groups()
