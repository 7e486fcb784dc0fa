"""A real gateway on a socket, in front of whatever a test has behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from google.protobuf.descriptor import ServiceDescriptor

from chassis.auth import Verifier
from chassis.kernel.clock import Clock, SystemClock
from chassis.testing import Backends
from chassis.testing.service import free_address
from gateway.config import GatewayConfig
from gateway.serving import Gateway
from gateway.transcode import contract_services


@dataclass(frozen=True, slots=True)
class Front:
    """A gateway that answers `client` until `stop` is set."""

    gateway: Gateway
    client: httpx.AsyncClient
    stop: asyncio.Event


@asynccontextmanager
async def serving(
    config: GatewayConfig, contract: Sequence[ServiceDescriptor], *, clock: Clock | None = None
) -> AsyncIterator[Front]:
    """The gateway while the block runs; `clock` is that of those who issue tokens."""
    verifier = Verifier(
        config.auth_jwks_file,
        issuer=config.auth_issuer,
        audience=config.auth_audience,
        clock=clock or SystemClock(),
    )
    gateway, stop = Gateway(config, contract, verifier), asyncio.Event()
    served = asyncio.ensure_future(gateway.serve(stop))
    # The listening socket appears a moment after the start; connecting is tried again until then.
    transport = httpx.AsyncHTTPTransport(retries=8)
    async with httpx.AsyncClient(base_url=f"http://{config.address}", transport=transport) as client:
        try:
            await client.get("/healthz")
            yield Front(gateway, client, stop)
        finally:
            stop.set()
            await served


@asynccontextmanager
async def fronted(
    backends: Backends, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP to the services whose targets `settings` name; without the console, which nobody asks for here."""
    config = GatewayConfig(
        address=free_address(),
        auth_jwks_file=backends.jwks_file,
        shutdown_seconds=4.0,
        console=False,
        **settings,
    )
    async with serving(config, contract_services(), clock=clock) as front:
        yield front.client
