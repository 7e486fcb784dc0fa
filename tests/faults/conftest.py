"""One stack for each module, and the reports at the end of the run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.report import Report
from tests.faults.rig import Rig

REPORTS = pytest.StashKey[list[str]]()
# Otherwise a lost answer of the provider is asked for after five minutes.
SETTINGS = {"PARLEY_ORDERS_PAYMENT_JANITOR_SECONDS": "2", "PARLEY_ORDERS_PAYMENT_ANSWER_SECONDS": "5"}


@pytest.fixture(scope="session")
def tell(pytestconfig: pytest.Config) -> Callable[[Report], None]:
    """Adds a scenario to what is printed at the end."""
    lines = pytestconfig.stash.setdefault(REPORTS, [])
    return lambda report: lines.extend(report.lines())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(REPORTS, [])
    if lines:
        terminalreporter.section("what survived the faults")
        for line in lines:
            terminalreporter.line(line)


@contextmanager
def running(settings: Mapping[str, str]) -> Iterator[Rig]:
    """A stack in a folder of its own. Root's PostgreSQL must be able to pass, so tmp_path will not do."""
    root = Path(tempfile.mkdtemp(prefix="parley-faults-"))
    root.chmod(0o755)
    rig = Rig(root, {**SETTINGS, **settings})
    try:
        rig.start()
        try:
            yield rig
        finally:
            rig.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    """A stack with everything embedded."""
    with running({}) as started:
        yield started
