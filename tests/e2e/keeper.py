"""Keeps one stack for a test run: it starts with the first test process that wants it and ends with the last.

`python -m tests.e2e.keeper RUN` is a process of its own, so that the stack outlives the test process that
came first and never outlives all of them, however they end. Test processes register by their ids.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

POLL_SECONDS = 0.1
START_SECONDS = 90.0
STOP_SECONDS = 60.0


class SharedFolder:
    """The place of a test run where its processes find each other. Root's PostgreSQL must be able to pass."""

    def __init__(self, run: str) -> None:
        self.root = Path(tempfile.gettempdir()) / f"parley-e2e-{run}"
        self.data = self.root / "data"
        self.output = self.root / "output"
        self._holders = self.root / "holders"

    def create(self) -> None:
        self._holders.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o755)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        # Beside the folder: whoever waits for it may see the folder go and come.
        with self.root.with_name(f"{self.root.name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def hold(self) -> None:
        (self._holders / str(os.getpid())).touch()

    def release(self) -> None:
        (self._holders / str(os.getpid())).unlink(missing_ok=True)

    def is_held(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return any(is_alive(int(holder.name)) for holder in self._holders.iterdir())
        return False

    def keeper(self) -> int | None:
        """The process that keeps the stack now."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.root / "keeper").read_text())
            return pid if is_alive(pid) else None
        return None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        # A process that ended and that nobody has waited for.
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    return True


def keep(folder: SharedFolder) -> None:
    """Run a stack until nobody holds it, then remove everything."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    command = [sys.executable, "-m", "stack", "up", "--data-dir", str(folder.data), "--port", "0"]
    with folder.output.open("w") as output:
        stack = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    (folder.root / "keeper").write_text(str(os.getpid()))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(POLL_SECONDS)
        if stack.poll() is not None:
            # Left for the test processes to look at; they find out by the missing keeper.
            return
        with folder.locked():
            if not folder.is_held():
                stack.send_signal(signal.SIGTERM)
                stack.wait(STOP_SECONDS)
                shutil.rmtree(folder.root)
                folder.root.with_name(f"{folder.root.name}.lock").unlink(missing_ok=True)
                return


if __name__ == "__main__":
    keep(SharedFolder(sys.argv[1]))
