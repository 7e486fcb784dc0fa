"""The offers service, asked with the identity of this service."""

from __future__ import annotations

import grpc

from chassis.kernel.refusal import Kind, Refusal
from parley.offers.v1 import offers_service_pb2, offers_service_pb2_grpc
from services.orders.domain.commerce import Address
from services.orders.domain.listing import Listing
from services.orders.wire import values


class OffersClient:
    """Implements the port `Offers`, and reads listings for the catalog."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = offers_service_pb2_grpc.OffersServiceStub(channel)

    async def addresses(self, offer: str) -> tuple[Address | None, Address | None]:
        """Where the bill and the delivery of an accepted offer go."""
        response = await self._stub.GetOffer(offers_service_pb2.GetOfferRequest(name=offer))
        acceptance = response.offer.acceptance
        return (
            values.address(acceptance, "billing_address"),
            values.address(acceptance, "delivery_address"),
        )

    async def listing(self, name: str) -> Listing | None:
        """A published listing; None where there is none."""
        try:
            response = await self._stub.GetListing(offers_service_pb2.GetListingRequest(name=name))
        except Refusal as refusal:
            if refusal.kind is Kind.NOT_FOUND:
                return None
            raise
        return values.listing(response.listing)
