"""Starts processes that cannot outlive the supervisor, not even its `kill -9`.

Two mechanisms, because neither covers everything:

- Linux: `PR_SET_PDEATHSIG` has the kernel signal each child when its parent dies, but direct children only.
- Everywhere: a guard process (`guard.py`) sees the end of a pipe and signals the process groups of all
  children, which reaches grandchildren as well.

PostgreSQL's own children leave its process group; they notice the end of the postmaster by themselves.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from stack.accounts import Account

_PR_SET_PDEATHSIG: Final = 1
_GUARD: Final = Path(__file__).with_name("guard.py")


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. `environment` is complete, nothing is inherited; `account` is another system user, if any.

    `death_signal` is what the process gets when the supervisor dies.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGKILL


class Leash:
    """Holds the children of this process.

    Use it from the main thread of a process without other threads: a child's life is tied to the thread that
    started it, and the code that runs between fork and exec must find no lock taken.
    """

    def __init__(self) -> None:
        self._guard: subprocess.Popen[bytes] | None = None
        self._held: dict[int, signal.Signals] = {}
        self._prctl = _load_prctl()

    def spawn(
        self, command: Command, *, output: IO[bytes] | int, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a command as the leader of its own process group, its two output streams going to `output`.

        OSError if it cannot be executed.
        """
        self._ensure_guard()
        account = command.account
        process = subprocess.Popen(
            command.argv,
            env=dict(command.environment),
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT if output != subprocess.DEVNULL else subprocess.DEVNULL,
            # A group of its own: Ctrl-C reaches the supervisor alone, which stops things in order.
            process_group=0,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=self._tie(command.death_signal),  # noqa: PLW1509
        )
        self._held[process.pid] = command.death_signal
        self._tell(f"+{process.pid} {int(command.death_signal)}\n")
        return process

    def release(self, process: subprocess.Popen[bytes]) -> None:
        """Forget a process that has ended, after killing what is left of its group."""
        if self._held.pop(process.pid, None) is None:
            return
        signal_group(process.pid, signal.SIGKILL)
        self._tell(f"-{process.pid}\n")

    def close(self) -> None:
        """Let the guard end. Whatever is still held is killed by it."""
        guard, self._guard = self._guard, None
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
            guard.wait()

    @property
    def guard_pid(self) -> int | None:
        """The guard's process id, once something was started."""
        return self._guard.pid if self._guard is not None else None

    def ensure_guard(self) -> None:
        """Start the guard again if somebody killed it; call it when a child of this process has ended."""
        if self._guard is not None:
            self._ensure_guard()

    def _ensure_guard(self) -> None:
        if self._guard is not None and self._guard.poll() is None:
            return
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            # Ignored signals stay ignored across the exec: the guard is deaf before its first line runs.
            preexec_fn=_ignore_what_a_terminal_sends,  # noqa: PLW1509 - the supervisor has no threads
        )
        for pid, number in self._held.items():
            self._tell(f"+{pid} {int(number)}\n")

    def _tell(self, line: str) -> None:
        assert self._guard is not None
        assert self._guard.stdin is not None
        try:
            self._guard.stdin.write(line.encode())
            self._guard.stdin.flush()
        except BrokenPipeError:
            # The guard was killed: its successor is told everything that is held.
            self._guard.wait()
            self._ensure_guard()

    def _tie(self, number: signal.Signals) -> Callable[[], None]:
        parent, prctl = os.getpid(), self._prctl

        def in_child() -> None:
            if prctl is not None:
                prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            # The parent may have died before the call took effect, and then no signal would ever come.
            if os.getppid() != parent:
                os._exit(1)

        return in_child


def signal_group(pid: int, number: int) -> None:
    """Signal the process group that `pid` leads; nothing happens if it is empty."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _load_prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    function = ctypes.CDLL(None, use_errno=True).prctl
    function.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
    function.restype = ctypes.c_int
    loaded: Callable[..., int] = function
    return loaded


def _ignore_what_a_terminal_sends() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
