"""Folders that every user may pass through, and stacks that never outlive their test."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.stack.installation import Stack, gone, install
from tests.integration.stack.waiting import until

Stacks = Callable[..., Stack]


@contextlib.contextmanager
def _open_folder() -> Iterator[Path]:
    """Unlike tmp_path, whose parents belong to one user: PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="parley-stack-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def _stacks(folder: Path) -> Iterator[Stacks]:
    """Makes stacks (not started) in a folder, and stops at the end those that run."""
    made: list[Stack] = []
    checkout = install(folder / "checkout")

    def make(name: str = "data", **settings: object) -> Stack:
        stack = Stack(checkout, folder / name, **settings)  # type: ignore[arg-type]
        made.append(stack)
        return stack

    yield make
    for stack in reversed(made):
        if stack.process is None or stack.process.poll() is not None:
            continue
        family = set()
        with contextlib.suppress(OSError):
            family = stack.everyone()
        os.kill(stack.supervisor(), signal.SIGTERM)
        until(lambda stack=stack: stack.process.poll() is not None, f"{stack.data_dir} stopped")  # type: ignore[misc]
        until(lambda family=family: gone(family), "all processes gone")  # type: ignore[misc]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may pass through."""
    with _open_folder() as folder:
        yield folder


@pytest.fixture
def stacks(open_folder: Path) -> Iterator[Stacks]:
    """Makes stacks (not started); the test's end is theirs."""
    with _stacks(open_folder) as make:
        yield make


@pytest.fixture(scope="module")
def standing() -> Iterator[Stack]:
    """A stack that runs, for tests that leave it as it is: starting one takes longer than most tests."""
    with _open_folder() as folder, _stacks(folder) as make:
        yield make(environment={"PARLEY_AUTH_ISSUER": "our-issuer"}).start()
