"""What gating does about the facts of others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from chassis.db import Database, Transaction
from chassis.envelope import Delivery
from chassis.kernel.clock import Clock
from services.gating.app.gate import Gate
from services.gating.app.order_requests import id_of, save_moved
from services.gating.app.ports import OrderFact, OrderRequests, Projections, Record
from services.gating.domain import request_offers
from services.gating.domain.catalogue import Listing
from services.gating.domain.facts import Content, Fact
from services.gating.domain.order_request import OPEN_STATES, OrderRequest
from services.gating.domain.request_offers import OfferFact

PLACED_VERSION: Final = 1
"""The version that an order has when it comes into existence: its event's time is that of the placement."""


@dataclass(frozen=True, slots=True)
class ToldOrder:
    """What an event of an order tells: to the gate, and for the figures."""

    order: OrderFact
    content: Content


class Reactions:
    """One method for each kind of fact."""

    def __init__(
        self,
        database: Database,
        *,
        projections: Projections,
        requests: OrderRequests,
        record: Record,
        gate: Gate,
        clock: Clock,
    ) -> None:
        self._database = database
        self._projections = projections
        self._requests = requests
        self._record = record
        self._gate = gate
        self._clock = clock

    async def listing_changed(self, delivery: Delivery, listing: Listing) -> None:
        """Keeps the newest version of a listing."""
        await self._database.react(delivery, lambda tx: self._projections.store_listing(tx, listing))
        self._gate.rules_changed(listing.name)

    async def offer_changed(self, delivery: Delivery, offer: OfferFact) -> None:
        """Keeps the newest facts of an offer, and lets the request that it answers follow."""

        async def work(tx: Transaction) -> None:
            if not offer.order_request:
                await self._projections.store_offer(tx, offer, time=delivery.time)
                return
            # The request's lock comes first: two offers of one request that change together take turns here,
            # and the second one sees what the first one stored.
            request = await self._requests.find(tx, id_of(offer.order_request), lock=True)
            await self._projections.store_offer(tx, offer, time=delivery.time)
            if request is None or (request.buyer, request.seller) != (offer.buyer, offer.seller):
                return
            offers = await self._projections.offers_for(tx, offer.order_request)
            moved = request_offers.follow_offers(
                request, offers, answered=delivery.time, now=self._clock.now()
            )
            if moved is not None and not await self._is_replaced(tx, request, moved[0]):
                await save_moved(tx, self._requests, moved)

        await self._database.react(delivery, work)
        self._gate.buyer_changed(offer.buyer, offer.seller)

    async def _is_replaced(self, tx: Transaction, before: OrderRequest, after: OrderRequest) -> bool:
        """Whether an expired request would open again beside one that the buyer sent meanwhile."""
        if before.state in OPEN_STATES or after.state not in OPEN_STATES:
            return False
        return await self._requests.find_open(tx, before.buyer, before.package) is not None

    async def order_changed(self, delivery: Delivery, told: ToldOrder) -> None:
        """Keeps who placed what when, who has a confirmed order with whom, and which orders are open."""
        order = replace(
            told.order,
            place_time=delivery.time if told.order.version == PLACED_VERSION else None,
            close_time=None if told.order.is_open else delivery.time,
        )
        fact = _fact(delivery, told.content)

        # A row knows its newest version, and a confirmation is the same fact in every later event.
        if await self._database.write_together(lambda tx: self._projections.store_order(tx, order, fact)):
            self._gate.orders_changed(order.buyer, order.seller)

    async def told(self, delivery: Delivery, content: Content | None) -> None:
        """Keeps what happened elsewhere, where it touches a figure."""
        if content is not None:
            fact = _fact(delivery, content)
            await self._database.write_once(lambda tx: self._record.keep(tx, fact))


def _fact(delivery: Delivery, content: Content) -> Fact:
    return Fact(delivery.aggregate, delivery.version, delivery.time, content)
