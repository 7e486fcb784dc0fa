"""Placing an order: what the buyer asked for, against the listing and the gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chassis.kernel.money import Money
from chassis.kernel.refusal import not_found
from services.orders.domain import refusals
from services.orders.domain.commerce import Address, LineItem, PaymentMethod, total_of
from services.orders.domain.events import OrderPlaced
from services.orders.domain.gate import GateDecision, Outcome
from services.orders.domain.listing import Listing, ListingIntake, Package
from services.orders.domain.option import (
    TITLE_LIMIT_CHARACTERS,
    ChosenOption,
    OptionChoice,
    choose,
    positions,
)
from services.orders.domain.order import Intake, Order, PaymentState, State, with_confirmation

START_HORIZON: Final = timedelta(days=730)
"""How far in the future the agreed start of an order may lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """What the buyer asked for. `expected_total` is the total that was seen, if any."""

    package: str
    quantity: int
    payment_method: PaymentMethod
    payment_token: str = ""
    expected_total: Money | None = None
    start_time: datetime | None = None
    requirements: str = ""
    billing_address: Address | None = None
    delivery_address: Address | None = None
    options: tuple[OptionChoice, ...] = ()


def check(
    wish: PlaceOrder, listing: Listing | None, *, in_team: bool, now: datetime
) -> tuple[Listing, Package]:
    """The listing and package that are bought; refuses everything that can be refused without the gate."""
    package = listing.package(wish.package) if listing is not None else None
    if listing is None or package is None or not listing.is_shown:
        raise not_found(wish.package)
    if package.retired:
        raise refusals.package_retired(package.name)
    if in_team:
        raise refusals.own_listing(listing.seller)
    if wish.start_time is not None and not now <= wish.start_time <= now + START_HORIZON:
        raise refusals.time_out_of_range("start_time")
    _, items = _customised(wish, listing, package)
    total = total_of(items)
    charged = total.is_positive or package.plan is not None
    if wish.payment_method is PaymentMethod.ONLINE and charged and not wish.payment_token:
        raise refusals.payment_token_required()
    if wish.expected_total is not None and wish.expected_total != total:
        raise refusals.price_changed(wish.package, wish.expected_total, total)
    return listing, package


def place(
    wish: PlaceOrder,
    listing: Listing,
    package: Package,
    *,
    order_id: str,
    buyer: str,
    decision: GateDecision | None,
    now: datetime,
) -> tuple[Order, OrderPlaced]:
    """The placed order: confirmed at once where the listing sells so and the gate allows it, else pending.

    Refusals UNAVAILABLE and ORDER_REQUEST_REQUIRED. ValueError for an instant order without a decision.
    """
    _admit(listing, decision)
    chosen, items = _customised(wish, listing, package)
    instant = listing.intake is ListingIntake.INSTANT
    order = Order(
        id=order_id,
        version=1,
        seller=listing.seller,
        buyer=buyer,
        package=package.name,
        intake=Intake(listing.intake.value),
        kind=listing.kind,
        state=State.PENDING,
        line_items=items,
        total=total_of(items),
        plan=package.plan.times(wish.quantity) if package.plan is not None else None,
        payment_method=wish.payment_method,
        payment_token=wish.payment_token if wish.payment_method is PaymentMethod.ONLINE else "",
        payment_state=PaymentState.NOT_DUE,
        delivery_days=package.delivery_days,
        create_time=now,
        update_time=now,
        start_time=wish.start_time,
        decision=decision,
        requirements=wish.requirements,
        billing_address=wish.billing_address,
        delivery_address=wish.delivery_address,
        unread=1,
        options=chosen,
    )
    if instant:
        order = with_confirmation(order, at=now)
    return order, OrderPlaced(order)


def _admit(listing: Listing, decision: GateDecision | None) -> None:
    instant = listing.intake is ListingIntake.INSTANT
    if decision is None:
        if instant:
            raise ValueError("an instant order needs a decision of the gate")
        return
    if decision.outcome is Outcome.UNAVAILABLE:
        raise refusals.unavailable(decision)
    # The gate applies to instant orders only: the others wait for the seller anyway.
    if instant and decision.outcome is not Outcome.ALLOWED:
        raise refusals.order_request_required(decision, listing.seller)


def _customised(
    wish: PlaceOrder, listing: Listing, package: Package
) -> tuple[tuple[ChosenOption, ...], tuple[LineItem, ...]]:
    """What was chosen, and the positions: the package itself, then what the choices make of it."""
    chosen = choose(package.options, wish.options)
    title = f"{listing.title}: {package.title}"[:TITLE_LIMIT_CHARACTERS]
    itself = LineItem(title, wish.quantity, package.price)
    more = positions(chosen, quantity=wish.quantity, currency=package.price.currency)
    return chosen, (itself, *more)
