"""A checkout whose services are stand-ins, and stacks started from it as real processes."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped, unused-ignore]

from tests.integration.stack.waiting import until

REPOSITORY = Path(__file__).resolve().parents[3]
SERVICES = ("gating", "orders", "offers", "messaging")
PROCESSES = {"postgres", "nats", "gateway", *SERVICES}


def install(root: Path) -> Path:
    """Lay out a checkout with the real `stack` and stand-ins for the rest; its folder."""
    root.mkdir()
    root.chmod(0o755)
    (root / "stack").symlink_to(REPOSITORY / "stack")
    shutil.copy(Path(__file__).with_name("stand_in.py"), root / "stand_in.py")
    for package, name in (("gateway", "gateway"), *((f"services/{name}", name) for name in SERVICES)):
        folder = root / package
        folder.mkdir(parents=True)
        # Without these, the packages of an installed Parley would be found instead.
        for inside in {folder, root / package.partition("/")[0]}:
            (inside / "__init__.py").touch()
        (folder / "__main__.py").write_text(f"from stand_in import main\n\nmain({name!r})\n")
    return root


@dataclass
class Stack:
    """One `stack up`, or what is left of it."""

    checkout: Path
    data_dir: Path
    options: tuple[str, ...] = ("--port", "0")
    environment: Mapping[str, str] = field(default_factory=dict)
    launcher: tuple[str, ...] = ()
    python: str = sys.executable
    process: subprocess.Popen[str] | None = None

    def command(self, *arguments: str) -> list[str]:
        return [*self.launcher, self.python, "-m", "stack", *arguments, "--data-dir", str(self.data_dir)]

    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        return {**kept, **self.environment}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of the stack to its end."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.checkout,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def output_file(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.output")

    def output(self) -> str:
        return self.output_file.read_text() if self.output_file.exists() else ""

    def start(self) -> Stack:
        """Start it and wait until it is ready."""
        self.launch()
        until(self._ready_or_ended, f"{self.data_dir} ready", seconds=60)
        assert self.process is not None
        assert self.process.poll() is None, self.output()
        return self

    def launch(self) -> None:
        """Start it and return at once."""
        with self.output_file.open("w") as output:
            self.process = subprocess.Popen(
                self.command("up", *self.options),
                cwd=self.checkout,
                env=self.environ(),
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def _ready_or_ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None or "ready after" in self.output()

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data_dir / "stack.json").read_text())
        return found

    def pid(self, name: str) -> int:
        return int(self.state()["processes"][name]["pid"])

    def everyone(self) -> set[psutil.Process]:
        """Every process of the stack, PostgreSQL's own and the guard included, without the supervisor."""
        supervisor = psutil.Process(int(self.state()["supervisor"]))
        return set(supervisor.children(recursive=True))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal the supervisor and wait for its end; its exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.supervisor(), number)
        return self.process.wait(timeout=60)

    def supervisor(self) -> int:
        """The supervisor itself, not the launcher in front of it."""
        assert self.process is not None
        with contextlib.suppress(OSError, ValueError):
            return int(self.state()["supervisor"])
        return self.process.pid


def gone(processes: set[psutil.Process]) -> bool:
    return not any(_lives(process) for process in processes)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        # It ended between the two questions.
        return False


def ask(address: str, request: str) -> str:
    """Send one line to a stand-in; all that it answers."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request.encode() + b"\r\n")
        parts = []
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65_536):
                parts.append(part)
    return b"".join(parts).decode()


def unprivileged_python() -> str | None:
    """An interpreter of this version that every user may execute; None if this machine has none."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        path = Path(candidate).resolve()
        if path.exists() and all(folder.stat().st_mode & 0o001 for folder in path.parents):
            return candidate
    return None


def as_nobody() -> tuple[str, ...]:
    """What to put before a command to run it without any rights."""
    nobody = pwd.getpwnam("nobody")
    return ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--")


def library_path() -> str:
    return sysconfig.get_path("purelib")
