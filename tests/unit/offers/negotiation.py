"""Offers in every state, for the tests of the domain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from services.offers.domain import offer as offers
from services.offers.domain import reviewing
from services.offers.domain.chain import Author, Offer, State
from services.offers.domain.offer import Consent
from services.offers.domain.review import Clearance
from services.offers.domain.terms import LineItem, PaymentMethod, Terms

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SELLER, BUYER = "sellers/acme", "users/ana"
REQUEST = "orderRequests/0198a000-0000-7000-8000-000000000001"
ORDER = "orders/0198a000-0000-7000-8000-000000000002"
AGENT = Clearance(is_owner=False, limits=(Money("EUR", 5_000),))
"""May offer half of what the offers here cost."""


def terms(amount: int = 10_000, *, currency: str = "EUR", **changes: Any) -> Terms:
    """One position, paid offline, without expiry."""
    plain = Terms(
        line_items=(LineItem("Logo", 1, Money(currency, amount)),),
        delivery_days=7,
        payment_method=PaymentMethod.OFFLINE,
    )
    return replace(plain, **changes)


def drafted(proposal: Terms | None = None, *, origin: str = REQUEST) -> Offer:
    """A draft."""
    return offers.draft(
        offer_id="o1",
        seller=SELLER,
        buyer=BUYER,
        origin=origin,
        terms=proposal or terms(),
        note="Gladly",
        now=NOW,
    )


def opened(proposal: Terms | None = None, *, origin: str = REQUEST) -> Offer:
    """An open offer of the seller."""
    sent, _ = offers.send(drafted(proposal, origin=origin), actor=Actor.SELLER, now=NOW)
    return sent


def countered(proposal: Terms | None = None) -> Offer:
    """An open counter-offer of the buyer."""
    changed, _ = offers.counter(
        opened(), actor=Actor.BUYER, seen=1, terms=proposal or terms(8_000), note="Less?", now=NOW
    )
    return changed


def expired() -> Offer:
    """An offer whose time ran out, swept."""
    ended, event = offers.expire(opened(terms(expire_time=NOW + HOUR)), now=NOW + HOUR)
    assert event is not None
    return ended


def in_state(state: State, author: Author = Author.SELLER) -> Offer:
    """An offer in `state`, its newest revision by `author` where that can be."""
    match state:
        case State.DRAFT:
            return drafted()
        case State.OPEN:
            return opened() if author is Author.SELLER else countered()
        case State.ACCEPTED:
            return offers.accept(opened(), actor=Actor.BUYER, seen=1, consent=Consent(), now=NOW)[0]
        case State.DECLINED:
            return offers.decline(opened(), actor=Actor.BUYER, seen=1, reason="", now=NOW)[0]
        case State.WITHDRAWN:
            return offers.withdraw(opened(), actor=Actor.SELLER, now=NOW)[0]
        case State.EXPIRED:
            return expired()
        case State.IN_REVIEW:
            return reviewing.submit(
                drafted(), actor=Actor.SELLER, user="users/agent", clearance=AGENT, text="", now=NOW
            )
