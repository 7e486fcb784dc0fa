"""What each process of the stack finds in its environment, and which parts are replaced by real servers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack import nats_server, postgres_server
from stack.data_folder import VARIABLE, DataFolder, Secrets
from stack.failure import StackError
from stack.ports import SERVICES, Ports

MARK: Final = "PARLEY_STACK_MEMBER"
"""Carried by every process of a stack with the path of its data folder; tells leftovers from strangers."""

REPLY_DOMAIN: Final = "reply.parley.example"
"""Where answers to this stack's mails go: to nobody but whoever brings them to its own port."""
SHUTDOWN_SECONDS: Final = 12
"""How long a process of ours takes to stop at most, unless a variable says otherwise."""
STOP_SPARE_SECONDS: Final = 3.0
"""What it may need beyond that: the last spans, the end of the interpreter."""
LONGEST_SHUTDOWN_SECONDS: Final = 300.0
_MAIL_VARIABLES: Final = ("SMTP_ADDRESS", "MESSAGING_SMTP_ADDRESS", "MAIL_FOLDER", "MESSAGING_MAIL_FOLDER")
_ROOT: Final = Path(__file__).absolute().parent.parent
# With no terminal in sight, Python would keep output back until a buffer is full.
_PYTHON: Final = {"PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True)
class External:
    """The embedded parts that PARLEY_* variables replace by real servers."""

    postgres: bool
    nats: bool
    keys: bool
    mails: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> External:
        """Read the variables; a StackError if only some of a set that belongs together is given."""
        dsns = [f"PARLEY_{service.upper()}_DSN" for service in SERVICES]
        keys = ("PARLEY_AUTH_JWKS_FILE", "PARLEY_SERVICE_KEY_FILE")
        return cls(
            postgres=_all_or_none(environ, dsns, "the embedded PostgreSQL would serve the others"),
            nats=_given(environ, "PARLEY_NATS_URL"),
            keys=_all_or_none(environ, keys, "the services sign with one key and check with the other file"),
            mails=any(_given(environ, f"PARLEY_{name}") for name in _MAIL_VARIABLES),
        )

    def roles(self, ports: Ports | None = None) -> tuple[str, ...]:
        """The roles of `ports` that this stack listens on itself."""
        replaced = {
            "postgres": self.postgres,
            "nats": self.nats,
            "mails": self.mails,
            "mail in": self.mails,
        }
        return tuple(role for role in (ports or Ports(0, 0)).roles() if not replaced.get(role, False))


def _given(environ: Mapping[str, str], variable: str) -> bool:
    return bool(environ.get(variable) or environ.get(f"{variable}_FILE"))


def _all_or_none(environ: Mapping[str, str], variables: list[str] | tuple[str, ...], why: str) -> bool:
    missing = [variable for variable in variables if not _given(environ, variable)]
    if missing and len(missing) < len(variables):
        raise StackError(
            f"Set together or not at all: {', '.join(variables)}; missing: {', '.join(missing)}.",
            f"Reason: {why}.",
        )
    return not missing


class Environments:
    """Builds the environments of one start."""

    def __init__(
        self,
        folder: DataFolder,
        ports: Ports,
        secrets: Secrets,
        external: External,
        environ: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._secrets = secrets
        self._external = external
        self._inherited = dict(environ)

    def server(self) -> dict[str, str]:
        """For PostgreSQL and NATS: next to nothing."""
        kept: dict[str, str] = {
            name: self._inherited[name] for name in ("PATH", "TMPDIR") if name in self._inherited
        }
        return {**kept, "LC_ALL": "C", "TZ": "UTC", MARK: os.fspath(self._folder.root)}

    def python(self) -> dict[str, str]:
        """For a Python process of ours that needs no settings of a service."""
        paths = [os.fspath(path) for path in (_ROOT, _ROOT / "protos" / "gen") if path.is_dir()]
        if self._inherited.get("PYTHONPATH"):
            paths.append(self._inherited["PYTHONPATH"])
        return {
            **self._inherited,
            **_PYTHON,
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
            VARIABLE: os.fspath(self._folder.root),
            MARK: os.fspath(self._folder.root),
        }

    def service(self, name: str) -> dict[str, str]:
        """For one service: its own database only."""
        environment = self._shared(without_dsn_of=[other for other in SERVICES if other != name])
        prefix = f"PARLEY_{name.upper()}"
        if not self._external.postgres:
            _replace(
                environment,
                f"{prefix}_DSN",
                postgres_server.dsn(name, self._ports["postgres"], self._secrets),
            )
        _replace(environment, f"{prefix}_GRPC_ADDRESS", self._ports.address(name))
        _replace(environment, f"{prefix}_METRICS_ADDRESS", self._ports.address(f"{name} metrics"))
        if name == "messaging":
            self._add_mail(environment)
        return environment

    def _add_mail(self, environment: dict[str, str]) -> None:
        """Mails go into the data folder and are answered at a port of this machine, unless a server was
        named; their links lead to this gateway.
        """
        if not self._external.mails:
            environment["PARLEY_MESSAGING_MAIL_FOLDER"] = os.fspath(self._folder.mail)
            environment["PARLEY_MESSAGING_MAIL_IN_ADDRESS"] = self._ports.address("mail in")
            environment["PARLEY_MESSAGING_REPLY_DOMAIN"] = REPLY_DOMAIN
            # Of a secret that the folder has had from its first day: addresses outlive every start.
            secret = f"reply addresses {self._secrets.postgres}".encode()
            environment["PARLEY_MESSAGING_REPLY_KEY"] = hashlib.sha256(secret).hexdigest()
        if not any(_given(environment, f"PARLEY_{name}") for name in ("PUBLIC_URL", "MESSAGING_PUBLIC_URL")):
            environment["PARLEY_MESSAGING_PUBLIC_URL"] = f"http://{self._ports.address('gateway')}"

    def gateway(self) -> dict[str, str]:
        """For the gateway: no database, no broker and no signing key of its own."""
        environment = self._shared(without_dsn_of=list(SERVICES))
        _replace(environment, "PARLEY_GATEWAY_ADDRESS", self._ports.address("gateway"))
        _replace(environment, "PARLEY_GATEWAY_METRICS_ADDRESS", self._ports.address("gateway metrics"))
        return environment

    def stop_grace_seconds(self, name: str) -> float:
        """How long the supervisor has to wait for the end of a service or the gateway: longer than they take,
        so that they end by themselves and are not killed.
        """
        for variable in (f"PARLEY_{name.upper()}_SHUTDOWN_SECONDS", "PARLEY_SHUTDOWN_SECONDS"):
            if _given(self._inherited, variable):
                return _seconds(self._inherited, variable) + STOP_SPARE_SECONDS
        return SHUTDOWN_SECONDS + STOP_SPARE_SECONDS

    def _shared(self, *, without_dsn_of: list[str]) -> dict[str, str]:
        environment = self.python()
        for service in without_dsn_of:
            environment.pop(f"PARLEY_{service.upper()}_DSN", None)
            environment.pop(f"PARLEY_{service.upper()}_DSN_FILE", None)
        for service in SERVICES:
            _replace(environment, f"PARLEY_{service.upper()}_TARGET", self._ports.address(service))
        if not self._external.nats:
            _replace(environment, "PARLEY_NATS_URL", nats_server.url(self._ports["nats"], self._secrets.nats))
        if not self._external.keys:
            _replace(environment, "PARLEY_AUTH_JWKS_FILE", os.fspath(self._folder.jwks))
            _replace(environment, "PARLEY_SERVICE_KEY_FILE", os.fspath(self._folder.service_key))
        if not _given(environment, "PARLEY_SHUTDOWN_SECONDS"):
            environment["PARLEY_SHUTDOWN_SECONDS"] = str(SHUTDOWN_SECONDS)
        return environment


def _seconds(environ: Mapping[str, str], variable: str) -> float:
    """A duration that the process itself will check; what it cannot mean is as good as none."""
    try:
        text = environ.get(variable) or Path(environ[f"{variable}_FILE"]).read_text("utf-8")
        seconds = float(text)
    except (OSError, ValueError):
        return SHUTDOWN_SECONDS
    return seconds if 0 <= seconds <= LONGEST_SHUTDOWN_SECONDS else SHUTDOWN_SECONDS


def _replace(environment: dict[str, str], variable: str, value: str) -> None:
    """Set a variable so that no inherited spelling of it competes."""
    environment.pop(f"{variable}_FILE", None)
    environment[variable] = value
