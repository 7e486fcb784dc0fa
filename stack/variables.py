"""The variables that the stack itself reads, as `--help` and docs/settings.md tell them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Final

from stack import accounts, data_folder, liveness

_NAME_WIDTH: Final = 26
_TEXT_WIDTH: Final = 84


@dataclass(frozen=True, slots=True)
class Variable:
    """One of them: what a valid value is, what holds without one (empty: nothing), and what it decides."""

    name: str
    shape: str
    default: str
    about: str


VARIABLES: Final = (
    Variable(
        data_folder.VARIABLE,
        "the path of a folder",
        data_folder.DEFAULT_NAME,
        "The data folder, unless `--data-dir` says otherwise.",
    ),
    Variable(
        "PARLEY_<SERVICE>_DSN",
        "postgresql://user:password@host:port/database",
        "",
        "A real PostgreSQL instead of the embedded one; all four or none: GATING, ORDERS, OFFERS, MESSAGING.",
    ),
    Variable(
        "PARLEY_NATS_URL",
        "nats://user:password@host:port",
        "",
        "A real NATS with JetStream instead of the embedded one.",
    ),
    Variable(
        "PARLEY_AUTH_JWKS_FILE",
        "the path of a JWKS file with Ed25519 keys",
        "",
        "The keys of another issuer, together with the next.",
    ),
    Variable(
        "PARLEY_SERVICE_KEY_FILE",
        "the path of an Ed25519 private key in PEM",
        "",
        "The key of the services, whose public half is among those keys.",
    ),
    Variable(
        "PARLEY_MESSAGING_SMTP_ADDRESS",
        "host:port",
        "",
        "A real mail server instead of the page that shows the mails.",
    ),
    Variable(
        liveness.VARIABLE,
        "a number of seconds",
        f"{liveness.DEFAULT_SECONDS:g}",
        "After how long without an answer a service or the gateway is killed and started again, at first a "
        "minute at least; 0: never, for whoever stops in a debugger.",
    ),
    Variable(
        accounts.USER_VARIABLE,
        "the name of a user without rights",
        "",
        "Who runs the embedded PostgreSQL where the stack runs as root; without it postgres, else nobody.",
    ),
)


def as_help() -> str:
    """The variables as lines for the end of `--help`."""
    lines: list[str] = []
    for one in VARIABLES:
        default = f" Default: {one.default}." if one.default else ""
        text = textwrap.wrap(one.about.replace("`", "") + default, _TEXT_WIDTH)
        lines.append(
            f"  {one.name:<{_NAME_WIDTH}}{text[0]}" if len(one.name) < _NAME_WIDTH else f"  {one.name}"
        )
        rest = text[1:] if len(one.name) < _NAME_WIDTH else text
        lines.extend(f"  {'':<{_NAME_WIDTH}}{line}" for line in rest)
    return "\n".join(lines)
