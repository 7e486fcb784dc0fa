"""The data folder of a stack: where everything is, who holds it, and what was written there.

lock            held (flock) by the supervisor as long as it lives
stack.json      the running stack: addresses, process ids, phases; left over after a crash
ports.json      the ports of the last start
secrets.json    passwords of the embedded servers, mode 0600
auth/           jwks.json, issuer.pem and service.pem (0600)
postgres/       the database cluster, owned by the user that PostgreSQL runs as
files/          the documents that people sent each other
nats/           server.conf (0600) and the JetStream store
logs/           one file per process
mail/           the mails that would have been sent, one file each
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stack.failure import StackError
from stack.ports import SERVICES, Ports

VARIABLE: Final = "PARLEY_DATA_DIR"
DEFAULT_NAME: Final = ".parley"
_PASSWORD_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this stack's processes may know. `stack_id` tells a data folder from its predecessors."""

    stack_id: str
    postgres: str
    nats: str
    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths and files below one absolute folder."""

    root: Path

    @classmethod
    def locate(cls, option: str | None, environ: Mapping[str, str]) -> DataFolder:
        """The folder of `--data-dir`, else of PARLEY_DATA_DIR, else `.parley` in the current directory."""
        chosen = option or environ.get(VARIABLE) or DEFAULT_NAME
        return cls(Path(chosen).expanduser().resolve())

    @property
    def auth(self) -> Path:
        """The signing keys."""
        return self.root / "auth"

    @property
    def jwks(self) -> Path:
        """The public keys by which tokens are checked."""
        return self.auth / "jwks.json"

    @property
    def issuer_key(self) -> Path:
        """The private key behind users' tokens."""
        return self.auth / "issuer.pem"

    @property
    def service_key(self) -> Path:
        """The private key behind the services' own tokens."""
        return self.auth / "service.pem"

    @property
    def postgres(self) -> Path:
        """The database cluster, unless its user cannot reach it (see `postgres_server.locate`)."""
        return self.root / "postgres"

    @property
    def nats(self) -> Path:
        """NATS' configuration and store."""
        return self.root / "nats"

    @property
    def logs(self) -> Path:
        """One file per process."""
        return self.root / "logs"

    @property
    def mail(self) -> Path:
        """The mails that messaging writes instead of sending them."""
        return self.root / "mail"

    def create(self) -> None:
        """Make the folder and its parts; existing ones keep their modes. StackError if that is forbidden."""
        try:
            fresh = not self.root.exists()
            self.root.mkdir(parents=True, exist_ok=True)
            if fresh:
                # Root's PostgreSQL runs as somebody else, who must be able to pass through.
                self.root.chmod(0o711 if os.geteuid() == 0 else 0o700)
                (self.root / ".gitignore").write_text("*\n")
            for folder in (self.auth, self.nats, self.logs, self.mail):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"The data folder {self.root} cannot be written: {error.strerror}.",
                f"Choose another by --data-dir or {VARIABLE}.",
            ) from error

    def lock(self) -> Lock:
        """Claim the folder for this process, or say who has it. It is released when the process ends."""
        path = self.root / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError:
            raise _foreign(path) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            state = self.state()
            pid = state.get("supervisor") if state else None
            who = f" (process {pid}, {state.get('http')})" if state and pid else ""
            stop = (
                f"Stop it with Ctrl-C in its terminal or by `kill {pid}`"
                if pid
                else "Wait until it has started"
            )
            raise StackError(
                f"A stack is already running on {self.root}{who}.",
                f"{stop}, or start a second one with another --data-dir and --port 0.",
            ) from None
        return Lock(descriptor)

    def is_locked(self) -> bool:
        """Whether a supervisor holds the folder now."""
        path = self.root / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except PermissionError:
            raise _foreign(path) from None
        except OSError:
            return False
        try:
            # A shared lock conflicts with the supervisor's exclusive one, but not with other askers.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def state(self) -> dict[str, Any] | None:
        """`stack.json`; None if there is none."""
        return _read_json(self.root / "stack.json")

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Replace `stack.json` in one step, so that a reader never sees half of it."""
        write_atomically(self.root / "stack.json", json.dumps(state, indent=1), mode=0o600)

    def remove_state(self) -> None:
        """Forget the running stack."""
        (self.root / "stack.json").unlink(missing_ok=True)

    def running_state(self) -> dict[str, Any]:
        """`stack.json` of a stack that runs now; a StackError otherwise."""
        state = self.state()
        if state is None or not self.is_locked():
            raise StackError(f"No stack is running on {self.root}.", "Start one: python -m stack up")
        return state

    def remembered_ports(self) -> Ports | None:
        """The ports of the last start."""
        found = _read_json(self.root / "ports.json")
        try:
            return Ports(int(found["gateway"]), int(found["base"])) if found else None
        except (KeyError, TypeError, ValueError):
            return None

    def remember_ports(self, ports: Ports) -> None:
        """Keep the ports for the next start, so that addresses stay the same."""
        content = json.dumps({"gateway": ports.gateway, "base": ports.base})
        write_atomically(self.root / "ports.json", content, mode=0o644)

    def secrets(self) -> Secrets:
        """The passwords of this folder, generated on first use."""
        path = self.root / "secrets.json"
        found = _read_json(path)
        if found is None:
            if (self.postgres / "PG_VERSION").exists():
                raise StackError(
                    f"{path} is missing or broken, and only it knows the passwords of {self.postgres}.",
                    "Restore it from a backup, or remove the data folder to start empty.",
                )
            found = {
                "stack_id": secrets.token_hex(8),
                "postgres": secrets.token_urlsafe(_PASSWORD_BYTES),
                "nats": secrets.token_urlsafe(_PASSWORD_BYTES),
                "roles": {service: secrets.token_urlsafe(_PASSWORD_BYTES) for service in SERVICES},
            }
            write_atomically(path, json.dumps(found, indent=1), mode=0o600)
        return Secrets(found["stack_id"], found["postgres"], found["nats"], found["roles"])


class Lock:
    """Holds the data folder until `release` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._descriptor)


def write_atomically(path: Path, content: str, *, mode: int) -> None:
    """Write a file so that it exists either not at all or wholly, with `mode` from its first moment."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _foreign(path: Path) -> StackError:
    return StackError(
        f"{path} belongs to another user.",
        "Work as the user who started the stack, or choose another --data-dir.",
    )


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    except PermissionError:
        raise _foreign(path) from None
    return found if isinstance(found, dict) else None
