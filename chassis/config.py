"""Settings of a process, read once from the environment and checked before anything starts.

A settings class is a frozen dataclass whose fields are declared by `setting(...)`. The variable of the
field `grpc_address` in the service `offers` is `PARLEY_OFFERS_GRPC_ADDRESS`, else `PARLEY_GRPC_ADDRESS`;
either may instead be given as `..._FILE`, naming a file that holds the value (for secrets). All mistakes are
reported together, so that an operator corrects a deployment in one round.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from chassis.setting_values import Address, Rules, Secret, checked, default_shape, parse

__all__ = [
    "Address",
    "ConfigError",
    "Mistake",
    "Secret",
    "ServiceConfig",
    "StorageConfig",
    "load",
    "rules_of",
    "setting",
    "unwrap",
    "variables",
]

PREFIX = "PARLEY_"
FILE_SUFFIX = "_FILE"
VALUE_FILE_LIMIT_BYTES = 65_536

# Settings that services and the gateway have alike.
GRPC_ADDRESS = "Where gRPC is served, in the clear; port 0 takes any that is free."
METRICS_ADDRESS = "Where `/metrics`, `/healthz` and `/readyz` are served over HTTP."
JWKS_FILE = "The public keys of whoever may sign tokens; read again when the file changes."
ISSUER = "Who signs the tokens of callers."
AUDIENCE = "For whom the tokens of callers have to be signed."
SUPPORT = "Whom the answer to an unknown failure names."
SHUTDOWN = "How long a stop may take altogether after SIGTERM; whoever kills afterwards has to wait 3 more."
TRACES = "The OpenTelemetry collector to which spans go by gRPC; without it none are recorded."

Settings = TypeVar("Settings")


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


_REQUIRED: Any = dataclasses.MISSING


def setting(
    default: Any = _REQUIRED,
    *,
    about: str = "",
    shape: str = "",
    hint: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    must_exist: bool = False,
) -> Any:
    """Declare one field of a settings class.

    `about` says in one line what it decides, for docs/settings.md; `shape` describes a valid value (a default
    exists for each type), `hint` what to do about a mistake, `minimum` and `maximum` bound numbers
    inclusively, `must_exist` demands an existing file or folder of a Path.
    """
    rules = Rules(about, shape, hint, minimum, maximum, must_exist)
    return dataclasses.field(default=default, metadata={"rules": rules}, kw_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageConfig:
    """What the commands need that look after a service's data without serving it."""

    dsn: Secret = setting(
        about="The PostgreSQL database that this service alone uses.",
        shape="postgresql://user:password@host:port/database",
        hint="with the embedded stack, `python -m stack exec` in the place of `python -m services.` knows it",
    )
    nats_url: str = setting(
        "nats://127.0.0.1:9142",
        about="The NATS with JetStream over which events travel.",
        shape="nats://user:password@host:port",
    )
    log_level: str = setting(
        "info",
        about="How much is logged; `debug` also has the calls that only read.",
        shape="debug, info, warning or error",
    )
    database_pool_size: int = setting(
        10, about="The most connections to its database that a process opens.", minimum=1, maximum=200
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig(StorageConfig):
    """What every service needs; a service's own config class inherits it and overrides the listen
    addresses.
    """

    grpc_address: Address = setting(Address("127.0.0.1", 0), about=GRPC_ADDRESS)
    metrics_address: Address = setting(Address("127.0.0.1", 0), about=METRICS_ADDRESS)
    auth_jwks_file: Path = setting(
        about=JWKS_FILE, shape="the path of a JWKS file with Ed25519 keys", must_exist=True
    )
    auth_issuer: str = setting("parley", about=ISSUER, shape="the exact `iss` of accepted tokens")
    auth_audience: str = setting("parley", about=AUDIENCE, shape="the exact `aud` of accepted tokens")
    service_key_file: Path | None = setting(
        None,
        about="Signs the tokens with which this service calls its peers; without it they know nobody.",
        shape="the path of an Ed25519 private key in PEM whose public half is in the JWKS",
        must_exist=True,
    )
    support_contact: str = setting(
        "support@parley.example", about=SUPPORT, shape="an address or URL of those who can help"
    )
    otlp_endpoint: str = setting("", about=TRACES, shape="http://host:4317 or https://host:4317")
    maximum_concurrent_calls: int = setting(
        256,
        about="The most calls that are answered at once; one more is refused with OVERLOADED.",
        minimum=1,
        maximum=100_000,
    )
    maximum_open_streams: int = setting(
        1_000, about="The same for streams, which stay open for long.", minimum=0, maximum=100_000
    )
    shutdown_seconds: float = setting(25.0, about=SHUTDOWN, minimum=0, maximum=300)

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
        rules = rules_of(field)
        kind, optional = unwrap(hints[field.name])
        names = variables(service, field.name)
        shape = rules.shape or default_shape(field.name, kind, rules)
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
            values[field.name] = checked(parse(kind, text), rules)
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


def rules_of(field: dataclasses.Field[Any]) -> Rules:
    """What `setting` was told about a field."""
    rules: Rules | None = field.metadata.get("rules")
    return rules or Rules("", "", "", None, None, False)


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


def unwrap(hint: Any) -> tuple[Any, bool]:
    """The type of a field without its `| None`, and whether it had one."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        inner = [part for part in typing.get_args(hint) if part is not type(None)]
        return inner[0], True
    return hint, False


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
