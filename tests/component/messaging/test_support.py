"""What nobody has foreseen: the answer says nothing about its cause, and whom to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from sqlalchemy import text

from chassis.config import Address
from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.status import DETAILS_KEY, unpack
from chassis.testing import Backends, RunningService, running
from parley.messaging.v1 import profile_pb2 as pb
from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub
from services.messaging.__main__ import DEFINITION
from tests.component.messaging.conftest import ANA
from tests.integration.gateway.front import fronted

SERVICES_HELP, GATEWAYS_HELP = "https://help.example/services", "help@market.example"
PROFILE = f"{ANA.subject}/profile"


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
        async with (
            broken() as offers,
            fronted(
                backends,
                clock=clock,
                messaging_target=service.address,
                offers_target=offers,
                support_contact=GATEWAYS_HELP,
            ) as client,
        ):
            client.headers["authorization"] = f"Bearer {service.token(ANA)}"
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
