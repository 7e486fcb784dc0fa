"""A stack of its own for the measurements, and processes beside it, all on the loopback interface."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped, unused-ignore]

from stack import liveness, postgres_server, status
from stack.addresses import RunningStack
from stack.data_folder import DataFolder
from stack.ports import LOOPBACK, SERVICES, Ports

START_SECONDS = 60.0
POLL_SECONDS = 0.02
STOP_SECONDS = 30.0
VACUUM_SECONDS = 600.0
MESSAGES_PER_MINUTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Rig:
    """A running stack. `stack` tells its addresses and makes tokens."""

    folder: DataFolder
    stack: RunningStack

    @property
    def broker(self) -> str:
        """`host:port` of NATS."""
        return f"{LOOPBACK}:{self._ports['nats']}"

    def dsn(self, service: str) -> str:
        """The database of a service."""
        return postgres_server.dsn(service, self._ports["postgres"], self.folder.secrets())

    def processes(self) -> dict[str, dict[str, Any]]:
        """Every process by name, with its id and memory."""
        found: dict[str, dict[str, Any]] = status.collect(self.folder)["processes"]
        return found

    def pid(self, name: str) -> int:
        """The process behind a name, such as `gating`."""
        return int(self.processes()[name]["pid"])

    @contextlib.contextmanager
    def held_still(self, *names: str) -> Iterator[None]:
        """Stops processes for a while, so that what is measured has the machine for itself."""
        pids = [self.pid(name) for name in names]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def tidy(self) -> None:
        """Vacuums, and brings everything to the disk: what came before would be tidied amidst the figure."""
        asyncio.run(self._vacuum())
        os.sync()

    async def _vacuum(self) -> None:
        for service in SERVICES:
            connection = await asyncpg.connect(self.dsn(service))
            try:
                await connection.execute("VACUUM (ANALYZE)", timeout=VACUUM_SECONDS)
            finally:
                await connection.close()
        password = self.folder.secrets().postgres
        port = self._ports["postgres"]
        connection = await asyncpg.connect(f"postgresql://postgres:{password}@{LOOPBACK}:{port}/postgres")
        try:
            await connection.execute("CHECKPOINT", timeout=VACUUM_SECONDS)
        finally:
            await connection.close()

    def await_published(self, service: str) -> None:
        """Returns when the outbox of a service is empty."""
        until = time.monotonic() + START_SECONDS
        while asyncio.run(self._unpublished(service)):
            if time.monotonic() > until:
                raise RuntimeError(f"{service} did not publish everything in {START_SECONDS:g} s")
            time.sleep(0.2)

    async def _unpublished(self, service: str) -> int:
        connection = await asyncpg.connect(self.dsn(service))
        try:
            count = await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
            return int(count)
        finally:
            await connection.close()

    @property
    def _ports(self) -> Ports:
        found = self.folder.remembered_ports()
        assert found is not None
        return found


@contextlib.contextmanager
def running_stack(*arguments: str) -> Iterator[Rig]:
    """`python -m stack up` in a temporary data folder, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as name:
        Path(name).chmod(0o755)
        folder = DataFolder(Path(name) / "data")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
        # One buyer stands for all of them, and writes faster than people do.
        environment["PARLEY_MESSAGING_MESSAGES_PER_MINUTE"] = str(MESSAGES_PER_MINUTE)
        # What is held still is not to be taken for hung.
        environment[liveness.VARIABLE] = "0"
        command = [
            sys.executable,
            "-m",
            "stack",
            "up",
            "--port",
            "0",
            "--data-dir",
            str(folder.root),
            *arguments,
        ]
        with (Path(name) / "output").open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            _await_state(folder, process, Path(name) / "output")
            yield Rig(folder, RunningStack.find(folder))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _await_state(folder: DataFolder, process: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the stack ended:\n{output.read_text()}")
        if "ready after" in output.read_text():
            return
        time.sleep(POLL_SECONDS)
    raise RuntimeError(f"the stack did not start in {START_SECONDS:g} s:\n{output.read_text()}")


@contextlib.contextmanager
def beside(module: str, *arguments: str) -> Iterator[tuple[str, int]]:
    """A Python process that serves on a free port, given to it as its last argument; its address and pid."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = subprocess.Popen([sys.executable, "-m", module, *arguments, address])
    try:
        await_port(address, process)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def await_port(address: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when a process listens. RuntimeError when it does not."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(POLL_SECONDS)
    raise RuntimeError("a process beside the stack did not start")


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)
