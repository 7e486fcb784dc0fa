"""A served probe, and the means to call it and to read its refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis import auth
from chassis.auth import Issuer, Verifier
from chassis.config import Address
from chassis.interceptors import Chain, Limit
from chassis.kernel.clock import ManualClock
from chassis.server import Health, Server, make_server
from tests.integration.chassis.probe import (
    Probe,
    ProbeStub,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
SECONDS = 20


@dataclass
class Stage:
    """A served probe, and the means to call it."""

    probe: Probe
    stub: Any
    issuer: Issuer
    chain: Chain
    server: Server
    health: Health
    channel: grpc.aio.Channel
    problems: dict[str, str]

    def as_(self, user: str, *roles: str) -> dict[str, Any]:
        token = self.issuer.token(user, roles, timedelta(hours=1))
        return {"metadata": (("authorization", f"Bearer {token}"),), "timeout": SECONDS}

    @property
    def buyer(self) -> dict[str, Any]:
        return self.as_("users/ana", "buyer")

    @property
    def owner(self) -> dict[str, Any]:
        return self.as_("users/eve", "seller:acme:owner")


@asynccontextmanager
async def staged(tmp_path: Path) -> AsyncIterator[Stage]:
    clock = ManualClock()
    jwks = tmp_path / "jwks.json"
    auth.write_jwks(jwks, [("k", KEY.public_key())])
    verifier = Verifier(jwks, issuer="parley", audience="parley", clock=clock)
    chain = Chain("probe", verifier, calls=Limit("concurrent_calls", 3), streams=Limit("open_streams", 2))
    problems: dict[str, str] = {"database": ""}

    async def database() -> str:
        return problems["database"]

    health, probe = Health("probe", {"database": database}), Probe()
    server = make_server(chain, Address("127.0.0.1", 0), probe.register, health)
    await health.refresh()
    await server.grpc_server.start()
    channel = grpc.aio.insecure_channel(str(server.address))
    issuer = Issuer(KEY, "k", issuer="parley", audience="parley", clock=clock)
    try:
        yield Stage(probe, ProbeStub(channel), issuer, chain, server, health, channel, problems)
    finally:
        await channel.close()
        await server.grpc_server.stop(0)


async def refused(answer: Any) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo]:
    """The code and the one ErrorInfo of a failed call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    details = dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    status = status_pb2.Status.FromString(details)
    assert status.code == caught.value.code().value[0]
    infos = [box for box in status.details if box.TypeName() == "google.rpc.ErrorInfo"]
    assert len(infos) == 1
    info = error_details_pb2.ErrorInfo()
    infos[0].Unpack(info)
    return caught.value.code(), info


async def reason(answer: Any) -> str:
    return (await refused(answer))[1].reason


async def check(stage: Stage, service: str) -> health_pb2.HealthCheckResponse:
    stub = health_pb2_grpc.HealthStub(stage.channel)
    answer: health_pb2.HealthCheckResponse = await stub.Check(
        health_pb2.HealthCheckRequest(service=service), timeout=SECONDS
    )
    return answer
