"""What the facts about offers do to orders: an accepted offer makes one, a quote changes the price of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from chassis.kernel.machine import Actor
from services.orders.domain import quotes
from services.orders.domain.commerce import Address, PaymentMethod
from services.orders.domain.events import OrderPlaced, OrderQuoteAnswered, OrderQuoteSent
from services.orders.domain.listing import ListingKind
from services.orders.domain.order import (
    UNDECIDED,
    Intake,
    Order,
    PaymentState,
    State,
    moved,
    next_version,
    with_confirmation,
)
from services.orders.domain.quotes import OfferFact, OfferState, Quote

QuoteEvent = OrderQuoteSent | OrderQuoteAnswered

_BUYERS_ANSWERS: Final = (OfferState.ACCEPTED, OfferState.DECLINED)


def from_offer(
    fact: OfferFact,
    *,
    now: datetime,
    kind: ListingKind = ListingKind.SERVICE,
    billing_address: Address | None = None,
    delivery_address: Address | None = None,
) -> tuple[Order, OrderPlaced]:
    """The order that an accepted offer makes, under the id of the offer; ValueError for any other fact.
    `kind` is that of the package that was offered.
    """
    if fact.acceptance is None or not fact.creates_order:
        raise ValueError(f"{fact.offer} does not make an order")
    accepted = fact.acceptance
    order = Order(
        id=fact.offer.removeprefix("offers/"),
        version=1,
        seller=fact.seller,
        buyer=fact.buyer,
        package=fact.package,
        intake=Intake.OFFER,
        kind=kind,
        state=State.CONFIRMED,
        line_items=fact.line_items,
        total=fact.total,
        plan=fact.plan,
        payment_method=fact.payment_method,
        payment_token=_means(fact),
        payment_state=PaymentState.NOT_DUE,
        delivery_days=fact.delivery_days,
        create_time=accepted.accept_time,
        update_time=now,
        start_time=fact.start_time,
        offer=fact.offer,
        order_request=fact.order_request,
        origin_conversation=fact.conversation,
        billing_address=billing_address,
        delivery_address=delivery_address,
        unread=1,
    )
    order = with_confirmation(order, at=accepted.accept_time)
    return order, OrderPlaced(order)


def apply_quote(
    order: Order, fact: OfferFact, *, at: datetime, now: datetime
) -> tuple[Order, QuoteEvent | None]:
    """The order after a fact about a quote for it that happened `at`, whatever came before it.

    Without an event at most the bookkeeping (`quotes`) changed, and the version did not.
    """
    if not quotes.is_news(order.quotes, fact):
        return order, None
    before = quotes.known(order.quotes, fact.offer)
    order = replace(order, quotes=quotes.noted(order.quotes, fact, at=at))
    overtaken = quotes.is_overtaken(order.quotes, fact.offer, at=at)
    if order.state not in UNDECIDED:
        # Too late: the decision stands, and the offers service withdraws what is still open.
        return order, None
    if fact.state is OfferState.ACCEPTED:
        if quotes.is_price_overtaken(order.quotes, fact.offer, at=at):
            return order, None
        order = _with_terms(order, fact)
        if overtaken:
            # A newer quote is out already: this price was agreed, and the order goes on waiting for that one.
            changed = next_version(order, now)
            return changed, OrderQuoteAnswered(changed)
    elif overtaken:
        return order, None
    if fact.state is OfferState.OPEN:
        return _sent(order, fact, now=now)
    return _answered(order, fact, before=before, now=now)


def _sent(order: Order, fact: OfferFact, *, now: datetime) -> tuple[Order, OrderQuoteSent | None]:
    if order.state is State.AWAITING_ANSWER and order.offer == fact.offer:
        return order, None
    state = moved(order, "quoteSent", Actor.SERVICE)
    changed = replace(next_version(order, now), state=state, offer=fact.offer, unread=0, buyer_unread=1)
    return changed, OrderQuoteSent(changed)


def _answered(
    order: Order, fact: OfferFact, *, before: Quote | None, now: datetime
) -> tuple[Order, OrderQuoteAnswered | None]:
    """The order waits for the seller, with something unread: an answer, or a new wish after it."""
    # The newest quote stands for all that the buyer has not read; his answer shows that he has.
    buyer_unread = 0 if fact.state in _BUYERS_ANSWERS else 1
    if before is None:
        # The sending was not seen, and would have reset `unread`: the result is the same in every order.
        unread = 1
    elif before.state is OfferState.OPEN:
        unread = order.unread + 1
    else:
        # Something more about a quote that ended: it is unread, but no second answer.
        unread, buyer_unread = max(order.unread, 1), order.buyer_unread
    state = moved(order, "quoteAnswered", Actor.SERVICE)
    if (state, fact.offer, unread) == (order.state, order.offer, order.unread) and before is not None:
        return order, None
    changed = replace(
        next_version(order, now),
        state=state,
        offer=fact.offer,
        unread=unread,
        buyer_unread=buyer_unread,
    )
    return changed, OrderQuoteAnswered(changed)


def _with_terms(order: Order, fact: OfferFact) -> Order:
    return replace(
        order,
        line_items=fact.line_items,
        total=fact.total,
        plan=fact.plan,
        delivery_days=fact.delivery_days,
        start_time=fact.start_time or order.start_time,
        payment_method=fact.payment_method,
        payment_token=_means(fact, order.payment_token),
        quote_accepted=True,
    )


def _means(fact: OfferFact, before: str = "") -> str:
    if fact.payment_method is PaymentMethod.OFFLINE:
        return ""
    given = fact.acceptance.payment_token if fact.acceptance is not None else ""
    return given or before
