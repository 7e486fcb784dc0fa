"""What other services say, as far as gating listens."""

from __future__ import annotations

from typing import Any, Final

from chassis.wire import instant, money, optional_instant
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1.listing_pb2 import Listing as WireListing
from parley.offers.v1.offer_pb2 import Offer, OfferRevision
from parley.orders.v1.order_pb2 import Order
from services.gating.app.ports import OrderFact
from services.gating.app.reactions import ToldOrder
from services.gating.domain.catalogue import Intake, Listing, Package
from services.gating.domain.request_offers import OfferFact, OfferState
from services.gating.wire.stories import order_content

_OFFER_STATES: Final = {Offer.State.Value(f"STATE_{state.value}"): state for state in OfferState}
_ORDER_INTAKES: Final = {
    Order.INTAKE_INSTANT: "INSTANT",
    Order.INTAKE_SELLER_REVIEW: "SELLER_REVIEW",
    Order.INTAKE_BY_QUOTE: "BY_QUOTE",
    Order.INTAKE_OFFER: "OFFER",
}
OPEN_STATES: Final = frozenset({Order.STATE_CONFIRMED, Order.STATE_IN_PROGRESS, Order.STATE_DELIVERED})
"""An order in one of these takes up the seller's capacity."""

_INTAKES: Final = {WireListing.Intake.Value(f"INTAKE_{intake.value}"): intake for intake in Intake}


def listing_fact(
    message: offers_events.ListingCreated | offers_events.ListingUpdated | offers_events.ListingRetired,
) -> Listing:
    """A listing after a change."""
    return listing_of(message.listing, version=message.version)


def listing_of(listing: WireListing, *, version: int) -> Listing:
    """A listing. An intake that is not known yet is taken for one that waits for the seller."""
    gone = listing.state == WireListing.STATE_RETIRED
    packages = tuple(
        Package(
            f"{listing.name}/packages/{package.package_id}",
            package.title,
            money(package.price, field="price"),
            package.delivery_days,
            retired=gone or package.HasField("retire_time"),
        )
        for package in (*listing.packages, *listing.retired_packages)
    )
    intake = _INTAKES.get(listing.intake, Intake.SELLER_REVIEW)
    return Listing(listing.name, listing.title, intake, listing.published, packages, version)


def version_of(etag: str) -> int:
    """The version in an etag such as `v3`."""
    return int(etag.removeprefix("v"))


def offer_fact(message: Any) -> OfferFact:
    """An offer after a change; `message` is any of the events that carry OfferFacts."""
    facts: offers_events.OfferFacts = message.offer
    return OfferFact(
        name=facts.name,
        version=facts.version,
        seller=facts.seller,
        buyer=facts.buyer,
        order_request=facts.order_request,
        order=facts.order,
        package=facts.package,
        state=_OFFER_STATES[facts.state],
        by_seller=facts.author == OfferRevision.AUTHOR_SELLER,
        expire_time=optional_instant(facts, "expire_time"),
    )


def order_fact(message: Any) -> ToldOrder:
    """An order after a change; `message` is any of the events that tell whether it is open."""
    facts = message.order
    is_confirmed = facts.state in OPEN_STATES and facts.HasField("confirm_time")
    order = OrderFact(
        name=facts.name,
        version=facts.version,
        seller=facts.seller,
        buyer=facts.buyer,
        package=facts.package,
        intake=_ORDER_INTAKES.get(facts.intake, ""),
        place_time=None,
        confirm_time=instant(facts.confirm_time) if is_confirmed else None,
        is_open=facts.state in OPEN_STATES,
    )
    return ToldOrder(order, order_content(message))
