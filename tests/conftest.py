"""What every test run shares: the fixtures of the chassis, and the record of proved capabilities."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest

# Before gRPC starts. Some tests start processes through a fork while gRPC runs in this one; its handlers
# would revive its threads in the child, whose descriptors are closed by then, and abort it before its exec.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 1024**3
"""Several times what a run keeps at once."""


def _use_memory_for_files() -> None:
    """Keeps temporary files in memory where there is room: servers that come and go by the hundred make a run
    wait for the disk half of its time. Whoever sets TMPDIR decides himself.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    held = os.statvfs(MEMORY)
    if min(held.f_bavail * held.f_frsize, psutil.virtual_memory().available) >= ROOM_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


# Before anything asks for a temporary folder; the processes that tests start inherit it.
_use_memory_for_files()

# Real PostgreSQL and NATS, clocks, ids, tokens and running services.
pytest_plugins = ["chassis.testing"]

# Every run tries the same examples, and no example fails for being slow on a busy machine. To look for new
# ones: HYPOTHESIS_PROFILE=explore make test
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", derandomize=False, deadline=None, max_examples=1_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

COVERS = "covers"
# Read by docs/capabilities.py.
CACHE_KEY = "parley/covers"


class CoverageRecord:
    """Remembers over several runs which tests that carry a `covers` mark passed when they last ran."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._outcomes: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        covered = next((ids for name, ids in report.user_properties if name == COVERS), None)
        if not isinstance(covered, list):
            return
        outcome = self._outcomes.setdefault(report.nodeid, {COVERS: covered, "passed": False})
        if report.when == "call":
            outcome["passed"] = report.passed
        elif report.failed:
            outcome["passed"] = False

    def pytest_sessionfinish(self) -> None:
        cache = getattr(self._config, "cache", None)
        if cache is None or not self._outcomes:
            return
        earlier: dict[str, Any] = cache.get(CACHE_KEY, {})
        cache.set(CACHE_KEY, dict(sorted({**earlier, **self._outcomes}.items())))


def pytest_configure(config: pytest.Config) -> None:
    """Records in the process that sees all reports, which under xdist is not a worker."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(CoverageRecord(config), "parley-coverage-record")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the row ids into the report, the only thing that travels from a worker."""
    for item in items:
        if ids := [id_ for mark in item.iter_markers(COVERS) for id_ in mark.args]:
            item.user_properties.append((COVERS, ids))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).resolve().parent.parent
