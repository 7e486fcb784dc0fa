"""Settings of a process, read once from the environment and checked before anything starts.

A settings class is a frozen dataclass whose fields are declared by `setting(...)`. The variable of the
field `grpc_address` in the service `offers` is `PARLEY_OFFERS_GRPC_ADDRESS`, else `PARLEY_GRPC_ADDRESS`;
either may instead be given as `..._FILE`, naming a file that holds the value (for secrets). All mistakes are
reported together, so that an operator corrects a deployment in one round.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

PREFIX = "PARLEY_"
FILE_SUFFIX = "_FILE"
VALUE_FILE_LIMIT_BYTES = 65_536

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})

Settings = TypeVar("Settings")


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
class Mistake:
    """One thing that is wrong with the environment."""

    variable: str
    problem: str
    shape: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.variable}: {self.problem}; expected {self.shape}"
        return f"{text}. {self.hint}" if self.hint else text


class ConfigError(Exception):
    """The environment does not describe a process that can start; carries every mistake."""

    def __init__(self, service: str, mistakes: tuple[Mistake, ...]) -> None:
        self.service = service
        self.mistakes = mistakes
        lines = "\n".join(f"  - {mistake}" for mistake in mistakes)
        noun = "setting is" if len(mistakes) == 1 else "settings are"
        super().__init__(f"{service} cannot start: {len(mistakes)} {noun} wrong\n{lines}")


@dataclass(frozen=True, slots=True)
class _Rules:
    shape: str
    hint: str
    minimum: float | None
    maximum: float | None
    must_exist: bool


_REQUIRED: Any = dataclasses.MISSING


def setting(
    default: Any = _REQUIRED,
    *,
    shape: str = "",
    hint: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    must_exist: bool = False,
) -> Any:
    """Declare one field of a settings class.

    `shape` describes a valid value (a default exists for each type), `hint` what to do about a mistake,
    `minimum` and `maximum` bound numbers inclusively, `must_exist` demands an existing file or folder of a
    Path.
    """
    rules = _Rules(shape, hint, minimum, maximum, must_exist)
    return dataclasses.field(default=default, metadata={"rules": rules}, kw_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """What the commands need that look after a service's data without serving it."""

    dsn: Secret = setting(
        shape="postgresql://user:password@host:port/database",
        hint="`python -m stack up` prints the one it made",
    )
    nats_url: str = setting("nats://127.0.0.1:9142", shape="nats://host:port")
    log_level: str = setting("info", shape="debug, info, warning or error")
    database_pool_size: int = setting(10, minimum=1, maximum=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig(StorageConfig):
    """What every service needs; a service's own config class inherits it and overrides the listen
    addresses.
    """

    grpc_address: Address = setting(Address("127.0.0.1", 0))
    metrics_address: Address = setting(Address("127.0.0.1", 0))
    auth_jwks_file: Path = setting(shape="the path of a JWKS file with Ed25519 keys", must_exist=True)
    auth_issuer: str = setting("parley", shape="the exact `iss` of accepted tokens")
    auth_audience: str = setting("parley", shape="the exact `aud` of accepted tokens")
    service_key_file: Path | None = setting(
        None,
        shape="the path of an Ed25519 private key in PEM whose public half is in the JWKS",
        must_exist=True,
    )
    support_contact: str = setting(
        "support@parley.example", shape="an address or URL that the answer to an unknown failure names"
    )
    otlp_endpoint: str = setting("", shape="http://host:4317, or nothing to switch tracing off")
    maximum_concurrent_calls: int = setting(256, minimum=1, maximum=100_000)
    maximum_open_streams: int = setting(1_000, minimum=0, maximum=100_000)
    shutdown_seconds: float = setting(
        20.0, minimum=0, maximum=300, shape="seconds to drain calls after SIGTERM"
    )

    def targets(self) -> Mapping[str, str]:
        """Where to dial each peer: the fields named `<peer>_target`."""
        return {
            field.name.removesuffix("_target"): str(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.name.endswith("_target")
        }

    def contradictions(self) -> Iterable[tuple[str, str, str]]:
        """Fields that are wrong beside the others or in more than their type: the field, what is wrong, and
        what was expected.
        """
        return ()


def load(
    settings: type[Settings],
    service: str,
    environ: Mapping[str, str] | None = None,
    *,
    whole: bool = True,
) -> Settings:
    """Build `settings` for `service` from the environment; ConfigError lists every mistake at once.

    `whole=False` for a class that holds a part of the settings only: other variables of the service are then
    no mistake.
    """
    environment = os.environ if environ is None else environ
    hints = typing.get_type_hints(settings)
    fields = dataclasses.fields(typing.cast(Any, settings))
    mistakes: list[Mistake] = []
    values: dict[str, Any] = {}
    for field in fields:
        rules: _Rules = field.metadata.get("rules") or _Rules("", "", None, None, False)
        kind, optional = _unwrap(hints[field.name])
        names = variables(service, field.name)
        shape = rules.shape or _default_shape(kind, rules)
        try:
            variable, text = _lookup(environment, names)
        except _Unreadable as unreadable:
            mistakes.append(
                Mistake(unreadable.variable, unreadable.problem, "a readable text file", rules.hint)
            )
            continue
        if text is None or (text == "" and optional):
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                mistakes.append(Mistake(names[0], "is not set", shape, rules.hint))
            continue
        try:
            values[field.name] = _checked(_parse(kind, text), rules)
        except ValueError as error:
            shown = "" if kind is Secret else f" ({text[:80]!r})"
            mistakes.append(Mistake(variable, f"{error}{shown}", shape, rules.hint))
    if whole:
        mistakes.extend(_unknown(environment, service, [field.name for field in fields]))
    if mistakes:
        raise ConfigError(service, tuple(mistakes))
    found = settings(**values)
    if isinstance(found, ServiceConfig):
        wrong = [Mistake(variables(service, field)[0], *why) for field, *why in found.contradictions()]
        if wrong:
            raise ConfigError(service, tuple(wrong))
    return found


def variables(service: str, field: str) -> tuple[str, str]:
    """The variables that set a field, the more specific first."""
    own = f"{PREFIX}{service.upper()}_{field.upper()}"
    return own, f"{PREFIX}{field.upper()}"


class _Unreadable(Exception):
    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(problem)
        self.variable = variable
        self.problem = problem


def _lookup(environment: Mapping[str, str], names: tuple[str, str]) -> tuple[str, str | None]:
    for name in names:
        direct = environment.get(name)
        # A field that is itself a path ends in _FILE; its own variable must not be taken for an indirection.
        indirect = environment.get(name + FILE_SUFFIX)
        if direct is not None and indirect is not None:
            raise _Unreadable(name, f"is set twice, as {name} and as {name}{FILE_SUFFIX}")
        if direct is not None:
            return name, direct.strip()
        if indirect is not None:
            return name, _read(name + FILE_SUFFIX, indirect)
    return names[0], None


def _read(variable: str, path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(VALUE_FILE_LIMIT_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise _Unreadable(variable, f"names {path!r}, which cannot be read ({reason})") from error
    if len(text) > VALUE_FILE_LIMIT_BYTES:
        raise _Unreadable(variable, f"names {path!r}, which is longer than {VALUE_FILE_LIMIT_BYTES} bytes")
    return text.strip()


def _unwrap(hint: Any) -> tuple[Any, bool]:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        inner = [part for part in typing.get_args(hint) if part is not type(None)]
        return inner[0], True
    return hint, False


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


def _parse(kind: Any, text: str) -> Any:
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
        return tuple(_parse(item, part.strip()) for part in text.split(",") if part.strip())
    raise TypeError(f"settings of type {kind!r} are not supported")


def _checked(value: Any, rules: _Rules) -> Any:
    if rules.minimum is not None and value < rules.minimum:
        raise ValueError(f"is below {rules.minimum:g}")
    if rules.maximum is not None and value > rules.maximum:
        raise ValueError(f"is above {rules.maximum:g}")
    if rules.must_exist and not value.exists():
        raise ValueError("names nothing that exists")
    return value


def _default_shape(kind: Any, rules: _Rules) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if typing.get_origin(kind) is tuple:
        return "values separated by commas"
    names = {str: "text", Secret: "a secret", bool: "true or false", Address: "host:port", Path: "a path"}
    if kind in (int, float):
        word = "a whole number" if kind is int else "a number"
        low = "" if rules.minimum is None else f" from {rules.minimum:g}"
        return word + low + ("" if rules.maximum is None else f" to {rules.maximum:g}")
    return names.get(kind, str(kind))


def _unknown(environment: Mapping[str, str], service: str, fields: list[str]) -> list[Mistake]:
    """Misspelt variables of this service; a setting that silently does nothing costs a night."""
    prefix = f"{PREFIX}{service.upper()}_"
    known = {prefix + name.upper() for name in fields}
    known |= {name + FILE_SUFFIX for name in known}
    mistakes = []
    for variable in sorted(environment):
        # <PEER>_TARGET says to others where this service is dialled.
        if not variable.startswith(prefix) or variable in known or variable == prefix + "TARGET":
            continue
        close = difflib.get_close_matches(variable, sorted(known), n=1)
        hint = f"Did you mean {close[0]}?" if close else "Remove it"
        mistakes.append(Mistake(variable, "is not a setting of this service", "a known variable", hint))
    return mistakes
