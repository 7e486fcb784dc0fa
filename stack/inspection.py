"""What the operating system says about processes, without owning them.

psutil is imported on use: the supervisor stays small, since it looks around only when something went wrong.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any


def _psutil() -> Any:
    import psutil  # type: ignore[import-untyped, unused-ignore]

    return psutil


def listener(port: int) -> str:
    """Who listens on a TCP port, for example `process 812 (nginx)`; empty if this user may not know."""
    psutil = _psutil()
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.Error, OSError):
        pass
    return ""


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    psutil = _psutil()
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def seconds_since_start(pid: int) -> float:
    """How long a process has existed; 0 if it is gone."""
    psutil = _psutil()
    try:
        return max(0.0, time.time() - float(psutil.Process(pid).create_time()))
    except psutil.Error:
        return 0.0


def environment_value(pid: int, name: str) -> str | None:
    """One variable of a process's initial environment; None if it has none or it cannot be read."""
    psutil = _psutil()
    try:
        value = psutil.Process(pid).environ().get(name)
    except (psutil.Error, OSError):
        return None
    return None if value is None else str(value)


def command_line(pid: int) -> list[str]:
    """The command of a process; empty if it cannot be read."""
    psutil = _psutil()
    try:
        return [str(part) for part in psutil.Process(pid).cmdline()]
    except (psutil.Error, OSError):
        return []


def working_in(folder: Path, name: str) -> list[int]:
    """The processes called `name` whose working directory is `folder`, as PostgreSQL's is its cluster."""
    psutil = _psutil()
    target = os.path.realpath(folder)
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == name and os.path.realpath(process.cwd()) == target:
                found.append(int(process.pid))
        except (psutil.Error, OSError):
            continue
    return found


def resident_bytes(pid: int, *, with_children: bool) -> int:
    """Resident memory of a process, optionally with all its descendants, in bytes; 0 if it is gone."""
    psutil = _psutil()
    try:
        process = psutil.Process(pid)
        family: list[Any] = [process, *(process.children(recursive=True) if with_children else ())]
    except psutil.Error:
        return 0
    total = 0
    for member in family:
        try:
            total += int(member.memory_info().rss)
        except psutil.Error:
            continue
    return total
