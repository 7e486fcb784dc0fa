"""What gating listens to: event, how it is read, what happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chassis.envelope import Order
from chassis.erasure import Eraser, wish_of
from chassis.inbox import Subscription, on
from parley.messaging.v1 import events_pb2 as messaging
from parley.messaging.v1.erasure_pb2 import ErasureRequested
from parley.offers.v1 import events_pb2 as offers
from parley.orders.v1 import events_pb2 as orders
from services.gating.app.reactions import Reactions
from services.gating.wire.facts import listing_fact, offer_fact, order_fact
from services.gating.wire.stories import decline_content, inquiry_content, message_content, order_content


def subscriptions(reactions: Reactions, eraser: Eraser) -> Mapping[str, Sequence[Subscription]]:
    """Reactions by producer."""
    return {
        "offers": (
            on(offers.ListingCreated, listing_fact, reactions.listing_changed, order=Order.LATEST),
            on(offers.ListingUpdated, listing_fact, reactions.listing_changed, order=Order.LATEST),
            on(offers.ListingRetired, listing_fact, reactions.listing_changed, order=Order.LATEST),
            on(offers.OfferSent, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferOpened, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferRevised, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferCountered, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferAccepted, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferDeclined, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferWithdrawn, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferExpired, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferRevived, offer_fact, reactions.offer_changed, order=Order.LATEST),
            on(offers.OfferPackageRetired, offer_fact, reactions.offer_changed, order=Order.LATEST),
        ),
        "orders": (
            on(orders.OrderPlaced, order_fact, reactions.order_changed, order=Order.EACH),
            on(orders.OrderConfirmed, order_fact, reactions.order_changed, order=Order.EACH),
            on(orders.OrderCompleted, order_fact, reactions.order_changed, order=Order.EACH),
            on(orders.OrderCancelled, order_fact, reactions.order_changed, order=Order.EACH),
            on(orders.OrderDeclined, order_content, reactions.told, order=Order.EACH),
            on(orders.OrderWithdrawn, order_content, reactions.told, order=Order.EACH),
        ),
        "messaging": (
            on(messaging.ConversationStarted, inquiry_content, reactions.told, order=Order.EACH),
            on(messaging.MessageSent, message_content, reactions.told, order=Order.EACH),
            on(messaging.InquiryDeclined, decline_content, reactions.told, order=Order.EACH),
            on(ErasureRequested, wish_of, eraser.erase, order=Order.EACH),
        ),
    }
