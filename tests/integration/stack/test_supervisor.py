"""Supervision of real processes: restart, giving up, order of the stop, limits of patience."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest
import pytest_asyncio

from stack.failure import StackError
from stack.leash import Command
from stack.lifecycle import RestartPolicy
from stack.liveness import Patience
from stack.logs import Console
from stack.supervisor import Program, Supervisor

PATIENCE_SECONDS = 20.0
POLICY = RestartPolicy(first_delay_seconds=0.05, longest_delay_seconds=0.2)

STAY = "import signal; signal.pause()"
CRASH_ONCE = """
import os, signal, sys
if not os.path.exists({flag!r}):
    open({flag!r}, "w").close()
    sys.exit("the first time it fails")
signal.pause()
"""
HANG_ONCE = """
import os, signal
if os.path.exists({flag!r} + ".tried"):
    open({flag!r}, "w").close()
open({flag!r} + ".tried", "w").close()
while True:
    signal.pause()
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open({flag!r}, "w").close()
while True:
    signal.pause()
"""
TELL_THE_STOP = """
import signal, sys
def stop(*_):
    with open({journal!r}, "a") as journal:
        journal.write({name!r} + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
open({flag!r}, "w").close()
signal.pause()
"""
WITH_A_CHILD = """
import os, signal
child = os.fork()
if child:
    with open({flag!r} + ".new", "w") as file:
        file.write(str(child))
    os.rename({flag!r} + ".new", {flag!r})
signal.pause()
"""


class Room:
    """A supervisor with what it said, and programs made of a few lines of Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stream = io.StringIO()
        console = Console(self.stream, color=False)
        self.supervisor = Supervisor(folder, console, policy=POLICY, patience=Patience(start_seconds=0.6))

    def program(
        self, name: str, code: str, *, stage: int = 0, grace: float = 10.0, waits: bool = False
    ) -> Program:
        """Ready at once, or (`waits`) when it has made its flag."""
        flag = self.flag(name)

        async def probe(_: int) -> bool:
            return not waits or flag.exists()

        script = code.format(flag=str(flag), journal=str(self.folder / "journal"), name=name)
        command = Command((sys.executable, "-I", "-S", "-c", script), {})
        return Program(name, command, probe, stage, stop_grace_seconds=grace)

    def flag(self, name: str) -> Path:
        return self.folder / f"{name}.flag"

    def pid(self, name: str) -> int:
        return int(self.supervisor.describe()[name]["pid"] or 0)

    def said(self) -> str:
        return self.stream.getvalue()

    async def until(self, condition: Callable[[], object], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():  # noqa: ASYNC110 (nothing tells when)
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not in time: {what}; said: {self.said()}") from None


@pytest_asyncio.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(tmp_path)
    async with made.supervisor:
        yield made


def alive(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


async def test_a_crashed_process_is_restarted_and_the_reason_told(room: Room) -> None:
    room.supervisor.start(room.program("once", CRASH_ONCE))
    await room.until(lambda: "ready again" in room.said(), "restarted")
    assert "once      | ended with status 1; restarts in 0.1 s\n" in room.said()
    assert "once      |   the first time it fails\n" in room.said()
    assert room.supervisor.describe()["once"]["restarts"] == 1


async def test_a_killed_process_is_restarted_and_the_signal_named(room: Room) -> None:
    room.supervisor.start(room.program("stay", STAY))
    await room.supervisor.wait_ready("stay", timeout_seconds=PATIENCE_SECONDS)
    first = room.pid("stay")
    os.kill(first, signal.SIGKILL)
    await room.until(lambda: room.pid("stay") not in (0, first), "a new process")
    assert "was killed by SIGKILL; restarts in" in room.said()


async def test_what_never_works_is_given_up_with_its_last_words(room: Room) -> None:
    room.supervisor.start(room.program("never", "import sys; sys.exit('no such table')", waits=True))
    with pytest.raises(StackError, match="never ended with status 1"):
        await room.supervisor.wait_ready("never", timeout_seconds=PATIENCE_SECONDS)
    assert room.said().count("no such table") == 3
    assert "given up after 3 attempts" in room.said()


async def test_what_hangs_before_it_was_ready_is_started_again(room: Room) -> None:
    async def silent_until_ready(_: float) -> bool:
        return room.flag("hung").exists()

    async def speaks(_: float) -> bool:
        return True

    room.supervisor.start(replace(room.program("waiting", STAY, waits=True), answers=speaks))
    room.supervisor.start(replace(room.program("hung", HANG_ONCE, waits=True), answers=silent_until_ready))
    await room.supervisor.wait_ready("hung", timeout_seconds=PATIENCE_SECONDS)
    assert "hung      | gave no answer for 0.6 s after its start and was killed; restarts in" in room.said()
    found = room.supervisor.describe()
    assert found["hung"]["restarts"] == 1
    # Who answers and is not ready waits for others.
    assert (found["waiting"]["phase"], found["waiting"]["restarts"]) == ("starting", 0)


async def test_a_program_that_does_not_exist_is_given_up(room: Room) -> None:
    async def probe(_: int) -> bool:
        return True

    room.supervisor.start(Program("ghost", Command(("/nowhere/ghost",), {}), probe, 0))
    with pytest.raises(StackError, match="No such file"):
        await room.supervisor.wait_ready("ghost", timeout_seconds=PATIENCE_SECONDS)


async def test_who_is_not_ready_in_time_is_named(room: Room) -> None:
    room.supervisor.start(room.program("quick", STAY))
    await room.supervisor.wait_ready("quick", timeout_seconds=PATIENCE_SECONDS)
    room.supervisor.start(room.program("slow", STAY, waits=True))
    with pytest.raises(StackError, match="Not ready after 0 s: slow") as caught:
        await room.supervisor.wait_ready("quick", "slow", timeout_seconds=0.3)
    assert "slow.log" in caught.value.hint


async def test_the_highest_stage_stops_first_and_equal_ones_together(room: Room) -> None:
    stages = {"database": 0, "broker": 1, "service-a": 2, "service-b": 2, "gateway": 3}
    for name, stage in stages.items():
        room.supervisor.start(room.program(name, TELL_THE_STOP, stage=stage, waits=True))
    await room.supervisor.wait_ready(*stages, timeout_seconds=PATIENCE_SECONDS)
    await room.supervisor.stop()
    order = (room.folder / "journal").read_text().split()
    assert [stages[name] for name in order] == [3, 2, 2, 1, 0]
    assert {process["phase"] for process in room.supervisor.describe().values()} == {"stopped"}


async def test_who_does_not_stop_is_killed_after_its_grace(room: Room) -> None:
    room.supervisor.start(room.program("stubborn", STUBBORN, grace=0.2, waits=True))
    await room.supervisor.wait_ready("stubborn", timeout_seconds=PATIENCE_SECONDS)
    pid = room.pid("stubborn")
    await room.supervisor.stop()
    assert not alive(pid)
    assert "did not stop within 0 s and is killed" in room.said()


async def test_hurrying_ends_every_grace(room: Room) -> None:
    room.supervisor.start(room.program("stubborn", STUBBORN, grace=600.0, waits=True))
    await room.supervisor.wait_ready("stubborn", timeout_seconds=PATIENCE_SECONDS)
    stopping = asyncio.create_task(room.supervisor.stop())
    await room.until(lambda: room.supervisor.describe()["stubborn"]["phase"] == "stopping", "stopping")
    room.supervisor.hurry()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await stopping


async def test_children_of_a_dead_process_do_not_stay(room: Room) -> None:
    room.supervisor.start(room.program("parent", WITH_A_CHILD, waits=True))
    await room.supervisor.wait_ready("parent", timeout_seconds=PATIENCE_SECONDS)
    child = int(room.flag("parent").read_text())
    os.kill(room.pid("parent"), signal.SIGKILL)
    await room.until(lambda: not alive(child), "the grandchild gone")


async def test_stopping_while_a_process_waits_for_its_restart(room: Room) -> None:
    room.supervisor.start(room.program("stay", STAY))
    await room.supervisor.wait_ready("stay", timeout_seconds=PATIENCE_SECONDS)
    os.kill(room.pid("stay"), signal.SIGKILL)
    await room.until(lambda: room.supervisor.describe()["stay"]["phase"] == "waiting", "waiting")
    await room.supervisor.stop()
    assert room.supervisor.describe()["stay"]["phase"] == "stopped"


async def test_a_killed_guard_is_replaced(room: Room) -> None:
    room.supervisor.start(room.program("stay", STAY))
    await room.supervisor.wait_ready("stay", timeout_seconds=PATIENCE_SECONDS)
    first = room.supervisor.guard_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await room.until(lambda: room.supervisor.guard_pid not in (None, first), "a new guard")


async def test_a_command_that_fails_says_why(room: Room) -> None:
    command = Command((sys.executable, "-I", "-S", "-c", "import sys; sys.exit(sys.stdin.read())"), {})
    with pytest.raises(StackError, match="set-up ended with status 1") as caught:
        await room.supervisor.run_once("set-up", command, standard_input="the disk is full")
    assert "the disk is full" in caught.value.hint


async def test_a_command_that_succeeds_returns(room: Room) -> None:
    command = Command((sys.executable, "-I", "-S", "-c", "pass"), {})
    await room.supervisor.run_once("set-up", command)
    assert await room.supervisor.run_in_foreground(command) == 0
