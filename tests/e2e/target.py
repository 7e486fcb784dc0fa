"""The stack that the end-to-end tests talk to: any that runs, or one of this test run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stack import keys
from tests.e2e.keeper import POLL_SECONDS, START_SECONDS, STOP_SECONDS, SharedFolder

URL = "PARLEY_E2E_URL"
DATA_DIR = "PARLEY_E2E_DATA_DIR"
SERVICES = ("gating", "orders", "offers", "messaging")
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Target:
    """Where it is, the key that signs its tokens, and those gRPC addresses that can be reached from here."""

    url: str
    issuer_key: Path
    grpc: Mapping[str, str] = field(default_factory=dict)

    def token(self, kind: str, **who: str) -> str:
        """A token that it accepts; the arguments are those of `stack.keys.identity`."""
        return keys.issue(self.issuer_key, keys.identity(kind, **who))

    def token_of(self, user: str, *roles: str) -> str:
        """A token for somebody with several roles at once."""
        return keys.issue(self.issuer_key, keys.Identity(f"users/{user}", roles))


def given() -> Target | None:
    """The stack that the environment names.

    PARLEY_E2E_URL is the gateway's address, PARLEY_E2E_DATA_DIR holds `auth/issuer.pem`, and
    PARLEY_E2E_<SERVICE>_TARGET are the gRPC addresses, where they can be reached.
    """
    url = os.environ.get(URL)
    if not url:
        return None
    folder = os.environ.get(DATA_DIR)
    if not folder:
        raise RuntimeError(f"{URL} needs {DATA_DIR}: the folder whose auth/issuer.pem signs its tokens")
    targets = {name: os.environ.get(f"PARLEY_E2E_{name.upper()}_TARGET", "") for name in SERVICES}
    return Target(
        url=url.rstrip("/"),
        issuer_key=Path(folder) / "auth" / "issuer.pem",
        grpc={name: address for name, address in targets.items() if address},
    )


@contextmanager
def own(run: str) -> Iterator[Target]:
    """The stack of a test run, shared by all of its processes."""
    folder = SharedFolder(run)
    with folder.locked():
        folder.create()
        folder.hold()
        keeper = _start_keeper(run) if folder.keeper() is None else None
        target = _until_ready(folder)
    try:
        yield target
    finally:
        folder.release()
        _until_ended(folder)
        if keeper is not None and folder.is_held():
            # Others go on with it, so it ends after its parent, and its parent's parent will wait for it.
            keeper.returncode = 0
        elif keeper is not None:
            keeper.wait(STOP_SECONDS)


def _start_keeper(run: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.keeper", run],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _until_ready(folder: SharedFolder) -> Target:
    deadline = time.monotonic() + START_SECONDS
    seen_keeper = False
    while time.monotonic() < deadline:
        alive = folder.keeper() is not None
        if seen_keeper and not alive:
            break
        seen_keeper = seen_keeper or alive
        state = _state(folder.data / "stack.json")
        if state.get("ready"):
            return Target(str(state["http"]), folder.data / "auth" / "issuer.pem", dict(state["grpc"]))
        time.sleep(POLL_SECONDS)
    output = folder.output.read_text("utf-8", "replace") if folder.output.exists() else ""
    raise RuntimeError(f"the stack did not start:\n{output[-4_000:]}")


def _until_ended(folder: SharedFolder) -> None:
    """Where nobody else holds it, nothing may be left behind when the test run ends."""
    deadline = time.monotonic() + STOP_SECONDS
    while folder.root.exists() and not folder.is_held() and folder.keeper() is not None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the stack in {folder.root} did not stop")
        time.sleep(POLL_SECONDS)


def _state(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found
