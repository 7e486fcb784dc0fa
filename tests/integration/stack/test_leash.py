"""No process outlives a supervisor that is killed by SIGKILL, by either mechanism alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest

from tests.integration.stack.installation import REPOSITORY
from tests.integration.stack.waiting import until

# Holds a child that has a child of its own and ignores requests to stop, then says their numbers.
HOLDER = """
import sys, time
from stack.leash import Command, Leash
leash = Leash()
if {only_guard}:
    leash._prctl = None
code = '''
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
while True:
    signal.pause()
'''
leash.spawn(Command((sys.executable, "-I", "-S", "-c", code), dict()), output=1)
print("guard", leash.guard_pid, flush=True)
while True:
    time.sleep(3600)
"""


@pytest.fixture
def stray() -> Iterator[list[int]]:
    pids: list[int] = []
    yield pids
    for pid in pids:
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)


def hold(stray: list[int], *, only_guard: bool = False) -> tuple[subprocess.Popen[str], int, int, int]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(only_guard=only_guard)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    guard = child = grandchild = 0
    for line in (holder.stdout.readline(), holder.stdout.readline()):
        first, second = line.split()
        if first == "guard":
            guard = int(second)
        else:
            child, grandchild = int(first), int(second)
    stray += [guard, child, grandchild]
    return holder, guard, child, grandchild


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def end(holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert holder.stdout is not None
    holder.stdout.close()


def test_both_together(stray: list[int]) -> None:
    holder, guard, child, grandchild = hold(stray)
    end(holder)
    until(lambda: ended(child) and ended(grandchild) and ended(guard), "nobody left")


def test_the_guard_alone_reaches_grandchildren(stray: list[int]) -> None:
    holder, guard, child, grandchild = hold(stray, only_guard=True)
    end(holder)
    until(lambda: ended(child) and ended(grandchild) and ended(guard), "nobody left")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has PR_SET_PDEATHSIG")
def test_the_kernel_alone_reaches_children(stray: list[int]) -> None:
    holder, guard, child, _ = hold(stray)
    os.kill(guard, signal.SIGKILL)
    end(holder)
    until(lambda: ended(child), "the child gone")


def test_the_guard_ignores_what_a_terminal_sends(stray: list[int]) -> None:
    holder, guard, child, _ = hold(stray, only_guard=True)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(guard, number)
    end(holder)
    until(lambda: ended(child) and ended(guard), "nobody left")
