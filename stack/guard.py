"""Kills what a dead supervisor left behind. Run as a file of its own, the supervisor's pipe being its input.

The pipe says `+<pid> <signal>` for each process that starts and `-<pid>` for each that ended. While the
supervisor lives, it keeps the pipe open; its end, whatever the cause, is the end of the pipe. Then every
process that is still listed gets its signal, and after a grace the kill signal. Each leads a process group,
so its children go as well. This works on every Unix; Linux has `PR_SET_PDEATHSIG` on top (see `leash`).

Only the standard library, and little of it: one such process per stack waits for the whole life of the stack.
"""

from __future__ import annotations

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

GRACE_SECONDS = 5.0
POLL_SECONDS = 0.05


def watch(lines: typing.Iterable[str]) -> dict[int, int]:
    """Read the pipe to its end; the processes that are then still listed, with their signals."""
    listed: dict[int, int] = {}
    for line in lines:
        if not line.endswith("\n"):
            # The writer died in the middle of it.
            break
        if line.startswith("+"):
            pid, number = line[1:].split()
            listed[int(pid)] = int(number)
        elif line.startswith("-"):
            listed.pop(int(line[1:]), None)
    return listed


def signal_group(pid: int, number: int) -> bool:
    """Signal the group that `pid` leads; False once nobody is in it."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group whose members are all zombies.
        return False
    return True


def put_down(listed: dict[int, int]) -> None:
    """Send each group its signal, wait for the grace, then kill what is left."""
    alive = {pid for pid, number in listed.items() if signal_group(pid, number)}
    deadline = time.monotonic() + GRACE_SECONDS
    while alive and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        alive = {pid for pid in alive if signal_group(pid, 0)}
    for pid in alive:
        signal_group(pid, signal.SIGKILL)


def main() -> None:
    """Outlive everything that is sent to the terminal's processes, then do the one thing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    put_down(watch(sys.stdin))


if __name__ == "__main__":
    main()
