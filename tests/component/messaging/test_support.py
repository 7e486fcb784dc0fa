"""What nobody has foreseen: the answer says nothing about its cause, and whom to ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from sqlalchemy import text

from chassis.auth import Verifier
from chassis.config import Address
from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.status import DETAILS_KEY, unpack
from chassis.testing import Backends, RunningService, running
from chassis.testing.service import free_address
from gateway.config import GatewayConfig
from gateway.serving import Gateway
from parley.messaging.v1 import messaging_service_pb2
from parley.messaging.v1 import profile_pb2 as pb
from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub
from parley.offers.v1 import offers_service_pb2
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import ANA

SERVICES_HELP, GATEWAYS_HELP = "https://help.example/services", "help@market.example"
PROFILE = f"{ANA.subject}/profile"


@asynccontextmanager
async def browser(
    service: RunningService, offers: Address, backends: Backends, clock: ManualClock
) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP through a real gateway."""
    config = GatewayConfig(
        address=free_address(),
        messaging_target=service.address,
        offers_target=offers,
        auth_jwks_file=backends.jwks_file,
        support_contact=GATEWAYS_HELP,
        shutdown_seconds=4.0,
        console=False,
    )
    verifier = Verifier(
        config.auth_jwks_file, issuer=config.auth_issuer, audience=config.auth_audience, clock=clock
    )
    contract = [
        messaging_service_pb2.DESCRIPTOR.services_by_name["MessagingService"],
        offers_service_pb2.DESCRIPTOR.services_by_name["OffersService"],
    ]
    gateway, stop = Gateway(config, contract, verifier), asyncio.Event()
    serving = asyncio.ensure_future(gateway.serve(stop))
    transport = httpx.AsyncHTTPTransport(retries=8)
    headers = {"authorization": f"Bearer {service.token(ANA)}"}
    async with httpx.AsyncClient(
        base_url=f"http://{config.address}", transport=transport, headers=headers
    ) as client:
        try:
            await client.get("/healthz")
            yield client
        finally:
            stop.set()
            await serving


class Broken(grpc.GenericRpcHandler):
    """Fails in whatever it is asked, as gRPC does by itself: without a reason."""

    def service(self, _details: grpc.HandlerCallDetails) -> Any:
        async def fail(_request: bytes, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNKNOWN, "a secret")

        return grpc.unary_unary_rpc_method_handler(fail)


@asynccontextmanager
async def broken() -> AsyncIterator[Address]:
    """A service that only fails."""
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Broken(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield Address("127.0.0.1", port)
    finally:
        await server.stop(None)


@asynccontextmanager
async def spoilt(service: RunningService) -> AsyncIterator[None]:
    """A database in which a statement fails that nobody expects to. Others use it afterwards."""

    async def rename(old: str, new: str) -> None:
        statement = text(f"ALTER TABLE profile RENAME COLUMN {old} TO {new}")
        await service.host.database.transact(partial(Transaction.execute, statement=statement))

    await rename("phone", "secret_number")
    try:
        yield
    finally:
        await rename("secret_number", "phone")


def told(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    details = unpack(bytes(dict(error.trailing_metadata() or ())[DETAILS_KEY]))
    info = error_details_pb2.ErrorInfo()
    assert details is not None
    assert any(detail.Unpack(info) for detail in details.details)
    return info


@pytest.mark.covers("V40")
async def test_an_unknown_failure_names_a_support_contact(backends: Backends, clock: ManualClock) -> None:
    async with (
        running(DEFINITION, backends, clock=clock, support_contact=SERVICES_HELP) as service,
        spoilt(service),
    ):
        stub: Any = MessagingServiceStub(service.channel(ANA))
        for method, request in (
            ("GetProfile", pb.GetProfileRequest(name=PROFILE)),
            ("UpdateProfile", pb.UpdateProfileRequest(profile=pb.Profile(name=PROFILE, locale="de"))),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await getattr(stub, method)(request)
            assert (caught.value.code(), caught.value.details()) == (
                grpc.StatusCode.INTERNAL,
                "internal error",
            )
            info = told(caught.value)
            assert (info.reason, dict(info.metadata)) == ("INTERNAL", {"support": SERVICES_HELP})
        async with broken() as offers, browser(service, offers, backends, clock) as client:
            answer = await client.get(f"/v1/{PROFILE}")
            problem = answer.json()
            assert (answer.status_code, problem["reason"]) == (500, "INTERNAL")
            assert problem["metadata"] == {"support": SERVICES_HELP}
            assert "phone" not in answer.text
            # Where what stands behind it does not say whom to ask, the gateway does.
            answer = await client.get("/v1/sellers/acme/listings/logo")
            problem = answer.json()
            assert (answer.status_code, problem["reason"]) == (500, "INTERNAL")
            assert problem["metadata"] == {"support": GATEWAYS_HELP}
            assert "secret" not in answer.text
