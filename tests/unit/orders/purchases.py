"""Orders, payments and facts in every shape, for the tests of the domain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from services.orders.domain import fulfilment, negotiation, placement
from services.orders.domain import order as orders
from services.orders.domain import payment as payments
from services.orders.domain.commerce import LineItem, PaymentMethod
from services.orders.domain.gate import GateDecision, Outcome
from services.orders.domain.listing import Listing, ListingIntake, Package
from services.orders.domain.order import DeclineReason, Order, State
from services.orders.domain.payment import Payment
from services.orders.domain.quotes import Acceptance, OfferFact, OfferState
from services.orders.domain.work import CancelReason

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PATIENCE = timedelta(days=3)
SELLER, BUYER = "sellers/acme", "users/ana"
LISTING = f"{SELLER}/listings/logo"
PACKAGE = f"{LISTING}/packages/basic"
ORDER_ID = "0198a000-0000-7000-8000-000000000001"
OFFER = "offers/0198a000-0000-7000-8000-000000000009"
PAYMENT_ID = "0198a000-0000-7000-8000-000000000007"


def eur(amount: int) -> Money:
    return Money("EUR", amount)


def listing(intake: ListingIntake = ListingIntake.INSTANT, *, price: int = 10_000, **changes: Any) -> Listing:
    package = Package(PACKAGE, "Basic", eur(price), 7, None)
    return replace(Listing(LISTING, 1, "Logo", intake, True, (package,)), **changes)


def wish(**changes: Any) -> placement.PlaceOrder:
    plain = placement.PlaceOrder(package=PACKAGE, quantity=1, payment_method=PaymentMethod.OFFLINE)
    return replace(plain, **changes)


def decision(outcome: Outcome = Outcome.ALLOWED, **changes: Any) -> GateDecision:
    plain = GateDecision(
        package=PACKAGE,
        buyer=BUYER,
        outcome=outcome,
        reason="SWITCHED_OFF",
        explanation="The gate is switched off.",
        evaluate_time=NOW,
        local_time="2026-06-01T14:00:00+02:00",
        time_zone="Europe/Berlin",
        settings_version=3,
        matched_window="",
        next_change_time=None,
        offer="",
        unavailable_until=None,
    )
    return replace(plain, **changes)


def placed(
    intake: ListingIntake = ListingIntake.BY_QUOTE,
    *,
    method: PaymentMethod = PaymentMethod.OFFLINE,
    price: int = 10_000,
) -> Order:
    token = "sandbox_success" if method is PaymentMethod.ONLINE else ""
    order, _ = placement.place(
        wish(payment_method=method, payment_token=token),
        listing(intake, price=price),
        listing(intake, price=price).packages[0],
        order_id=ORDER_ID,
        buyer=BUYER,
        decision=decision() if intake is ListingIntake.INSTANT else None,
        now=NOW,
    )
    return order


def in_state(state: State, *, method: PaymentMethod = PaymentMethod.OFFLINE) -> Order:
    """A by-quote order that got there by its moves."""
    pending = placed(method=method)
    match state:
        case State.PENDING:
            return pending
        case State.PROCESSING:
            return orders.mark_processing(pending, actor=Actor.SELLER, now=NOW)[0]
        case State.AWAITING_ANSWER:
            return negotiation.apply_quote(pending, fact(), at=NOW, now=NOW)[0]
        case State.CONFIRMED:
            return orders.confirm(pending, actor=Actor.SELLER, now=NOW)[0]
        case State.DECLINED:
            return orders.decline(pending, actor=Actor.SELLER, reason=DeclineReason.PRICE, text="", now=NOW)[
                0
            ]
        case State.WITHDRAWN:
            return orders.withdraw(pending, actor=Actor.BUYER, now=NOW)[0]
        case State.IN_PROGRESS | State.DELIVERED | State.COMPLETED | State.CANCELLED:
            return after_confirmation(state, orders.confirm(pending, actor=Actor.SELLER, now=NOW)[0])


def after_confirmation(state: State, confirmed: Order) -> Order:
    """The confirmed order, carried on to `state`."""
    if state is State.CANCELLED:
        return fulfilment.cancel(
            confirmed, None, actor=Actor.BUYER, reason=CancelReason.NOT_NEEDED, text="", now=NOW
        )[0]
    begun, _ = fulfilment.start(confirmed, actor=Actor.SELLER, now=NOW)
    if state is State.IN_PROGRESS:
        return begun
    delivered, _ = fulfilment.deliver(begun, actor=Actor.SELLER, text="", now=NOW, patience=PATIENCE)
    if state is State.DELIVERED:
        return delivered
    return fulfilment.complete(delivered, actor=Actor.BUYER, now=NOW)[0]


def fact(
    state: OfferState = OfferState.OPEN,
    *,
    offer: str = OFFER,
    version: int = 1,
    amount: int = 25_000,
    **changes: Any,
) -> OfferFact:
    """A quote for the order; `creates_order=True, order=""` makes it an offer that makes one."""
    accepted = state is OfferState.ACCEPTED
    plain = OfferFact(
        offer=offer,
        version=version,
        seller=SELLER,
        buyer=BUYER,
        order=f"orders/{ORDER_ID}",
        order_request="",
        conversation="",
        creates_order=False,
        state=state,
        line_items=(LineItem("Logo and letterhead", 1, eur(amount)),),
        total=eur(amount),
        package="",
        start_time=None,
        delivery_days=10,
        payment_method=PaymentMethod.OFFLINE,
        plan=None,
        acceptance=Acceptance(NOW, "", False) if accepted else None,
    )
    return replace(plain, **changes)


def paying(token: str = "sandbox_success") -> tuple[Order, Payment]:
    """A confirmed order that is paid online, and its payment before the first attempt."""
    order = replace(in_state(State.CONFIRMED, method=PaymentMethod.ONLINE), payment_token=token)
    payment = payments.due(order, payment_id=PAYMENT_ID, provider="sandbox", now=NOW)
    assert payment is not None
    return order, payment
