"""`stack up`: the order of a start, the wait for a signal, the stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from stack import environment, inspection, nats_server, postgres_server, topology
from stack.data_folder import DataFolder, Secrets
from stack.environment import Environments, External
from stack.failure import StackError
from stack.keys import AUDIENCE, ISSUER, are_complete
from stack.leash import Command, signal_group
from stack.liveness import Patience
from stack.logs import Console
from stack.mail_page import MailPage
from stack.ports import SERVICES, Ports, choose
from stack.supervisor import OneShot, Supervisor

READY_TIMEOUT_SECONDS: Final = 60.0
SERVER_TIMEOUT_SECONDS: Final = 60.0
REPEAT_SECONDS: Final = 1.0
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_NAME: Final = "stack"


@dataclass(frozen=True, slots=True)
class Options:
    """What `stack up` was asked for. `port` and `port_base`: None is the default, 0 any that is free."""

    port: int | None = None
    port_base: int | None = None
    verbose: bool = False
    demo: bool = False


def run(folder: DataFolder, options: Options, environ: Mapping[str, str]) -> int:
    """Run a stack until a signal ends it; the exit status. StackError if it cannot start."""
    external = External.of(environ)
    folder.create()
    lock = folder.lock()
    try:
        _clear_leftovers(folder)
        ports = choose(
            port=options.port,
            base=options.port_base,
            remembered=folder.remembered_ports(),
            seed=os.fspath(folder.root),
            roles=external.roles(),
        )
        folder.remember_ports(ports)
        start = Start(folder, ports, external, options, environ)
        return asyncio.run(start.run())
    finally:
        lock.release()


class Start:
    """One start of a stack, from empty to stopped."""

    def __init__(
        self,
        folder: DataFolder,
        ports: Ports,
        external: External,
        options: Options,
        environ: Mapping[str, str],
    ) -> None:
        self._folder = folder
        self._ports = ports
        self._external = external
        self._options = options
        self._environ = environ
        self._secrets: Secrets = folder.secrets()
        self._environments = Environments(folder, ports, self._secrets, external, environ)
        self._console = Console()
        self._ready = False
        self._started = time.monotonic()
        self._asked_to_stop = 0.0
        self._patience = Patience.of(environ)
        self._supervisor = Supervisor(
            folder.logs,
            self._console,
            patience=self._patience,
            verbose=options.verbose,
            on_change=self._publish,
        )

    async def run(self) -> int:
        """Start everything, wait for a signal, stop everything; 0. StackError if the start fails."""
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            # Under `nohup` the end of the terminal must stay without effect.
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue
            loop.add_signal_handler(number, self._on_signal, number, stopping)
        mails = MailPage(self._folder.mail, self._ports["mails"])
        try:
            async with self._supervisor:
                if not self._external.mails:
                    await mails.start()
                await _unless(stopping, self._bring_up())
                if not stopping.is_set():
                    await _unless(stopping, self._stay_up(stopping))
                self._ready = False
                self._console.say(_NAME, "stopping (once more to stop at once)")
        finally:
            await mails.stop()
            self._folder.remove_state()
        self._console.say(_NAME, "stopped")
        return 0

    def _on_signal(self, number: int, stopping: asyncio.Event) -> None:
        now = time.monotonic()
        if stopping.is_set():
            # Some launchers (`timeout`, a shell's kill of a group) deliver one request twice.
            if now - self._asked_to_stop >= REPEAT_SECONDS:
                self._supervisor.hurry()
            return
        self._asked_to_stop = now
        # The terminal echoes ^C; what follows starts on a line of its own.
        self._console.plain("")
        self._console.say(_NAME, f"received {signal.Signals(number).name}")
        stopping.set()

    async def _bring_up(self) -> None:
        self._publish()
        self._console.say(_NAME, f"data in {self._folder.root}")
        migration = await self._supervisor.run_once("migrate", self._python("stack.migrate"), wait=False)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._postgres())
            group.create_task(self._nats())
            group.create_task(self._keys())
        await self._migrate(migration)
        programs = [
            *topology.services(self._ports, self._environments),
            topology.gateway(self._ports, self._environments),
        ]
        for program in programs:
            self._supervisor.start(program)
        names = [program.name for program in programs]
        # Whoever hangs at first is killed, and has his time again.
        timeout_seconds = self._patience.start_seconds + READY_TIMEOUT_SECONDS
        await self._supervisor.wait_ready(*names, timeout_seconds=timeout_seconds)
        self._ready = True
        self._publish()
        self._console.say(_NAME, f"ready after {time.monotonic() - self._started:.1f} s")
        self._announce()

    async def _stay_up(self, stopping: asyncio.Event) -> None:
        if self._options.demo:
            # A process of its own, so that its libraries do not stay in the supervisor's memory.
            status = await self._supervisor.run_in_foreground(self._python("stack", "demo", "--story"))
            if status == 0:
                self._announce()
            else:
                self._console.say(_NAME, f"the demo ended with status {status}; the stack stays up", bad=True)
        await stopping.wait()

    async def _postgres(self) -> None:
        if self._external.postgres:
            self._console.say(_NAME, "using the PostgreSQL of PARLEY_<SERVICE>_DSN")
            return
        cluster = postgres_server.locate(self._folder, self._secrets, self._environ)
        if cluster.home != self._folder.postgres:
            self._console.say(
                _NAME, f"the database user cannot reach the data folder: databases in {cluster.home}"
            )

        async def once(command: Command, standard_input: str) -> None:
            await self._supervisor.run_once("postgres-setup", command, standard_input=standard_input)

        await postgres_server.prepare(cluster, self._secrets, self._environments.server(), once)
        self._supervisor.start(topology.postgres(cluster, self._ports, self._environments))
        await self._supervisor.wait_ready("postgres", timeout_seconds=SERVER_TIMEOUT_SECONDS)

    async def _nats(self) -> None:
        if self._external.nats:
            self._console.say(_NAME, "using the NATS of PARLEY_NATS_URL")
            return
        configuration = nats_server.configure(
            self._folder,
            port=self._ports["nats"],
            stack_id=self._secrets.stack_id,
            password=self._secrets.nats,
        )
        self._supervisor.start(topology.nats(configuration, self._ports, self._environments))
        await self._supervisor.wait_ready("nats", timeout_seconds=SERVER_TIMEOUT_SECONDS)

    async def _keys(self) -> None:
        if not self._external.keys and not are_complete(self._folder.auth):
            await self._supervisor.run_once("keys", self._python("stack.keys", os.fspath(self._folder.auth)))

    async def _migrate(self, migration: OneShot) -> None:
        environments = {service: self._environments.service(service) for service in SERVICES}
        await migration.finish(json.dumps(environments))

    def _python(self, module: str, *arguments: str) -> Command:
        return Command(topology.python_command(module, *arguments), self._environments.python())

    def _announce(self) -> None:
        http = f"http://{self._ports.address('gateway')}"
        self._console.say(_NAME, f"HTTP   {http}   (reference: {http}/docs, {http}/openapi.json)")
        grpc = ", ".join(f"{service} {self._ports.address(service)}" for service in SERVICES)
        self._console.say(_NAME, f"page   {http}/console")
        self._console.say(_NAME, f"gRPC   {grpc}")
        if not self._external.mails:
            answers = f"(answers by SMTP: {self._ports.address('mail in')})"
            self._console.say(_NAME, f"mails  http://{self._ports.address('mails')}   {answers}")
        self._console.say(_NAME, f"logs   {self._folder.logs}")
        self._console.say(
            _NAME, "more   python -m stack status | ports | token --as buyer --user ana; Ctrl-C stops"
        )

    def _publish(self) -> None:
        http = f"http://{self._ports.address('gateway')}"
        state: dict[str, Any] = {
            "supervisor": os.getpid(),
            "guard": self._supervisor.guard_pid,
            "ready": self._ready,
            "data_dir": os.fspath(self._folder.root),
            "http": http,
            "openapi": f"{http}/openapi.json",
            "docs": f"{http}/docs",
            "grpc": {service: self._ports.address(service) for service in SERVICES},
            "metrics": {name: self._ports.address(f"{name} metrics") for name in (*SERVICES, "gateway")},
            "issuer": self._environ.get("PARLEY_AUTH_ISSUER") or ISSUER,
            "audience": self._environ.get("PARLEY_AUTH_AUDIENCE") or AUDIENCE,
            "processes": self._supervisor.describe(),
        }
        for name, external in (("postgres", self._external.postgres), ("nats", self._external.nats)):
            if not external:
                state[name] = self._ports.address(name)
        if not self._external.mails:
            state["mails"] = f"http://{self._ports.address('mails')}"
            state["smtp"] = self._ports.address("mail in")
        self._folder.write_state(state)


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` until it ends or a stop is asked for; its failure is raised, a group of them as its first."""
    task = asyncio.create_task(work)
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not task.done():
        task.cancel()
    with suppress(asyncio.CancelledError):
        try:
            await task
        except ExceptionGroup as group:
            raise _first(group) from None


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def _clear_leftovers(folder: DataFolder) -> None:
    """Kill what an earlier supervisor left, where neither its guard nor the kernel has done it."""
    state = folder.state()
    if state is None:
        return
    for name, process in state.get("processes", {}).items():
        pid = process.get("pid")
        # PostgreSQL is cleared by its own rules, when its cluster is prepared.
        if not pid or name == "postgres":
            continue
        if inspection.environment_value(pid, environment.MARK) == os.fspath(folder.root):
            signal_group(pid, signal.SIGKILL)
            _await_end(pid)
    folder.remove_state()


def _await_end(pid: int, *, timeout_seconds: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_seconds
    while inspection.is_alive(pid):
        if time.monotonic() > deadline:
            raise StackError(f"Process {pid} of an earlier run cannot be killed.", "Restart the machine.")
        time.sleep(0.02)
