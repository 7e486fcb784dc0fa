"""The clients of gating and offers against real gRPC servers, and a service whose peers are away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest

from chassis import status
from chassis.config import Address
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind, not_found
from chassis.testing.service import Backends, refused, running
from parley.gating.v1 import gate_decision_pb2, gating_service_pb2, gating_service_pb2_grpc
from parley.offers.v1 import listing_pb2, offer_pb2, offers_service_pb2, offers_service_pb2_grpc
from parley.orders.v1 import order_pb2
from parley.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from parley.type.v1 import commerce_pb2
from services.orders.__main__ import DEFINITION
from tests.component.orders.market import (
    ANA,
    FakeGate,
    FakeOffers,
    Market,
    accepted,
    euro,
    fresh_id,
    place_request,
)
from tests.unit.orders.purchases import BUYER, LISTING, PACKAGE

Decision = gate_decision_pb2.GateDecision


class Peers(gating_service_pb2_grpc.GatingServiceServicer, offers_service_pb2_grpc.OffersServiceServicer):
    """Both peers on one port; they note who calls."""

    def __init__(self) -> None:
        self.callers: list[str] = []
        self.decision = Decision(
            package=PACKAGE,
            buyer=BUYER,
            outcome=Decision.OUTCOME_ALLOWED,
            reason=Decision.REASON_OPEN_OFFER,
            offer="offers/o1",
            settings_version=4,
        )

    async def EvaluateGate(self, request: Any, context: Any) -> Any:
        self.callers.append(dict(context.invocation_metadata())["authorization"])
        assert (request.package, request.buyer) == (PACKAGE, BUYER)
        return gating_service_pb2.EvaluateGateResponse(decision=self.decision)

    async def GetListing(self, request: Any, context: Any) -> Any:
        if request.name != LISTING:
            failure = status.refused(not_found(request.name), "offers")
            await context.abort(failure.code, failure.message, failure.trailing_metadata)
        package = listing_pb2.Package(package_id="basic", title="Basic", price=euro(100), delivery_days=7)
        package.plan.CopyFrom(
            commerce_pb2.Plan(price=euro(5), interval=commerce_pb2.Plan.INTERVAL_MONTH, interval_count=1)
        )
        listing = listing_pb2.Listing(
            name=LISTING,
            title="Logo",
            intake=listing_pb2.Listing.INTAKE_INSTANT,
            published=True,
            packages=[package],
            etag="v3",
        )
        return offers_service_pb2.GetListingResponse(listing=listing)

    async def GetOffer(self, request: Any, context: Any) -> Any:
        address = commerce_pb2.Address(
            recipient="Ana", address_lines=["Main Street 1"], locality="Berlin", region_code="DE"
        )
        acceptance = offer_pb2.Acceptance(delivery_address=address)
        return offers_service_pb2.GetOfferResponse(
            offer=offer_pb2.Offer(name=request.name, acceptance=acceptance)
        )


@pytest.fixture
async def peers() -> AsyncIterator[tuple[Peers, Address, grpc.aio.Server]]:
    # What is not asked here stays unimplemented.
    servicer, server = Peers(), grpc.aio.server()  # type: ignore[abstract]
    gating_service_pb2_grpc.add_GatingServiceServicer_to_server(servicer, server)
    offers_service_pb2_grpc.add_OffersServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, Address("127.0.0.1", port), server
    await server.stop(None)


@pytest.mark.covers("G12")
async def test_the_peers_are_asked_in_the_name_of_the_service(
    backends: Backends, clock: ManualClock, peers: tuple[Peers, Address, grpc.aio.Server]
) -> None:
    servicer, address, server = peers
    async with running(
        DEFINITION, backends, clock=clock, gating_target=address, offers_target=address
    ) as service:
        stub: Any = OrdersServiceStub(service.channel(ANA))
        order = (await stub.PlaceOrder(place_request())).order
        assert order.state == order_pb2.Order.STATE_CONFIRMED
        assert order.gate_decision == servicer.decision
        assert order.plan.interval == commerce_pb2.Plan.INTERVAL_MONTH
        identity = service.host.verifier.verify(servicer.callers[0].removeprefix("Bearer "))
        assert (identity.user, identity.is_service) == ("services/orders", True)

        market = Market(service, FakeGate(), FakeOffers())
        number = fresh_id()
        await market.publish_and_settle(accepted(f"offers/{number}", has_addresses=True), version=2)
        made = await market.get(f"orders/{number}", ANA)
        assert made.delivery_address.locality == "Berlin"
        assert not made.HasField("billing_address")

        refusal = await refused(
            stub.PlaceOrder(place_request(package="sellers/acme/listings/x/packages/basic"))
        )
        assert refusal.kind is Kind.NOT_FOUND

        servicer.decision.outcome = Decision.OUTCOME_REQUEST_REQUIRED
        refusal = await refused(stub.PlaceOrder(place_request()))
        assert (refusal.reason, refusal.metadata["settings_version"]) == ("ORDER_REQUEST_REQUIRED", "4")

        await server.stop(None)
        refusal = await refused(stub.PlaceOrder(place_request()))
        assert (refusal.kind, refusal.metadata) == (Kind.UNAVAILABLE, {"peer": "gating"})
        assert (await market.counts())["orders"] == 2


async def test_with_both_peers_away_nothing_is_sold(backends: Backends, clock: ManualClock) -> None:
    async with running(replace(DEFINITION), backends, clock=clock) as service:
        market = Market(service, FakeGate(), FakeOffers())
        refusal = await refused(market.stub().PlaceOrder(place_request()))
        assert (refusal.kind, refusal.reason) == (Kind.UNAVAILABLE, "PEER_UNAVAILABLE")
        assert set((await market.counts()).values()) == {0}
