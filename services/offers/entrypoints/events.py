"""Which events of others offers listens to, and what each of them does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.erasure import Eraser, wish_of
from chassis.inbox import Subscription, on
from parley.gating.v1 import events_pb2 as gating
from parley.messaging.v1.erasure_pb2 import ErasureRequested
from parley.orders.v1 import events_pb2 as orders
from services.offers.app.reactions import Reactions
from services.offers.wire.events import order_ended_fact, request_ended_fact


def subscriptions(reactions: Reactions, eraser: Eraser) -> Mapping[str, Sequence[Subscription]]:
    """By producer. Most of them end what an open offer answers, so the order does not matter."""
    return {
        "gating": (
            on(gating.OrderRequestDeclined, request_ended_fact, reactions.origin_ended),
            on(gating.OrderRequestWithdrawn, request_ended_fact, reactions.origin_ended),
            on(gating.OrderRequestExpired, request_ended_fact, reactions.request_expired),
            on(gating.OrderRequestClosed, request_ended_fact, reactions.origin_ended),
        ),
        "orders": (
            on(orders.OrderDeclined, order_ended_fact, reactions.origin_ended),
            on(orders.OrderWithdrawn, order_ended_fact, reactions.origin_ended),
            # A confirmed order has its price; a quote that crossed the confirmation must not change it.
            on(orders.OrderConfirmed, order_ended_fact, reactions.origin_ended),
        ),
        "messaging": (on(ErasureRequested, wish_of, eraser.erase),),
    }
