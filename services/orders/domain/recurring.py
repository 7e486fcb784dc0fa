"""What the plan of an order means for the buyer, before a subscription exists and beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.orders.domain.commerce import PaymentMethod, Plan
from services.orders.domain.order import Order
from services.orders.domain.subscription import calendar


@dataclass(frozen=True, slots=True)
class RecurringCharge:
    """`amount` is charged `charge_count` times (0: until it is cancelled), for the first time at
    `first_charge_time`. `total` is None where it has no end, or is too much to be an amount.
    """

    amount: Money
    start_time: datetime
    first_charge_time: datetime
    estimated: bool
    charge_count: int
    total: Money | None
    automatic: bool


def recurring_charge(order: Order) -> RecurringCharge | None:
    """The recurring charge of an order with a plan, by days of the zone that the gate decided in, or UTC.

    Until the order is confirmed, it is what a confirmation at the last change would have led to.
    """
    plan = order.plan
    if plan is None:
        return None
    begin = max(
        order.confirm_time or order.update_time,
        order.start_time or order.create_time,
        plan.start_time or order.create_time,
    )
    zone = (order.decision.time_zone if order.decision is not None else "") or "UTC"
    first = calendar.beginning_of(calendar.first_paid_day(calendar.local_date(begin, zone), plan), zone)
    return RecurringCharge(
        amount=plan.price,
        start_time=begin,
        first_charge_time=max(begin, first),
        estimated=order.confirm_time is None,
        charge_count=plan.period_count,
        total=_total(plan),
        automatic=order.payment_method is PaymentMethod.ONLINE,
    )


def _total(plan: Plan) -> Money | None:
    if not plan.period_count:
        return None
    try:
        return plan.price.times(plan.period_count)
    except Refusal:
        # A sum that no amount can hold is no reason not to show the order.
        return None
