"""Which events of the others reach which timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.inbox import Subscription, on
from services.messaging import wire
from services.messaging.app.reactions import Reactions
from services.messaging.wire.subscriptions import SUBSCRIPTION_EVENTS, subscription_report


def subscriptions(reactions: Reactions) -> Mapping[str, Sequence[Subscription]]:
    """Per producer: each event, once, in whatever order it arrives (the timeline sorts by time)."""
    return {
        "gating": [on(event, wire.request_report, reactions.note) for event in wire.REQUEST_EVENTS],
        "offers": [on(event, wire.offer_report, reactions.note) for event in wire.OFFER_EVENTS],
        "orders": [
            *(on(event, wire.order_report, reactions.note) for event in wire.ORDER_EVENTS),
            *(on(event, subscription_report, reactions.note) for event in SUBSCRIPTION_EVENTS),
        ],
    }
