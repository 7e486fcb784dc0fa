"""Which events of the others reach which timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.inbox import Subscription, on
from services.messaging.app.reactions import Reactions
from services.messaging.wire import reports
from services.messaging.wire.subscriptions import SUBSCRIPTION_EVENTS, subscription_report


def subscriptions(reactions: Reactions) -> Mapping[str, Sequence[Subscription]]:
    """Per producer: each event, once, in whatever order it arrives (the timeline sorts by time)."""
    return {
        "gating": [on(event, reports.request_report, reactions.note) for event in reports.REQUEST_EVENTS],
        "offers": [on(event, reports.offer_report, reactions.note) for event in reports.OFFER_EVENTS],
        "orders": [
            *(on(event, reports.order_report, reactions.note) for event in reports.ORDER_EVENTS),
            *(on(event, subscription_report, reactions.note) for event in SUBSCRIPTION_EVENTS),
        ],
    }
