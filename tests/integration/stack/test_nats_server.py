"""The embedded NATS: JetStream that syncs, behind a password, on loopback."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats

from stack import nats_server, topology
from stack.data_folder import DataFolder
from stack.environment import Environments, External
from stack.logs import Console
from stack.ports import Ports, choose
from stack.supervisor import Supervisor


@asynccontextmanager
async def running(root: Path) -> AsyncIterator[tuple[Supervisor, Ports, str]]:
    folder = DataFolder(root)
    folder.create()
    secrets = folder.secrets()
    ports = choose(port=0, base=0, remembered=folder.remembered_ports(), seed=str(root), roles=("nats",))
    folder.remember_ports(ports)
    external = External(postgres=False, nats=False, keys=False)
    environments = Environments(folder, ports, secrets, external, os.environ)
    configuration = nats_server.configure(
        folder, port=ports["nats"], stack_id=secrets.stack_id, password=secrets.nats
    )
    async with Supervisor(folder.logs, Console(io.StringIO(), color=False)) as supervisor:
        supervisor.start(topology.nats(configuration, ports, environments))
        await supervisor.wait_ready("nats", timeout_seconds=30)
        yield supervisor, ports, secrets.nats


async def test_messages_survive_a_kill(tmp_path: Path) -> None:
    async with running(tmp_path / "data folder") as (supervisor, ports, password):
        client = await nats.connect(nats_server.url(ports["nats"], password))
        stream = client.jetstream()
        await stream.add_stream(name="S", subjects=["s.>"])
        await stream.publish("s.one", b"kept")
        os.kill(int(supervisor.describe()["nats"]["pid"]), signal.SIGKILL)
        await client.close()
    async with running(tmp_path / "data folder") as (_, ports, password):
        client = await nats.connect(nats_server.url(ports["nats"], password))
        kept = await client.jetstream().get_msg("S", 1)
        assert kept.data == b"kept"
        await client.close()


async def test_nobody_gets_in_without_the_password(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as (_, ports, _password):
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["nats"])
        writer.write(b"CONNECT {}\r\nPING\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert b"-ERR 'Authorization Violation'" in answer
    assert b"PONG" not in answer


async def test_its_configuration_syncs_always_and_is_private(tmp_path: Path) -> None:
    async with running(tmp_path / "data"):
        path = tmp_path / "data" / "nats" / "server.conf"
        assert "sync_interval: always" in path.read_text()
        assert 'listen: "127.0.0.1:' in path.read_text()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_port_with_another_server_is_not_ready(tmp_path: Path) -> None:
    ports = choose(port=0, base=0, remembered=None, seed=str(tmp_path), roles=("nats",))
    assert not await nats_server.is_ready(ports["nats"])
