"""What gating keeps of the facts of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.db import Transaction
from services.gating.domain.buyer_history import ConfirmedOrders
from services.gating.domain.catalogue import Listing
from services.gating.domain.facts import Fact
from services.gating.domain.gate import BuyerFacts
from services.gating.domain.request_offers import OfferFact


@dataclass(frozen=True, slots=True)
class OrderFact:
    """What the orders service said of an order at a version. `place_time` only where the placement was told,
    `confirm_time` None before it was confirmed, `close_time` where it is not open. `intake` as
    `parley.orders.v1` names it, without prefix; empty where it says nothing known.
    """

    name: str
    version: int
    seller: str
    buyer: str
    package: str
    intake: str
    place_time: datetime | None
    confirm_time: datetime | None
    is_open: bool
    close_time: datetime | None = None


class Projections(Protocol):
    """What gating keeps of the facts of others."""

    async def listing(self, tx: Transaction, name: str) -> Listing | None:
        """A listing, published or not; None when nothing is known of it."""
        ...

    async def store_listing(self, tx: Transaction, listing: Listing) -> None:
        """Keeps a listing unless a newer version is kept."""
        ...

    async def buyer_facts(self, tx: Transaction, buyer: str, seller: str) -> BuyerFacts:
        """What is known of a buyer towards a seller."""
        ...

    async def store_offer(self, tx: Transaction, offer: OfferFact, *, time: datetime) -> None:
        """Keeps the facts of an offer, which hold since `time`, unless newer ones are kept."""
        ...

    async def offers_for(self, tx: Transaction, order_request: str) -> Sequence[OfferFact]:
        """Every offer that answers a request."""
        ...

    async def store_order(self, tx: Transaction, order: OrderFact, fact: Fact) -> bool:
        """Keeps what is known of an order, in whatever order the facts come, and the fact that told it, by
        one statement; answers whether anything about the order was news.
        """
        ...

    async def open_orders(self, tx: Transaction, seller: str) -> int:
        """How many orders of a seller are open."""
        ...

    async def confirmed_orders(self, tx: Transaction, buyer: str, seller: str) -> ConfirmedOrders:
        """How many orders of a buyer a seller has had confirmed, and since when."""
        ...


class ListingSource(Protocol):
    """The service that owns the listings."""

    async def listing(self, name: str) -> Listing | None:
        """The listing as its owner has it; None when there is none. Refusal UNAVAILABLE without answer."""
        ...
