"""A real gateway on a socket, in front of a real gRPC server."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.auth import Issuer, write_jwks
from chassis.config import Address
from chassis.kernel.clock import SystemClock
from gateway.config import GatewayConfig
from gateway.serving import Gateway
from tests.integration.gateway.front import serving
from tests.integration.gateway.upstream import Upstream
from tests.unit.gateway import sample

LIMIT_BYTES = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig(GatewayConfig):
    """The gateway's settings with the one service that the sample has."""

    sample_target: Address

    def targets(self) -> Mapping[str, str]:
        return {"sample": str(self.sample_target)}


@dataclass
class Stage:
    """What a test works with."""

    upstream: Upstream
    gateway: Gateway
    client: httpx.AsyncClient
    issuer: Issuer
    stop: asyncio.Event

    def token(self, life: timedelta = timedelta(minutes=5)) -> str:
        return self.issuer.token("users/ana", ["buyer"], life)

    @property
    def ana(self) -> dict[str, str]:
        """Headers of a buyer."""
        return {"authorization": f"Bearer {self.token()}"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def keys(tmp_path: Path) -> Issuer:
    """Issues tokens that the gateway believes."""
    key = Ed25519PrivateKey.generate()
    write_jwks(tmp_path / "jwks.json", [("test", key.public_key())])
    return Issuer(key, "test", issuer="parley", audience="parley", clock=SystemClock())


Opener = Callable[..., contextlib.AbstractAsyncContextManager[Stage]]


@pytest.fixture
def opened(tmp_path: Path, keys: Issuer) -> Opener:
    """Starts a stage with other settings: `async with opened(cors_origins=(...)) as stage`."""

    @contextlib.asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[Stage]:
        upstream = Upstream()
        await upstream.start()
        config = SampleConfig(
            address=Address("127.0.0.1", free_port()),
            sample_target=Address.parse(upstream.address),
            auth_jwks_file=tmp_path / "jwks.json",
            request_limit_bytes=LIMIT_BYTES,
            shutdown_seconds=5.0,
        )
        config = dataclasses.replace(config, **settings)
        try:
            async with serving(config, [sample.service()]) as front:
                yield Stage(upstream, front.gateway, front.client, keys, front.stop)
        finally:
            await upstream.stop()

    return start


@pytest.fixture
async def stage(opened: Opener) -> AsyncIterator[Stage]:
    async with opened() as stage:
        yield stage
