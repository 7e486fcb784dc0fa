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


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Unlike tmp_path, whose parents belong to one user: PostgreSQL does not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="parley-stack-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def checkout(open_folder: Path) -> Path:
    return install(open_folder / "checkout")


@pytest.fixture
def stacks(checkout: Path, open_folder: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks (not started); the test's end is theirs."""
    made: list[Stack] = []

    def make(name: str = "data", **settings: object) -> Stack:
        stack = Stack(checkout, open_folder / name, **settings)  # type: ignore[arg-type]
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
