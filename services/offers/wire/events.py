"""Events: what offers publishes, and what it makes of the events of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import Message

from chassis.envelope import EventRecord, record_for
from chassis.kernel.ids import Ids
from chassis.wire import optional_timestamp, timestamp, wire_money
from parley.gating.v1 import events_pb2 as gating_events
from parley.gating.v1 import order_request_pb2
from parley.offers.v1 import events_pb2
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1 import order_pb2
from services.offers.app.reactions import OriginEnded
from services.offers.domain import events
from services.offers.domain.chain import Offer
from services.offers.domain.origin import OriginKind, kind_of
from services.offers.wire.listings import wire_listing
from services.offers.wire.offer_resource import wire_author, wire_on_accept, wire_state
from services.offers.wire.values import wire_line_items, wire_payment_method, wire_plan

Event = events.ListingEvent | events.OfferEvent
RequestEnded = (
    gating_events.OrderRequestDeclined
    | gating_events.OrderRequestWithdrawn
    | gating_events.OrderRequestExpired
    | gating_events.OrderRequestClosed
)
OrderEnded = orders_events.OrderDeclined | orders_events.OrderWithdrawn | orders_events.OrderConfirmed


def event_record(event: Event, *, ids: Ids) -> EventRecord:
    """The record of a domain event, for the outbox."""
    if isinstance(event, events.ListingEvent):
        listing = event.listing
        return record_for(
            _listing_message(event),
            aggregate=listing.name,
            version=listing.version,
            ids=ids,
            time=listing.update_time,
        )
    offer = event.offer
    return record_for(
        _offer_message(event), aggregate=offer.name, version=offer.version, ids=ids, time=offer.update_time
    )


def request_ended_fact(message: RequestEnded) -> OriginEnded:
    """An order request that takes no offers any more."""
    state = order_request_pb2.OrderRequest.State.Name(message.order_request.state)
    return OriginEnded(message.order_request.name, state.removeprefix("STATE_"))


def order_ended_fact(message: OrderEnded) -> OriginEnded:
    """An order that takes no quotes any more."""
    state = order_pb2.Order.State.Name(message.order.state)
    return OriginEnded(message.order.name, state.removeprefix("STATE_"))


def _listing_message(event: events.ListingEvent) -> Message:
    listing = event.listing
    message = wire_listing(listing)
    if isinstance(event, events.ListingCreated):
        return events_pb2.ListingCreated(listing=message, version=listing.version)
    if isinstance(event, events.ListingRetired):
        return events_pb2.ListingRetired(listing=message, version=listing.version)
    return events_pb2.ListingUpdated(listing=message, version=listing.version)


# Events that say nothing beside the facts.
_PLAIN: Final[Mapping[type[events.OfferEvent], Callable[..., Message]]] = {
    events.OfferSent: events_pb2.OfferSent,
    events.OfferRevised: events_pb2.OfferRevised,
    events.OfferCountered: events_pb2.OfferCountered,
    events.OfferDeclined: events_pb2.OfferDeclined,
    events.OfferWithdrawn: events_pb2.OfferWithdrawn,
    events.OfferExpired: events_pb2.OfferExpired,
    events.OfferRevived: events_pb2.OfferRevived,
    events.OfferNewQuoteRequested: events_pb2.OfferNewQuoteRequested,
    events.OfferPackageRetired: events_pb2.OfferPackageRetired,
}


def _offer_message(event: events.OfferEvent) -> Message:
    facts = _facts(event.offer)
    if isinstance(event, events.OfferAccepted | events.OfferDeclined):
        facts.by_link = event.by_link
    match event:
        case events.OfferOpened():
            opened = optional_timestamp(event.offer.first_open_time)
            return events_pb2.OfferOpened(offer=facts, first_open_time=opened)
        case events.OfferAccepted():
            return _accepted(event.offer, facts)
    return _PLAIN[type(event)](offer=facts)


def _accepted(offer: Offer, facts: events_pb2.OfferFacts) -> events_pb2.OfferAccepted:
    acceptance = offer.acceptance
    assert acceptance is not None
    return events_pb2.OfferAccepted(
        offer=facts,
        accept_time=timestamp(acceptance.accept_time),
        payment_token=acceptance.payment_token,
        has_addresses=bool(acceptance.billing_address or acceptance.delivery_address),
    )


def _facts(offer: Offer) -> events_pb2.OfferFacts:
    """The public facts: no note, no scope, no reason, no address."""
    revision, terms = offer.revision, offer.revision.terms
    kind = kind_of(offer.origin)
    return events_pb2.OfferFacts(
        name=offer.name,
        version=offer.version,
        seller=offer.seller,
        buyer=offer.buyer,
        order_request=offer.origin if kind is OriginKind.ORDER_REQUEST else "",
        order=offer.order,
        conversation=offer.origin if kind is OriginKind.CONVERSATION else "",
        on_accept=wire_on_accept(offer),
        state=wire_state(offer.state),
        revision=revision.number,
        author=wire_author(revision),
        line_items=wire_line_items(terms),
        total=wire_money(revision.total),
        package=terms.package,
        start_time=optional_timestamp(terms.start_time),
        delivery_days=terms.delivery_days,
        expire_time=optional_timestamp(terms.expire_time),
        payment_method=wire_payment_method(terms.payment_method),
        plan=wire_plan(terms.plan),
        automatic=offer.automatic_answer is not None,
    )
