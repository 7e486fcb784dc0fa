"""The stack under test: real processes, signals to any of them, and a look at what they left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from chassis import row_security
from chassis.bus import Bus, stream_name
from stack import keys
from stack.data_folder import DataFolder
from stack.demo.api import Api, Patience, until
from stack.environment import Environments, External
from stack.ports import SERVICES
from stack.postgres_server import dsn

START_SECONDS = 150.0
BACK_SECONDS = 120.0
STOP_SECONDS = 60.0
COMMAND_SECONDS = 90.0
POLL_SECONDS = 0.05
PATIENCE = Patience(seconds=150.0)
"""How long a call is repeated while its answer is lost: longer than any fault lasts on a busy machine."""

PROCESSES = (*SERVICES, "gateway")
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Process:
    """What the supervisor says about one of its processes."""

    pid: int | None
    phase: str
    last_failure: str


class Rig:
    """One `stack up` in a folder of its own. `settings` are PARLEY_* variables beside the stack's own."""

    def __init__(self, root: Path, settings: Mapping[str, str]) -> None:
        self._folder = DataFolder(root / "data")
        self._output = root / "output"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        self._environ = {**kept, **settings}
        self._stack: subprocess.Popen[bytes] | None = None

    # ---------------------------------------------------------------------------------------- the whole

    def start(self) -> None:
        """Start and wait until everything is ready; RuntimeError with its output if it does not come up."""
        command = [sys.executable, "-m", "stack", "up", "--data-dir", str(self._folder.root), "--port", "0"]
        with self._output.open("w") as output:
            self._stack = subprocess.Popen(
                command, cwd=REPOSITORY, env=self._environ, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._state().get("ready"):
            if self._stack.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the stack did not start:\n{self.output()[-4_000:]}")
            time.sleep(POLL_SECONDS)

    def stop(self) -> int:
        """Stop everything in order; the exit status."""
        assert self._stack is not None
        if self._stack.poll() is None:
            self._stack.send_signal(signal.SIGTERM)
        try:
            return self._stack.wait(STOP_SECONDS)
        finally:
            if self._stack.poll() is None:
                # Its guard takes everything else along.
                self._stack.kill()
                self._stack.wait()

    def output(self) -> str:
        """What the supervisor said so far."""
        return self._output.read_text("utf-8", "replace")

    def api(self, patience: Patience = PATIENCE) -> Api:
        """The public API, unless told otherwise with the patience to get through any fault."""
        return Api(self._state()["http"], self.token, patience=patience)

    def token(self, kind: str, **who: str) -> str:
        """A token that the stack accepts."""
        return keys.issue(self._folder.issuer_key, keys.identity(kind, **who))

    # ------------------------------------------------------------------------------------ one process

    def process(self, name: str) -> Process:
        """How the supervisor sees a process."""
        found = self._state()["processes"][name]
        return Process(found["pid"], found["phase"], found["last_failure"])

    def send(self, number: signal.Signals, name: str) -> int:
        """Signal a process; its id."""
        pid = self.process(name).pid
        assert pid is not None, f"{name} does not run"
        os.kill(pid, number)
        return pid

    async def ready(self, name: str) -> None:
        """Wait until a process is ready, so that a signal meets it at work."""
        await until(lambda: self._is_ready(name, 0), f"{name} is ready", seconds=BACK_SECONDS)

    async def kill(self, name: str) -> float:
        """`kill -9` a process that is at work; after how many seconds its successor was ready."""
        await self.ready(name)
        started = time.monotonic()
        await self.replaced(name, self.send(signal.SIGKILL, name))
        return time.monotonic() - started

    async def replaced(self, name: str, pid: int) -> None:
        """Wait until another process than `pid` is ready."""
        await until(lambda: self._is_ready(name, pid), f"{name} is back", seconds=BACK_SECONDS)

    async def ended(self, pid: int) -> None:
        """Wait until a process is gone."""

        async def gone() -> bool:
            with suppress(ProcessLookupError):
                os.kill(pid, 0)
                return False
            return True

        await until(gone, f"process {pid} ended", seconds=STOP_SECONDS)

    async def _is_ready(self, name: str, not_pid: int) -> bool:
        process = self.process(name)
        return process.phase == "ready" and process.pid not in {None, not_pid}

    async def readiness(self) -> Mapping[str, int]:
        """What every process answers when it is asked now whether it is ready."""
        state = self._state()
        addresses = {name: f"http://{address}" for name, address in state["metrics"].items()}
        addresses["gateway"] = state["http"]
        async with httpx.AsyncClient(trust_env=False, timeout=20.0) as client:
            return {
                name: (await client.get(f"{address}/readyz")).status_code
                for name, address in addresses.items()
            }

    # ------------------------------------------------------------------------------------- its insides

    def run(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m services.<service> ...` as an operator would type it, to its end."""
        return subprocess.run(
            [sys.executable, "-m", f"services.{service}", *arguments],
            cwd=REPOSITORY,
            env=self._environments().service(service),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    @asynccontextmanager
    async def bus(self) -> AsyncIterator[Bus]:
        """A connection to the broker, as privileged as a service's."""
        bus = await Bus.connect(self._environments().service("offers")["PARLEY_NATS_URL"], name="faults")
        try:
            assert await bus.wait_connected(BACK_SECONDS)
            yield bus
        finally:
            await bus.close()

    async def backlog(self, consumer: str = "") -> int:
        """Events that a service (without one: any) has not taken in yet, retries included."""
        total = 0
        async with self.bus() as bus:
            for producer in SERVICES:
                for found in await bus.client.jetstream().consumers_info(stream_name(producer)):
                    if found.name.startswith(consumer):
                        total += (found.num_pending or 0) + (found.num_ack_pending or 0)
        return total

    async def connect(self, service: str) -> Any:
        """A connection to the database of a service; the caller closes it."""
        ports = self._folder.remembered_ports()
        assert ports is not None
        address = dsn(service, ports["postgres"], self._folder.secrets())
        return await asyncpg.connect(address, server_settings=row_security.AS_PROCESS)

    async def query(self, service: str, statement: str, *arguments: object) -> list[Any]:
        """Rows of a service's own database: for what no API tells, such as the provider's books."""
        connection = await self.connect(service)
        try:
            rows: list[Any] = await connection.fetch(statement, *arguments)
        finally:
            await connection.close()
        return rows

    def _environments(self) -> Environments:
        ports = self._folder.remembered_ports()
        assert ports is not None
        external = External.of(self._environ)
        return Environments(self._folder, ports, self._folder.secrets(), external, self._environ)

    def _state(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads((self._folder.root / "stack.json").read_text())
        except (OSError, ValueError):
            return {}
        return found
