"""The command line of a service, in real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.kernel.clock import ManualClock, SystemClock
from chassis.testing import Backends, buyer, running
from chassis.testing.service import CallerChannel
from tests.integration.chassis.collector import collecting
from tests.integration.chassis.probe import ProbeStub, WriteRequest
from tests.integration.chassis.probe_service import PROBE, names

SECONDS = 30
OWN_MEMORY_LIMIT_BYTES = 65_000_000
"""All five processes together have 600 MB, with the libraries, of which they share the files."""


@dataclass
class Shell:
    """Runs `python -m <the probe>` with an environment."""

    environment: dict[str, str]
    repository: Path

    async def start(self, *arguments: str, **changes: str) -> Process:
        environment = {**os.environ, **self.environment, **changes}
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(self.repository), str(self.repository / "protos/gen")]
        )
        command = [sys.executable, "-m", "tests.integration.chassis.probe_service", *arguments]
        return await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=PIPE)

    async def run(self, *arguments: str, **changes: str) -> tuple[int, str, str]:
        child = await self.start(*arguments, **changes)
        output, errors = await asyncio.wait_for(child.communicate(), SECONDS)
        assert child.returncode is not None
        return child.returncode, output.decode(), errors.decode()

    @asynccontextmanager
    async def serving(self, **changes: str) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
        """A running service, and the line that says that it started."""
        child = await self.start(**changes)
        assert child.stdout is not None
        try:
            yield child, await line(child, "started")
        finally:
            if child.returncode is None:
                child.kill()
            await child.communicate()


async def line(child: Process, event: str) -> dict[str, Any]:
    """The next log line that tells of `event`."""
    assert child.stdout is not None
    while text := await asyncio.wait_for(child.stdout.readline(), SECONDS):
        found: dict[str, Any] = json.loads(text)
        if found["event"] == event:
            return found
    raise AssertionError(f"ended without {event}")


def own_bytes(pid: int) -> int:
    """Memory that belongs to no file. How much of files is mapped depends on what else the machine does."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (kibibytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("RssAnon:"))
    return int(kibibytes) * 1024


@pytest.fixture
async def shell(backends: Backends, repository: Path) -> Shell:
    environment = {
        "PARLEY_PROBE_DSN": await backends.database(PROBE.migrations),
        "PARLEY_NATS_URL": backends.nats_url,
        "PARLEY_AUTH_JWKS_FILE": str(backends.jwks_file),
        "PARLEY_SERVICE_KEY_FILE": str(backends.key_file),
    }
    return Shell(environment, repository)


async def test_two_processes_may_migrate_an_empty_database_at_once(shell: Shell, backends: Backends) -> None:
    dsn = backends.postgres.dsn(await backends.postgres.create_database())
    both = await asyncio.gather(*(shell.run("migrate", PARLEY_PROBE_DSN=dsn) for _ in range(2)))
    assert [(code, output) for code, output, _ in both] == [(0, "probe: the schema is at 0002_note\n")] * 2


async def test_it_serves_until_it_is_told_to_stop_and_loses_nothing(
    shell: Shell, backends: Backends, clock: ManualClock
) -> None:
    async with shell.serving() as (child, started):
        assert own_bytes(child.pid) < OWN_MEMORY_LIMIT_BYTES
        token = backends.issuer(SystemClock()).token("users/ana", ["buyer"], timedelta(hours=1))
        async with CallerChannel(started["address"], token) as channel:
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            async with httpx.AsyncClient(base_url=f"http://{started['metrics']}") as client:
                assert (await client.get("/readyz")).text == "ready\n"
            answer = await ProbeStub(channel).Make(WriteRequest(name="lamp", request_id="1"))
            assert answer.text == "made lamp"
        child.send_signal(signal.SIGTERM)
        output, errors = await asyncio.wait_for(child.communicate(), SECONDS)
        assert (child.returncode, errors.decode()) == (0, "")
        assert json.loads(output.decode().splitlines()[-1])["event"] == "stopped"
    async with running(PROBE, backends, clock=clock, dsn=shell.environment["PARLEY_PROBE_DSN"]) as probe:
        assert await probe.host.relay.oldest_age() is None
        await probe.settle()
        assert await names(probe.host.database, "heard") == ["lamp"]


async def test_it_stops_while_it_still_waits_for_its_database(shell: Shell) -> None:
    child = await shell.start(PARLEY_PROBE_DSN="postgresql://postgres@127.0.0.1:1/none")
    await line(child, "waiting_for_database")
    child.send_signal(signal.SIGINT)
    await asyncio.wait_for(child.communicate(), SECONDS)
    assert child.returncode == 0


async def test_wrong_settings_are_all_reported_and_nothing_starts(shell: Shell) -> None:
    code, output, errors = await shell.run(
        PARLEY_PROBE_GRPC_ADDRESS="nowhere", PARLEY_PROBE_LOG_LEVELS="x", PARLEY_DATABASE_POOL_SIZE="0"
    )
    assert (code, output) == (2, "")
    assert errors.startswith("probe cannot start: 3 settings are wrong\n")
    for variable in ("PARLEY_PROBE_GRPC_ADDRESS", "PARLEY_PROBE_LOG_LEVELS", "PARLEY_DATABASE_POOL_SIZE"):
        assert f"  - {variable}: " in errors
    code, _, errors = await shell.run(PARLEY_LOG_LEVEL="chatty")
    assert (code, "one of debug, info, warning, error" in errors) == (2, True)


async def test_a_taken_port_is_one_clear_line(shell: Shell) -> None:
    async with shell.serving() as (_, started):
        for variable in ("PARLEY_PROBE_GRPC_ADDRESS", "PARLEY_PROBE_METRICS_ADDRESS"):
            taken = started["address" if "GRPC" in variable else "metrics"]
            code, _, errors = await shell.run(**{variable: taken})
            assert code == 1
            assert errors.splitlines()[-1].startswith(f"probe: {taken} cannot be listened on")


async def test_a_process_sends_its_spans_and_the_last_ones_when_it_ends(
    shell: Shell, backends: Backends
) -> None:
    with collecting() as collector:
        async with shell.serving(PARLEY_OTLP_ENDPOINT=collector.endpoint) as (child, started):
            token = backends.issuer(SystemClock()).token("users/ana", ["buyer"], timedelta(hours=1))
            async with CallerChannel(started["address"], token) as channel:
                await ProbeStub(channel).Make(WriteRequest(name="lamp", request_id="1"))
            child.send_signal(signal.SIGTERM)
            _, errors = await asyncio.wait_for(child.communicate(), SECONDS)
            assert (child.returncode, errors.decode()) == (0, "")
    assert collector.services == {"parley-probe"}
    assert "parley.probe.v1.ProbeService/Make" in collector.spans
    assert b"lamp" not in collector.wire


async def test_dead_letters_are_listed_shown_replayed_and_dropped(
    shell: Shell, backends: Backends, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.inbox.MAX_DELIVERIES", 1)
    dsn = shell.environment["PARLEY_PROBE_DSN"]
    async with running(PROBE, backends, clock=clock, dsn=dsn) as probe:
        stub = ProbeStub(probe.channel(buyer()))
        for name in ("poison", "lamp"):
            await stub.Make(WriteRequest(name=name, request_id=name))
        await probe.settle()
        assert await names(probe.host.database, "heard") == ["lamp"]
    code, output, _ = await shell.run("dead-letters", "list")
    assert code == 0
    _, consumer, event_id, kind, *_ = output.split()
    assert (consumer, kind) == ("probe-on-probe", "parley.probe.v1.ThingMade")
    code, output, _ = await shell.run("dead-letters", "show", consumer, event_id)
    assert json.loads(output)["reason"] == "ValueError: cannot be taken in"
    code, _, errors = await shell.run("dead-letters", "replay", consumer, event_id)
    assert code == 1
    assert "cannot be taken in" in errors
    code, _, errors = await shell.run("dead-letters", "replay", "nobody-on-probe", event_id)
    assert (code, errors) == (1, "probe: nobody-on-probe is no consumer; there are probe-on-probe\n")
    assert (await shell.run("dead-letters", "drop", consumer, event_id))[0] == 0
    code, _, errors = await shell.run("dead-letters", "drop", consumer, event_id)
    assert (code, "NOT_FOUND" in errors) == (1, True)


async def test_republish_fills_a_stream_that_was_lost(
    shell: Shell, backends: Backends, clock: ManualClock
) -> None:
    dsn = shell.environment["PARLEY_PROBE_DSN"]
    async with running(PROBE, backends, clock=clock, dsn=dsn) as probe:
        await ProbeStub(probe.channel(buyer())).Make(WriteRequest(name="lamp", request_id="1"))
        await probe.settle()
    code, output, _ = await shell.run("republish", "--since", "2026-06-01T12:00:00")
    assert (code, output) == (0, "probe: 1 events will be published again by the running service\n")
    code, output, _ = await shell.run("republish", "--since", "2026-06-02T00:00:00Z")
    assert output.startswith("probe: 0 events")
