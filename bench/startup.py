"""How long a new user waits, and how much memory it all takes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import Figure
from bench.rig import STOP_SECONDS, Rig

START_GOAL_SECONDS = 10.0
MEMORY_GOAL_MEGABYTES = 600
LONGEST_SECONDS = 90.0
_MEGABYTE = 1_000_000
_NEGOTIATED = re.compile(r"negotiated order")


def first_order() -> Figure:
    """`stack up --demo` on an empty data folder, until the line that tells of the first negotiated order."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as name:
        Path(name).chmod(0o755)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PARLEY_")}
        command = [sys.executable, "-m", "stack", "up", "--demo", "--port", "0", "--data-dir", f"{name}/data"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        ready = ordered = 0.0
        for line in process.stdout:
            passed = time.perf_counter() - began
            if "ready after" in line:
                ready = passed
            if _NEGOTIATED.search(line):
                ordered = passed
            if ordered or passed > LONGEST_SECONDS:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=STOP_SECONDS)
    if not ordered:
        raise RuntimeError("the demo told of no negotiated order")
    return Figure(
        name="`make run` to the first negotiated order, s",
        measured=f"{ordered:.1f}",
        floor=f"{ready:.1f} (all processes ready)",
        result=f"{ordered - ready:.1f} s after readiness",
        goal=f"below {START_GOAL_SECONDS:g}",
        reached=ordered < START_GOAL_SECONDS,
        details=("an empty data folder and a warm virtual environment",),
    )


def memory(rig: Rig) -> Figure:
    """Resident memory of every Python process of the stack, after whatever ran before."""
    rows = {name: row["rss_bytes"] / _MEGABYTE for name, row in rig.processes().items() if row["python"]}
    total = sum(rows.values())
    bare = subprocess.check_output(
        [
            sys.executable,
            "-c",
            "import asyncio, asyncpg, grpc.aio, nats, protovalidate, psutil, sqlalchemy; "  # noqa: ISC004
            "print(psutil.Process().memory_info().rss)",
        ]
    )
    floor = int(bare) / _MEGABYTE
    return Figure(
        name="memory of all Python processes, MB",
        measured=f"{total:.0f}",
        floor=f"{floor:.0f} for one process that only imports the libraries",
        result=", ".join(f"{name} {size:.0f}" for name, size in rows.items()),
        goal=f"below {MEMORY_GOAL_MEGABYTES}",
        reached=total < MEMORY_GOAL_MEGABYTES,
    )
