"""What a seller knows of a buyer from their own dealings; of those with other sellers he learns nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.gating.domain.order_request import State


@dataclass(frozen=True, slots=True)
class EarlierRequests:
    """What a buyer asked a seller before one request: how often in each state, and when first."""

    counts: tuple[tuple[State, int], ...] = ()
    first_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedOrders:
    """A buyer's confirmed orders with a seller."""

    count: int = 0
    first_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class BuyerHistory:
    """A buyer as one seller knows him when he reads a request."""

    confirmed_orders: int
    requests: tuple[tuple[State, int], ...]
    first_seen_time: datetime


def history_of(requests: EarlierRequests, orders: ConfirmedOrders, *, create_time: datetime) -> BuyerHistory:
    """The history beside a request of `create_time`, which is itself the first sign of a new buyer."""
    known = (create_time, requests.first_time, orders.first_time)
    first = min(time for time in known if time is not None)
    return BuyerHistory(orders.count, requests.counts, first)
