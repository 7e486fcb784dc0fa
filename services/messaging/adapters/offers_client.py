"""The offers service, asked in the name of a buyer who proved his will by the link of a mail."""

from __future__ import annotations

from functools import partial
from typing import Any

from chassis.client import in_time
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offers_service_pb2_grpc import OffersServiceStub
from services.messaging.app.magic_link_ports import Consent, OfferNow
from services.messaging.wire.magic_links import offer_now, wire_address


class OffersClient:
    """Implements the port `Offers`. Nothing is dialled before the first call."""

    def __init__(self, channel: Any) -> None:
        self._stub: Any = OffersServiceStub(channel)
        self._asked: Any = partial(in_time, "offers")

    async def look(self, offer: str, *, buyer: str) -> OfferNow:
        """What can be done about it."""
        answer = await self._asked(self._stub.GetOffer(pb.GetOfferRequest(name=offer), acting_for=buyer))
        return offer_now(answer.offer)

    async def accept(self, offer: str, *, buyer: str, revision: int, consent: Consent, key: str) -> str:
        """Accepts a revision; the order."""
        request = pb.AcceptOfferRequest(
            name=offer,
            revision=revision,
            payment_token=consent.payment_token,
            billing_address=wire_address(consent.billing_address),
            delivery_address=wire_address(consent.delivery_address),
            request_id=key,
        )
        return str((await self._asked(self._stub.AcceptOffer(request, acting_for=buyer))).order)

    async def decline(self, offer: str, *, buyer: str, revision: int, key: str) -> None:
        """Declines a revision."""
        request = pb.DeclineOfferRequest(name=offer, revision=revision, request_id=key)
        await self._asked(self._stub.DeclineOffer(request, acting_for=buyer))
