"""A stranger's project: a clean virtual environment with the wheel of the contract and nothing of ours."""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

# Installing and starting other processes.
PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody else's project; `folder` is its working directory, `wheel` what it installed."""

    folder: Path
    python: Path
    wheel: Path

    def run(self, program: str, *arguments: str) -> str:
        """The output of a Python program in this project, isolated from the environment of the tests."""
        command = [str(self.python), "-I", "-c", program, *arguments]
        result = subprocess.run(
            command, cwd=self.folder, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert result.returncode == 0, result.stderr
        return result.stdout


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "-qq", "--disable-pip-version-check"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert result.returncode == 0, result.stderr


@pytest.fixture(scope="session")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel `parley-protos`, built from a copy so that nothing is left in the work tree."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(
        repository / "protos",
        folder / "protos",
        ignore=shutil.ignore_patterns("*.egg-info", "__pycache__", "build"),
    )
    pip(
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(folder),
        str(folder / "protos"),
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def stranger(
    repository: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Stranger:
    """A project that installed the wheel with its dependencies, at the versions that we test with.

    Made once for all processes of a test run: it takes longer than everything that is done with it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "stranger"
    python = folder / "venv" / "bin" / "python"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            install(folder, wheel, (repository / "requirements" / "runtime.txt").read_text(encoding="utf-8"))
            (folder / "complete").touch()
    return Stranger(folder=folder, python=python, wheel=wheel)


def install(folder: Path, wheel: Path, locked: str) -> None:
    """Make `folder/venv` with the wheel and its dependencies, at the versions of a lock file."""
    # Our pip installs into it; unpacking a second one takes longer than all the rest.
    venv.create(folder / "venv")
    versions = folder / "versions.txt"
    versions.write_text(
        "\n".join(re.findall(r"^[a-z0-9._-]+==[^ ]+", locked, re.MULTILINE)), encoding="utf-8"
    )
    pip("--python", str(folder / "venv"), "install", "-c", str(versions), str(wheel))
