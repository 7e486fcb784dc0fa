"""Reads from the offers service."""

from __future__ import annotations

from typing import Any

from chassis.kernel.refusal import Kind, Refusal
from parley.offers.v1.offers_service_pb2 import GetListingRequest
from parley.offers.v1.offers_service_pb2_grpc import OffersServiceStub
from services.gating.domain.catalogue import Listing
from services.gating.wire.facts import listing_of, version_of


class OffersClient:
    """The owner of the listings."""

    def __init__(self, channel: Any) -> None:
        self._stub: Any = OffersServiceStub(channel)

    async def listing(self, name: str) -> Listing | None:
        """The listing as its owner has it; None when there is none. Refusal UNAVAILABLE without answer."""
        try:
            response = await self._stub.GetListing(GetListingRequest(name=name))
        except Refusal as refusal:
            if refusal.kind is Kind.NOT_FOUND:
                return None
            raise
        return listing_of(response.listing, version=version_of(response.listing.etag))
