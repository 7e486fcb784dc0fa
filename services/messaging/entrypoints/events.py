"""Which events of the others reach which timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.inbox import Subscription, on
from parley.gating.v1 import erasure_pb2 as gating_erasure
from parley.messaging.v1 import events_pb2
from parley.offers.v1 import erasure_pb2 as offers_erasure
from parley.orders.v1 import erasure_pb2 as orders_erasure
from services.messaging.app.erasures import ErasureSteps
from services.messaging.app.feedback import RatingReactions
from services.messaging.app.outcomes import OutcomeReactions
from services.messaging.app.reactions import Reactions
from services.messaging.wire import feedback, outcomes, reports
from services.messaging.wire.erasures import confirmation_by
from services.messaging.wire.subscriptions import SUBSCRIPTION_EVENTS, subscription_report


def subscriptions(
    reactions: Reactions, observed: OutcomeReactions, rated: RatingReactions, erasures: ErasureSteps
) -> Mapping[str, Sequence[Subscription]]:
    """Per producer: each event, once, in whatever order it arrives (the timeline sorts by time)."""
    return {
        "gating": [
            *(on(event, reports.request_report, reactions.note) for event in reports.REQUEST_EVENTS),
            on(gating_erasure.PersonalDataErased, confirmation_by("gating"), erasures.confirmed),
        ],
        "offers": [
            *(on(event, reports.offer_report, reactions.note) for event in reports.OFFER_EVENTS),
            on(offers_erasure.PersonalDataErased, confirmation_by("offers"), erasures.confirmed),
        ],
        "orders": [
            *(on(event, reports.order_report, reactions.note) for event in reports.ORDER_EVENTS),
            *(on(event, subscription_report, reactions.note) for event in SUBSCRIPTION_EVENTS),
            on(orders_erasure.PersonalDataErased, confirmation_by("orders"), erasures.confirmed),
        ],
        # Our own: what observers may know is fed by events that carry no text, and by nothing else.
        "messaging": [
            on(events_pb2.ConversationStarted, outcomes.observed_inquiry, observed.began),
            on(events_pb2.MessageSent, outcomes.observed_message, observed.contacted),
            on(events_pb2.InquiryDeclined, feedback.decline_facts, observed.declined),
            on(events_pb2.FeedbackLeft, feedback.feedback_fact, rated.note),
        ],
    }
