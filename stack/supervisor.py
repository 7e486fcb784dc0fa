"""Keeps programs alive: starts them, waits for readiness, restarts what crashes, stops all in order.

One asyncio loop in the main thread and no other thread: a child's life is tied to the thread that started it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from stack.failure import StackError
from stack.leash import Command, Leash, signal_group
from stack.lifecycle import Event, Lifecycle, Phase, RestartPolicy
from stack.liveness import Answers, Patience, silence
from stack.logs import Console, LogFile, render

LAST_LINES: Final = 8
READY_POLL_SECONDS: Final = 0.05
LOG_POLL_SECONDS: Final = 0.3
KILL_GRACE_SECONDS: Final = 5.0

Probe = Callable[[int], Awaitable[bool]]
"""Asks once whether the process with this id is ready. It returns soon, and false where it cannot tell."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program to keep alive.

    `stage` orders the stop: the highest goes first, equal ones together. After `stop_signal` a program has
    `stop_grace_seconds`, then it is killed. `prepare` runs before each start. One that has `answers` is
    killed and started again when it hangs, be it while it starts.
    """

    name: str
    command: Command
    probe: Probe
    stage: int
    addresses: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_seconds: float = 15.0
    prepare: Callable[[], Awaitable[None]] | None = None
    answers: Answers | None = None
    is_python: bool = False


class Supervised:
    """A program and the process that runs it at the moment."""

    def __init__(self, program: Program, log: LogFile, now: float) -> None:
        self.program = program
        self.log = log
        self.life = Lifecycle(since=now)
        self.process: subprocess.Popen[bytes] | None = None
        self.ended = asyncio.Event()
        self.changed = asyncio.Event()
        self.last_failure = ""
        self.killed_because = ""
        self.task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while a process exists."""
        return self.process.pid if self.process is not None else None

    def describe(self) -> dict[str, Any]:
        """One row of `stack.json`."""
        return {
            "pid": self.pid,
            "phase": self.life.phase.value,
            "restarts": self.life.restarts,
            "addresses": dict(self.program.addresses),
            "python": self.program.is_python,
            "log": os.fspath(self.log.path),
            "last_failure": self.last_failure,
        }


class Supervisor:
    """Owns the processes of one stack. Use it inside `async with`: leaving stops everything."""

    def __init__(
        self,
        logs: Path,
        console: Console,
        *,
        policy: RestartPolicy | None = None,
        patience: Patience | None = None,
        verbose: bool = False,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._logs = logs
        self._console = console
        self._policy = policy or RestartPolicy()
        self._patience = patience or Patience()
        self._verbose = verbose
        self._on_change = on_change
        self._leash = Leash()
        self._supervised: dict[str, Supervised] = {}
        self._one_shots: dict[int, tuple[subprocess.Popen[bytes], asyncio.Event]] = {}
        self._stopping = False
        self._hurried = False
        self._log_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        self._log_task = asyncio.create_task(self._follow_logs())
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop()
        finally:
            if self._log_task is not None:
                self._log_task.cancel()
            asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)
            self._leash.close()

    def describe(self) -> dict[str, dict[str, Any]]:
        """The processes by name, as `stack.json` shows them."""
        return {name: supervised.describe() for name, supervised in self._supervised.items()}

    @property
    def guard_pid(self) -> int | None:
        """The process that kills the others when this one dies."""
        return self._leash.guard_pid

    def start(self, program: Program) -> None:
        """Begin to keep a program alive; returns at once."""
        now = asyncio.get_running_loop().time()
        supervised = Supervised(program, LogFile(self._logs / f"{program.name}.log"), now)
        self._supervised[program.name] = supervised
        supervised.task = asyncio.create_task(self._keep_alive(supervised))

    async def wait_ready(self, *names: str, timeout_seconds: float) -> None:
        """Return once all the named programs were ready; StackError if one is given up or too slow."""
        waiting = {name: asyncio.create_task(self._until_ready(self._supervised[name])) for name in names}
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.gather(*waiting.values())
        except TimeoutError:
            late = [name for name, task in waiting.items() if not task.done() or task.cancelled()]
            raise StackError(
                f"Not ready after {timeout_seconds:.0f} s: {', '.join(late)}.",
                f"Their logs: {', '.join(str(self._supervised[name].log.path) for name in late)}",
            ) from None
        finally:
            for task in waiting.values():
                task.cancel()

    async def run_once(
        self, name: str, command: Command, *, standard_input: str = "", wait: bool = True
    ) -> OneShot:
        """Start a command that ends by itself; with `wait`, return after its success.

        Its output goes to `logs/<name>.log`. StackError with its last lines if it fails.
        """
        log = LogFile(self._logs / f"{name}.log")
        with log.writer() as output:
            process = self._leash.spawn(command, output=output, stdin=subprocess.PIPE)
        ended = asyncio.Event()
        self._one_shots[process.pid] = (process, ended)
        shot = OneShot(name, process, ended, log)
        if wait:
            await shot.finish(standard_input)
        return shot

    async def run_in_foreground(self, command: Command) -> int:
        """Run a command that talks to the person at the terminal; its exit status."""
        process = self._leash.spawn(command, output=1)
        ended = asyncio.Event()
        self._one_shots[process.pid] = (process, ended)
        await ended.wait()
        return process.returncode

    async def stop(self) -> None:
        """Stop everything, highest stage first; bounded by the programs' graces."""
        self._stopping = True
        for process, _ in list(self._one_shots.values()):
            signal_group(process.pid, signal.SIGKILL)
        for stage in sorted({each.program.stage for each in self._supervised.values()}, reverse=True):
            members = [each for each in self._supervised.values() if each.program.stage == stage]
            await asyncio.gather(*(self._stop_one(each) for each in members))
        await asyncio.gather(*(ended.wait() for _, ended in list(self._one_shots.values())))

    def hurry(self) -> None:
        """Wait for no grace any more: end every process at once. All are crash-safe, so nothing is lost."""
        self._hurried = True
        for supervised in self._supervised.values():
            if supervised.process is not None:
                signal_group(supervised.process.pid, supervised.program.command.death_signal)

    async def _keep_alive(self, supervised: Supervised) -> None:
        while True:
            if await self._spawn(supervised):
                probing = asyncio.create_task(self._probe(supervised))
                await supervised.ended.wait()
                probing.cancel()
                if supervised.life.phase is Phase.STOPPING:
                    self._move(supervised, Event.EXITED)
                    return
                self._move(supervised, Event.EXITED)
                if not self._hurried:
                    self._report(supervised)
            if supervised.life.phase is not Phase.WAITING or self._stopping:
                return
            await asyncio.sleep(supervised.life.restart_delay_seconds(self._policy))

    async def _spawn(self, supervised: Supervised) -> bool:
        program = supervised.program
        supervised.ended.clear()
        try:
            if program.prepare is not None:
                await program.prepare()
            with supervised.log.writer() as output:
                supervised.process = self._leash.spawn(program.command, output=output)
        except (OSError, StackError) as error:
            supervised.last_failure = f"could not be started: {error}"
            self._move(supervised, Event.EXITED)
            self._console.say(
                program.name, f"{supervised.last_failure}; {self._next_step(supervised)}", bad=True
            )
            return False
        self._move(supervised, Event.SPAWNED)
        return True

    async def _probe(self, supervised: Supervised) -> None:
        pid = supervised.pid
        assert pid is not None
        starting = asyncio.create_task(
            self._kill_when_hung(supervised, pid, Phase.STARTING, self._patience.start_seconds)
        )
        try:
            while not await supervised.program.probe(pid):  # noqa: ASYNC110 (nothing tells when)
                await asyncio.sleep(READY_POLL_SECONDS)
        finally:
            starting.cancel()
        if supervised.life.phase is Phase.STARTING:
            again = supervised.life.restarts > 0
            self._move(supervised, Event.PROBED_READY)
            if again:
                self._console.say(supervised.program.name, f"ready again (process {pid})")
        await self._kill_when_hung(supervised, pid, Phase.READY, self._patience.seconds)

    async def _kill_when_hung(self, supervised: Supervised, pid: int, phase: Phase, seconds: float) -> None:
        """One that answers and is not ready waits for others: killing it would help nobody."""
        answers = supervised.program.answers
        if answers is None or not seconds:
            return
        await silence(answers, seconds)
        # While it stops, its grace is the limit.
        if supervised.life.phase is phase and supervised.pid == pid:
            when = " after its start" if phase is Phase.STARTING else ""
            supervised.killed_because = f"gave no answer for {seconds:g} s{when} and was killed"
            signal_group(pid, signal.SIGKILL)

    async def _until_ready(self, supervised: Supervised) -> None:
        while not supervised.life.ever_ready:
            if supervised.life.phase in (Phase.FAILED, Phase.STOPPED, Phase.STOPPING):
                raise StackError(
                    f"{supervised.program.name} {supervised.last_failure or 'was stopped'}.",
                    f"Its log: {supervised.log.path}",
                )
            supervised.changed.clear()
            await supervised.changed.wait()

    async def _stop_one(self, supervised: Supervised) -> None:
        process = supervised.process
        waiting = supervised.life.phase in (Phase.WAITING, Phase.IDLE)
        self._move(supervised, Event.STOP_ASKED)
        if waiting and supervised.task is not None:
            supervised.task.cancel()
        if supervised.life.phase is not Phase.STOPPING:
            return
        if process is not None:
            await self._end(supervised, process)
        if supervised.task is not None:
            await supervised.task

    async def _end(self, supervised: Supervised, process: subprocess.Popen[bytes]) -> None:
        program = supervised.program
        process.send_signal(program.stop_signal)
        for number, grace in ((signal.SIGKILL, program.stop_grace_seconds), (None, KILL_GRACE_SECONDS)):
            try:
                async with asyncio.timeout(grace):
                    await supervised.ended.wait()
                break
            except TimeoutError:
                if number is not None:
                    self._console.say(
                        program.name, f"did not stop within {grace:.0f} s and is killed", bad=True
                    )
                    signal_group(process.pid, number)

    def _reap(self) -> None:
        self._leash.ensure_guard()
        for supervised in self._supervised.values():
            process = supervised.process
            if process is not None and process.poll() is not None:
                self._leash.release(process)
                supervised.last_failure = supervised.killed_because or explain_exit(process.returncode)
                supervised.killed_because = ""
                supervised.process = None
                supervised.ended.set()
        for pid, (process, ended) in list(self._one_shots.items()):
            if process.poll() is not None:
                self._leash.release(process)
                del self._one_shots[pid]
                ended.set()

    def _report(self, supervised: Supervised) -> None:
        # What was written before the end is shown first, so that the console reads in order.
        self._show_log(supervised)
        text = f"{supervised.last_failure}; {self._next_step(supervised)}"
        lines = [f"  {render(line)}" for line in supervised.log.last_lines(LAST_LINES)]
        self._console.say(supervised.program.name, "\n".join([text, *lines]), bad=True)

    def _next_step(self, supervised: Supervised) -> str:
        if supervised.life.phase is Phase.FAILED:
            return f"given up after {supervised.life.failures} attempts"
        if self._stopping:
            return "not restarted, because the stack stops"
        return f"restarts in {supervised.life.restart_delay_seconds(self._policy):.1f} s"

    def _move(self, supervised: Supervised, event: Event) -> None:
        now = asyncio.get_running_loop().time()
        supervised.life = supervised.life.on(event, now, self._policy)
        supervised.changed.set()
        self._on_change()

    async def _follow_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_POLL_SECONDS)
            for supervised in list(self._supervised.values()):
                self._show_log(supervised)
                supervised.log.bound()

    def _show_log(self, supervised: Supervised) -> None:
        lines = supervised.log.read_new(everything=self._verbose)
        # During an orderly stop every process complains about its neighbours' absence.
        if lines and (self._verbose or not self._stopping):
            name, path = supervised.program.name, supervised.log.path
            self._console.log_lines(name, lines, path, everything=self._verbose)


class OneShot:
    """A command that ends by itself."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], ended: asyncio.Event, log: LogFile
    ) -> None:
        self._name = name
        self._process = process
        self._ended = ended
        self._log = log

    async def finish(self, standard_input: str = "") -> None:
        """Give it its input and wait for its success; StackError with its last lines if it fails."""
        assert self._process.stdin is not None
        try:
            # At most a few kilobytes, which fit into the pipe at once.
            self._process.stdin.write(standard_input.encode())
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        await self._ended.wait()
        if self._process.returncode != 0:
            lines = "\n".join(f"  {render(line)}" for line in self._log.last_lines(LAST_LINES))
            raise StackError(
                f"{self._name} {explain_exit(self._process.returncode)}.",
                f"{lines}\nIts log: {self._log.path}",
            )


def explain_exit(status: int) -> str:
    """A process's end in words, from the status of `Popen.returncode`."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = str(-status)
    return f"was killed by {name}"
