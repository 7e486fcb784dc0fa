"""What the moves of an offer do beyond changing its state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.offers.domain import offer as offers
from services.offers.domain.chain import Author, Offer, State
from services.offers.domain.events import OfferExpired, OfferRevived, OfferSent
from services.offers.domain.offer import Consent
from services.offers.domain.origin import Origin, require_open
from services.offers.domain.terms import (
    HORIZON,
    Address,
    Expiry,
    Interval,
    LineItem,
    PaymentMethod,
    Plan,
    Terms,
    check_times,
    total_of,
)
from tests.unit.offers.negotiation import (
    HOUR,
    NOW,
    ORDER,
    REQUEST,
    countered,
    drafted,
    expired,
    opened,
    terms,
)

TICK = timedelta(microseconds=1)


def accept(offer: Offer, *, now: Any = NOW, **consent: Any) -> Offer:
    return offers.accept(
        offer, actor=Actor.BUYER, seen=offer.revision.number, consent=Consent(**consent), now=now
    )[0]


def reason_of(refused: pytest.ExceptionInfo[Refusal]) -> str:
    return refused.value.reason


@pytest.mark.covers("G39", "X02")
def test_an_offer_can_be_accepted_until_the_very_instant_of_its_expiry() -> None:
    offer = opened(terms(expire_time=NOW + HOUR))
    assert accept(offer, now=NOW + HOUR - TICK).state is State.ACCEPTED
    with pytest.raises(Refusal) as refused:
        accept(offer, now=NOW + HOUR)
    assert reason_of(refused) == "OFFER_EXPIRED"
    assert refused.value.metadata == {"resource": "offers/o1", "expire_time": "2026-06-01T13:00:00Z"}


@pytest.mark.covers("G38", "G39")
def test_an_offer_without_expiry_stays_acceptable() -> None:
    assert accept(opened(), now=NOW + timedelta(days=3650)).state is State.ACCEPTED


def test_acceptance_of_a_request_makes_an_order_of_the_same_id() -> None:
    accepted = accept(opened(origin=REQUEST))
    assert accepted.acceptance is not None
    assert (accepted.order, accepted.acceptance.order) == ("orders/o1", "orders/o1")
    assert opened(origin=REQUEST).order == ""


def test_acceptance_of_a_quote_belongs_to_the_quoted_order() -> None:
    assert opened(origin=ORDER).order == ORDER
    assert accept(opened(origin=ORDER)).order == ORDER


def test_who_pays_online_says_by_what() -> None:
    online = opened(terms(payment_method=PaymentMethod.ONLINE))
    with pytest.raises(Refusal) as refused:
        accept(online)
    assert reason_of(refused) == "PAYMENT_TOKEN_REQUIRED"
    accepted = accept(online, payment_token="tok_1").acceptance
    assert accepted is not None
    assert accepted.payment_token == "tok_1"


def test_nobody_keeps_a_payment_token_that_nobody_needs() -> None:
    accepted = accept(opened(), payment_token="tok_1").acceptance
    assert accepted is not None
    assert accepted.payment_token == ""


def test_acceptance_captures_where_bill_and_delivery_go() -> None:
    home = Address("Ana", ("1 Way",), "Graz", "AT")
    accepted = accept(opened(), billing_address=home).acceptance
    assert accepted is not None
    assert (accepted.billing_address, accepted.delivery_address) == (home, None)


@pytest.mark.covers("V07")
def test_only_the_first_opening_counts() -> None:
    offer, event = offers.open_(opened(), actor=Actor.BUYER, now=NOW + HOUR)
    assert event is not None
    assert offer.first_open_time == NOW + HOUR
    assert offers.open_(offer, actor=Actor.BUYER, now=NOW + 2 * HOUR) == (offer, None)
    accepted = accept(offer)
    assert offers.open_(accepted, actor=Actor.BUYER, now=NOW + 2 * HOUR) == (accepted, None)


def test_what_was_never_sent_is_never_told() -> None:
    revised, told = offers.revise(drafted(), actor=Actor.SELLER, seen=1, terms=terms(1), note="", now=NOW)
    assert told is None
    assert (revised.state, revised.revision.number, revised.is_sent) == (State.DRAFT, 2, False)
    withdrawn, told_withdrawn = offers.withdraw(revised, actor=Actor.SELLER, now=NOW)
    assert told_withdrawn is None
    assert not withdrawn.is_sent


def test_the_buyer_sees_the_chain_from_the_revision_on_that_was_sent() -> None:
    revised, _ = offers.revise(drafted(), actor=Actor.SELLER, seen=1, terms=terms(1), note="", now=NOW)
    sent, event = offers.send(revised, actor=Actor.SELLER, now=NOW)
    assert event == OfferSent(sent)
    assert sent.first_sent == 2


def test_creating_and_sending_at_once_is_one_version() -> None:
    sent, event = offers.create_open(drafted(), now=NOW)
    assert (sent.version, sent.state, sent.first_sent) == (1, State.OPEN, 1)
    assert event.offer == sent


def test_a_draft_whose_times_have_passed_cannot_be_sent() -> None:
    for late in (terms(expire_time=NOW + HOUR), terms(start_time=NOW + HOUR)):
        with pytest.raises(Refusal) as refused:
            offers.send(drafted(late), actor=Actor.SELLER, now=NOW + HOUR)
        assert reason_of(refused) == "TIME_OUT_OF_RANGE"


@pytest.mark.covers("X03")
@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.SELLER])
def test_nobody_switches_the_currency_of_a_chain_that_was_sent(actor: Actor) -> None:
    offer = opened() if actor is Actor.BUYER else countered()
    with pytest.raises(Refusal) as refused:
        offers.counter(
            offer,
            actor=actor,
            seen=offer.revision.number,
            terms=terms(currency="USD"),
            note="",
            now=NOW,
        )
    assert reason_of(refused) == "CURRENCY_MISMATCH"
    assert refused.value.metadata["expected"] == "EUR"
    with pytest.raises(Refusal):
        offers.revise(offer, actor=Actor.SELLER, seen=0, terms=terms(currency="USD"), note="", now=NOW)


def test_a_draft_may_still_change_its_currency() -> None:
    revised, _ = offers.revise(
        drafted(), actor=Actor.SELLER, seen=1, terms=terms(currency="JPY"), note="", now=NOW
    )
    assert revised.revision.total == Money("JPY", 10_000)


def test_reviving_repeats_the_terms_with_another_expiry() -> None:
    ended = expired()
    revived, events = offers.revive(
        ended, actor=Actor.SELLER, expiry=Expiry(NOW + 9 * HOUR), now=NOW + 2 * HOUR
    )
    assert events == (OfferRevived(revived),)
    assert revived.state is State.OPEN
    assert revived.close_time is None
    assert (revived.revision.number, revived.revision.author) == (2, Author.SELLER)
    assert revived.revision.terms == terms(expire_time=NOW + 9 * HOUR)
    with pytest.raises(Refusal) as refused:
        offers.revive(ended, actor=Actor.SELLER, expiry=Expiry(NOW), now=NOW + 2 * HOUR)
    assert reason_of(refused) == "TIME_OUT_OF_RANGE"


def test_an_offer_that_is_revived_before_the_sweeper_came_expires_first() -> None:
    overdue = opened(terms(expire_time=NOW + HOUR))
    revived, events = offers.revive(overdue, actor=Actor.SELLER, expiry=Expiry(), now=NOW + HOUR)
    assert [type(event) for event in events] == [OfferExpired, OfferRevived]
    assert [event.offer.version for event in events] == [overdue.version + 1, overdue.version + 2]
    assert revived.version == overdue.version + 2


def test_a_counter_offer_that_is_revived_becomes_the_sellers_proposal() -> None:
    counter = countered(terms(8_000, expire_time=NOW + HOUR))
    revived, _ = offers.revive(counter, actor=Actor.SELLER, expiry=Expiry(), now=NOW + HOUR)
    assert (revived.revision.author, revived.revision.note) == (Author.SELLER, "")
    assert accept(revived, now=NOW + HOUR).state is State.ACCEPTED


# ------------------------------------------------------------------------------------------- terms


EUR = Money("EUR", 1_000)


@pytest.mark.parametrize(
    ("proposal", "reason", "field"),
    [
        (terms(0), "AMOUNT_INVALID", "terms.line_items"),
        (terms(-1), "AMOUNT_INVALID", "terms.line_items[0].unit_price"),
        (
            terms(line_items=(LineItem("a", 1, EUR), LineItem("b", 1, Money("USD", 1)))),
            "CURRENCY_MISMATCH",
            "terms.line_items[1].unit_price",
        ),
        (
            terms(line_items=(LineItem("a", 100_000, Money("EUR", 10**12)),)),
            "AMOUNT_INVALID",
            "terms.line_items[0].unit_price",
        ),
        (
            terms(plan=Plan(Money("USD", 1), Interval.MONTH, 1)),
            "CURRENCY_MISMATCH",
            "terms.plan.price",
        ),
        (terms(plan=Plan(Money("EUR", 0), Interval.MONTH, 1)), "AMOUNT_INVALID", "terms.plan.price"),
    ],
)
def test_amounts_that_are_refused(proposal: Terms, reason: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        total_of(proposal)
    assert reason_of(refused) == reason
    assert refused.value.metadata["field"] == field


def test_a_position_may_be_free_when_the_whole_is_not() -> None:
    free = LineItem("Advice", 3, Money("EUR", 0))
    assert total_of(terms(line_items=(free, LineItem("Logo", 2, EUR)))) == Money("EUR", 2_000)


@pytest.mark.parametrize(
    ("field", "proposed"),
    [
        ("terms.start_time", lambda instant: terms(start_time=instant)),
        ("terms.expire_time", lambda instant: terms(expire_time=instant)),
        (
            "terms.plan.start_time",
            lambda instant: terms(plan=Plan(EUR, Interval.MONTH, 1, start_time=instant)),
        ),
    ],
)
def test_times_lie_in_the_future_and_not_too_far(field: str, proposed: Callable[[datetime], Terms]) -> None:
    for instant in (NOW, NOW - TICK, NOW + HORIZON + TICK):
        with pytest.raises(Refusal) as refused:
            check_times(proposed(instant), now=NOW)
        assert reason_of(refused) == "TIME_OUT_OF_RANGE"
        assert refused.value.metadata == {"field": field}
    check_times(proposed(NOW + TICK), now=NOW)
    check_times(proposed(NOW + HORIZON), now=NOW)


# ------------------------------------------------------------------------------------------- origins


@pytest.mark.parametrize(
    ("name", "state", "fits", "takes"),
    [
        *(
            (REQUEST, state, True, state in {"PENDING", "INFO_REQUESTED", "OFFERED"})
            for state in (
                "PENDING",
                "INFO_REQUESTED",
                "OFFERED",
                "CONVERTED",
                "DECLINED",
                "WITHDRAWN",
                "EXPIRED",
                "CLOSED",
                "UNSPECIFIED",
            )
        ),
        *(
            (ORDER, state, True, state in {"PENDING", "PROCESSING", "AWAITING_ANSWER"})
            for state in ("PENDING", "PROCESSING", "AWAITING_ANSWER", "CONFIRMED", "DECLINED", "WITHDRAWN")
        ),
        (ORDER, "PENDING", False, False),
        ("conversations/c1", "OPEN", True, True),
        ("conversations/c1", "CLOSED", True, False),
        ("conversations/c1", "OPEN", False, False),
    ],
)
def test_what_takes_offers(name: str, state: str, fits: bool, takes: bool) -> None:
    origin = Origin(name, "sellers/acme", "users/ana", state, fits=fits)
    if takes:
        require_open(origin)
        return
    with pytest.raises(Refusal) as refused:
        require_open(origin)
    assert reason_of(refused) == "ORIGIN_CLOSED"
    assert refused.value.metadata == {"origin": name, "state": state}
