"""`python -m gateway` as the operating system sees it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2
from structlog.testing import capture_logs

from chassis.auth import Issuer, Verifier, write_jwks
from chassis.kernel.clock import SystemClock
from gateway.__main__ import watch_keys
from tests.integration.gateway.conftest import Stage, free_port
from tests.integration.gateway.upstream import Upstream

SECONDS = 20.0
RESIDENT_LIMIT_BYTES = 90 * 1024 * 1024


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    defaults = {
        "PARLEY_AUTH_JWKS_FILE": str(tmp_path / "jwks.json"),
        "PARLEY_GATEWAY_METRICS_ADDRESS": "127.0.0.1:0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return {**own, **defaults, **settings}


@asynccontextmanager
async def process(environ: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "gateway")
    started = await asyncio.create_subprocess_exec(*command, env=environ, stdout=pipe, stderr=pipe)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def failed(environ: dict[str, str]) -> str:
    """What a gateway that cannot start says."""
    async with process(environ) as started, asyncio.timeout(SECONDS):
        _, errors = await started.communicate()
        assert started.returncode == 1
        return errors.decode()


async def test_it_serves_the_contract_in_little_memory_and_stops_in_order(
    tmp_path: Path, keys: Issuer
) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with process(environment(tmp_path, PARLEY_GATEWAY_ADDRESS=address)) as started:
        transport = httpx.AsyncHTTPTransport(retries=8)
        async with httpx.AsyncClient(base_url=f"http://{address}", transport=transport) as client:
            assert (await client.get("/healthz")).json() == {"status": "live"}
            assert len((await client.get("/openapi.json")).json()["paths"]) > 30
            assert (await client.get("/docs")).status_code == 200
            ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert set(ready.json()["services"]) == {"gating", "messaging", "offers", "orders"}
        own = psutil.Process(started.pid)
        assert own.children() == []
        assert own.memory_info().rss < RESIDENT_LIMIT_BYTES
        started.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            output, errors = await started.communicate()
        assert (started.returncode, errors) == (0, b"")
        assert b'"gateway_stopped"' in output


async def test_every_mistake_in_the_settings_is_told_at_once(tmp_path: Path) -> None:
    errors = await failed(
        environment(tmp_path, PARLEY_GATEWAY_ADDRESS="nowhere", PARLEY_GATEWAY_DEADLINE_SECONDS="-1")
    )
    assert "PARLEY_GATEWAY_ADDRESS" in errors
    assert "PARLEY_GATEWAY_DEADLINE_SECONDS" in errors
    assert "PARLEY_AUTH_JWKS_FILE" in errors
    assert "Traceback" not in errors


async def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path, keys: Issuer) -> None:
    async def nothing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    errors = await failed(environment(tmp_path, PARLEY_GATEWAY_ADDRESS=f"127.0.0.1:{port}"))
    server.close()
    assert f"cannot listen on 127.0.0.1:{port}" in errors
    assert "Traceback" not in errors


# ---------------------------------------------------------------------------------------------- readiness


async def test_ready_while_every_service_serves(stage: Stage) -> None:
    answer = await stage.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "services": {"sample": "SERVING"}}


@pytest.mark.parametrize("stopped", [False, True])
async def test_not_ready_when_a_service_does_not_serve(stage: Stage, *, stopped: bool) -> None:
    upstream: Upstream = stage.upstream
    if stopped:
        await upstream.stop()
    else:
        await upstream.serving(health_pb2.HealthCheckResponse.NOT_SERVING)
    answer = await stage.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "not ready"
    assert answer.json()["services"]["sample"] == ("UNREACHABLE" if stopped else "NOT_SERVING")
    assert "sample" in await stage.gateway.readiness.problem()


async def test_new_keys_are_taken_over_while_it_runs(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.__main__.KEYS_SECONDS", 0.001)
    verifier = Verifier(tmp_path / "jwks.json", issuer="parley", audience="parley", clock=SystemClock())
    watching = asyncio.ensure_future(watch_keys(verifier))
    (tmp_path / "jwks.json").write_text("half a fi", "utf-8")
    key = Ed25519PrivateKey.generate()
    token = Issuer(key, "new", issuer="parley", audience="parley", clock=SystemClock()).token(
        "users/bob", ["buyer"], timedelta(minutes=1)
    )
    with capture_logs() as lines:
        async with asyncio.timeout(SECONDS):
            while not any(line["event"] == "keys_unreadable" for line in lines):
                await stage.client.get("/healthz")
            write_jwks(tmp_path / "jwks.json", [("new", key.public_key())])
            while not any(line["event"] == "keys_replaced" for line in lines):
                await stage.client.get("/healthz")
    watching.cancel()
    assert verifier.verify(token).user == "users/bob"
