"""The newest that is known of each offer about an order. Events come twice, late and in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.kernel.money import Money
from services.orders.domain.commerce import LineItem, PaymentMethod, Plan


class OfferState(StrEnum):
    """Where an offer stands, as far as it was ever sent."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What came with a yes. Addresses are contact data and are read from the offer."""

    accept_time: datetime
    payment_token: str
    has_addresses: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFact:
    """An offer after a change. `order` is the quoted order; empty where acceptance makes one."""

    offer: str
    version: int
    seller: str
    buyer: str
    order: str
    order_request: str
    conversation: str
    creates_order: bool
    state: OfferState
    line_items: tuple[LineItem, ...]
    total: Money
    package: str
    start_time: datetime | None
    delivery_days: int
    payment_method: PaymentMethod
    plan: Plan | None
    acceptance: Acceptance | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """The newest fact that is known of one offer about the order, and when it happened."""

    offer: str
    version: int
    state: OfferState
    time: datetime


def known(quotes: Iterable[Quote], offer: str) -> Quote | None:
    """What is known of `offer`."""
    return next((quote for quote in quotes if quote.offer == offer), None)


def is_open(quotes: Iterable[Quote], offer: str) -> bool:
    """Whether the newest that is known of `offer` is that it waits for an answer."""
    quote = known(quotes, offer)
    return quote is not None and quote.state is OfferState.OPEN


def is_news(quotes: Iterable[Quote], fact: OfferFact) -> bool:
    """Whether `fact` says more than what is known of its offer."""
    before = known(quotes, fact.offer)
    return before is None or before.version < fact.version


def noted(quotes: Iterable[Quote], fact: OfferFact, *, at: datetime) -> tuple[Quote, ...]:
    """The quotes with `fact` in the place of what was known of its offer."""
    others = tuple(quote for quote in quotes if quote.offer != fact.offer)
    return (*others, Quote(fact.offer, fact.version, fact.state, at))


def is_overtaken(quotes: Iterable[Quote], offer: str, *, at: datetime) -> bool:
    """Whether something later than `at` is known of another offer: an order has one open quote at a time, so
    what happened to `offer` then belongs to the past.
    """
    return any(quote.offer != offer and quote.time > at for quote in quotes)


def is_price_overtaken(quotes: Iterable[Quote], offer: str, *, at: datetime) -> bool:
    """Whether another offer was accepted later than `at`."""
    accepted = (quote for quote in quotes if quote.state is OfferState.ACCEPTED)
    return is_overtaken(accepted, offer, at=at)
