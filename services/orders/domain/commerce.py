"""Values that orders and payments are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.kernel.money import Money


class PaymentMethod(StrEnum):
    """How an order is paid."""

    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"


class Interval(StrEnum):
    """The unit of a billing interval."""

    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


@dataclass(frozen=True, slots=True)
class Plan:
    """`price` is charged every `interval_count` intervals, `period_count` times (0: until cancelled).

    Nothing is charged for `trial_days`, and before the first `anchor_day` of a month (0: any) after them.
    It begins with the order, but not before `start_time`.
    """

    price: Money
    interval: Interval
    interval_count: int
    trial_days: int = 0
    period_count: int = 0
    anchor_day: int = 0
    start_time: datetime | None = None

    def times(self, quantity: int) -> Plan:
        """What is charged for `quantity` of what the plan is for."""
        return replace(self, price=self.price.times(quantity))

    @property
    def undated(self) -> Plan:
        """What holds from the first charge on: without trial, anchor and start."""
        return replace(self, trial_days=0, anchor_day=0, start_time=None)


@dataclass(frozen=True, slots=True)
class LineItem:
    """One position: `quantity` times `unit_price`."""

    title: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Address:
    """Where a bill or a delivery goes. Contact data: for the two parties only."""

    recipient: str
    organization: str
    address_lines: tuple[str, ...]
    postal_code: str
    locality: str
    region_code: str


def total_of(items: Iterable[LineItem]) -> Money:
    """The sum of at least one position; Refusal CURRENCY_MISMATCH or AMOUNT_INVALID where there is none."""
    first, *others = items
    total = first.unit_price.times(first.quantity)
    for item in others:
        total += item.unit_price.times(item.quantity)
    return total
