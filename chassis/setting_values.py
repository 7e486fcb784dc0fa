"""Values of settings: their types, how they are read from text, and what a valid one is in words."""

from __future__ import annotations

import math
import typing
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

UNITS = frozenset({"bytes", "seconds", "hours", "days"})
"""How the name of a number says in what it is counted."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Secret:
    """A value that never shows in a log, a repr or an error message."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; call it only where the secret is used."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __bool__(self) -> bool:
        return bool(self._value)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen or dial, for example `127.0.0.1:9101`; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port` (IPv6 hosts in brackets); ValueError says what is wrong."""
        host, separator, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not separator or not host:
            raise ValueError("has no port or no host")
        if not port.isascii() or not port.isdigit() or int(port) > 65_535:
            raise ValueError(f"has the port {port!r}, which is not a number from 0 to 65535")
        return cls(host, int(port))


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known about a field beside its type; see `setting`."""

    about: str
    shape: str
    hint: str
    minimum: float | None
    maximum: float | None
    must_exist: bool


def _parse_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered not in _TRUE | _FALSE:
        raise ValueError("is neither true nor false")
    return lowered in _TRUE


def _parse_number(text: str, kind: Callable[[str], Any]) -> Any:
    try:
        number = kind(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if math.isnan(number):
        raise ValueError("is not a number")
    return number


def parse(kind: Any, text: str) -> Any:
    """Read a value of a type; ValueError says what is wrong with it."""
    if kind is Secret and not text:
        raise ValueError("is empty")
    if kind in (str, Secret, Path):
        return kind(text)
    if kind is bool:
        return _parse_bool(text)
    if kind in (int, float):
        return _parse_number(text, kind)
    if kind is Address:
        return Address.parse(text)
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(text)
        except ValueError:
            raise ValueError("is not one of the values") from None
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return tuple(parse(item, part.strip()) for part in text.split(",") if part.strip())
    raise TypeError(f"settings of type {kind!r} are not supported")


def checked(value: Any, rules: Rules) -> Any:
    """The value, if it keeps its bounds; ValueError else."""
    if rules.minimum is not None and value < rules.minimum:
        # Twelve digits, so that no limit in bytes is written as a power of ten.
        raise ValueError(f"is below {rules.minimum:.12g}")
    if rules.maximum is not None and value > rules.maximum:
        raise ValueError(f"is above {rules.maximum:.12g}")
    if rules.must_exist and not value.exists():
        raise ValueError("names nothing that exists")
    return value


def default_shape(name: str, kind: Any, rules: Rules) -> str:
    """What a valid value of a type is, with the bounds of a number and the unit that its name ends in."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if typing.get_origin(kind) is tuple:
        return "values separated by commas"
    names = {str: "text", Secret: "a secret", bool: "true or false", Address: "host:port", Path: "a path"}
    if kind in (int, float):
        word = "a whole number" if kind is int else "a number"
        unit = name.rpartition("_")[2]
        word += f" of {unit}" if unit in UNITS else ""
        low = "" if rules.minimum is None else f" from {rules.minimum:.12g}"
        return word + low + ("" if rules.maximum is None else f" to {rules.maximum:.12g}")
    return names.get(kind, str(kind))
