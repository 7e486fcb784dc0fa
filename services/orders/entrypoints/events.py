"""Which events of which service lead to which reaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from chassis.envelope import Order
from chassis.erasure import Eraser, wish_of
from chassis.inbox import Subscription, on
from parley.gating.v1 import events_pb2 as gating
from parley.messaging.v1 import events_pb2 as messaging
from parley.messaging.v1.erasure_pb2 import ErasureRequested
from parley.offers.v1 import events_pb2 as offers
from services.orders.app.account_reactions import AccountReactions
from services.orders.app.ports import Listings
from services.orders.app.reactions import Reactions
from services.orders.wire.events import acceptance_fact, listing_fact, message_fact, offer_fact, zone_fact

LISTING_SUBJECTS = "parley.offers.v1.listing.>"


def subscriptions(
    reactions: Reactions, accounts: AccountReactions, eraser: Eraser
) -> Mapping[str, Sequence[Subscription]]:
    """By producer. Facts about offers come EACH, because the order itself knows which of them are news."""
    return {
        "offers": (
            on(offers.ListingCreated, listing_fact, reactions.listing_changed, order=Order.LATEST),
            on(offers.ListingUpdated, listing_fact, reactions.listing_changed, order=Order.LATEST),
            on(offers.ListingRetired, listing_fact, reactions.listing_changed, order=Order.LATEST),
            on(offers.OfferAccepted, acceptance_fact, reactions.offer_accepted, order=Order.EACH),
            on(offers.OfferSent, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferOpened, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferRevised, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferCountered, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferRevived, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferDeclined, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferWithdrawn, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferExpired, offer_fact, reactions.quote_changed, order=Order.EACH),
            on(offers.OfferNewQuoteRequested, offer_fact, reactions.quote_changed, order=Order.EACH),
        ),
        "gating": (on(gating.OrderSettingsSaved, zone_fact, accounts.zone_changed, order=Order.LATEST),),
        "messaging": (
            on(messaging.MessageSent, message_fact, reactions.message_sent, order=Order.EACH),
            on(ErasureRequested, wish_of, eraser.erase, order=Order.EACH),
        ),
    }


def broadcasts(listings: Listings) -> Mapping[str, Callable[[str, bytes], Awaitable[None]]]:
    """Every replica hears of a changed listing, whichever of them consumes the event."""

    async def refresh(_subject: str, body: bytes) -> None:
        # All events of a listing have the same fields.
        listings.remember(listing_fact(offers.ListingUpdated.FromString(body)))

    return {LISTING_SUBJECTS: refresh}
