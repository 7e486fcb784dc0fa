"""Facts about offers: they make orders and change prices, in whatever order they come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from services.orders.domain import negotiation
from services.orders.domain import order as orders
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.events import OrderQuoteAnswered, OrderQuoteSent
from services.orders.domain.order import Folder, Intake, Order, PaymentState, State
from services.orders.domain.quotes import Acceptance, OfferFact, OfferState
from tests.unit.orders.purchases import HOUR, NOW, OFFER, eur, fact, in_state, placed

LATER = NOW + HOUR
CLOSED = [one for one in OfferState if one is not OfferState.OPEN]


@pytest.mark.covers("G08", "G09")
@pytest.mark.parametrize(("start", "clock"), [(None, NOW), (NOW - HOUR, NOW), (LATER, LATER)])
def test_an_accepted_offer_makes_a_confirmed_order(start: object, clock: object) -> None:
    accepted = fact(
        OfferState.ACCEPTED,
        creates_order=True,
        order="",
        order_request="orderRequests/r",
        start_time=start,
        payment_method=PaymentMethod.ONLINE,
        acceptance=Acceptance(NOW, "card", False),
    )
    order, event = negotiation.from_offer(accepted, now=LATER)
    assert event.order is order
    assert order.name == f"orders/{OFFER.removeprefix('offers/')}"
    assert (order.state, order.intake, order.version) == (State.CONFIRMED, Intake.OFFER, 1)
    assert (order.total, order.payment_token) == (eur(25_000), "card")
    assert order.payment_state is PaymentState.PENDING
    assert (order.confirm_time, order.clock_start_time) == (NOW, clock)
    assert (order.offer, order.order_request) == (OFFER, "orderRequests/r")


def test_only_an_acceptance_that_creates_makes_an_order() -> None:
    for useless in (fact(), fact(OfferState.ACCEPTED), fact(creates_order=True)):
        with pytest.raises(ValueError, match="does not make an order"):
            negotiation.from_offer(useless, now=NOW)


@pytest.mark.covers("B25", "B27")
@pytest.mark.parametrize("state", [State.PENDING, State.PROCESSING])
def test_a_sent_quote_makes_the_order_wait_for_the_buyer(state: State) -> None:
    order, event = negotiation.apply_quote(in_state(state), fact(), at=NOW, now=LATER)
    assert isinstance(event, OrderQuoteSent)
    assert (order.state, order.offer, order.unread) == (State.AWAITING_ANSWER, OFFER, 0)
    assert order.folder is Folder.AWAITING_ANSWER
    assert order.total == eur(10_000)


@pytest.mark.covers("B31", "B33", "B34", "B36")
@pytest.mark.parametrize("answer", CLOSED)
def test_an_answer_brings_the_order_back_with_one_unread(answer: OfferState) -> None:
    order = in_state(State.AWAITING_ANSWER)
    changed, event = negotiation.apply_quote(order, fact(answer, version=2), at=LATER, now=LATER)
    assert isinstance(event, OrderQuoteAnswered)
    assert (changed.state, changed.unread, changed.folder) == (State.PROCESSING, 1, Folder.INBOX)
    accepted = answer is OfferState.ACCEPTED
    assert changed.total == (eur(25_000) if accepted else eur(10_000))
    assert changed.quote_accepted is accepted
    assert changed.confirm_time is None


def test_a_wish_for_a_new_quote_is_unread_once() -> None:
    order = in_state(State.AWAITING_ANSWER)
    expired, _ = negotiation.apply_quote(order, fact(OfferState.EXPIRED, version=2), at=LATER, now=LATER)
    wish = fact(OfferState.EXPIRED, version=3)
    noted, event = negotiation.apply_quote(expired, wish, at=LATER, now=LATER)
    assert (noted.version, noted.unread, event) == (expired.version, 1, None)
    looked, _ = orders.mark_processing(expired, actor=Actor.SELLER, now=LATER)
    assert looked.unread == 0
    wished, event = negotiation.apply_quote(looked, wish, at=LATER, now=LATER)
    assert isinstance(event, OrderQuoteAnswered)
    assert (wished.unread, wished.folder, wished.version) == (1, Folder.INBOX, looked.version + 1)


def test_an_accepted_quote_brings_its_means_of_payment() -> None:
    order = placed(method=PaymentMethod.ONLINE)
    for token, kept in (("other", "other"), ("", "sandbox_success")):
        accepted = fact(
            OfferState.ACCEPTED, payment_method=PaymentMethod.ONLINE, acceptance=Acceptance(NOW, token, False)
        )
        assert negotiation.apply_quote(order, accepted, at=NOW, now=NOW)[0].payment_token == kept
    offline = fact(OfferState.ACCEPTED)
    changed, _ = negotiation.apply_quote(order, offline, at=NOW, now=NOW)
    assert (changed.payment_method, changed.payment_token) == (PaymentMethod.OFFLINE, "")


def test_a_known_fact_changes_nothing() -> None:
    order = in_state(State.AWAITING_ANSWER)
    assert negotiation.apply_quote(order, fact(), at=NOW, now=LATER) == (order, None)
    answered, _ = negotiation.apply_quote(order, fact(OfferState.DECLINED, version=3), at=LATER, now=LATER)
    for late in (fact(version=1), fact(version=2), fact(OfferState.DECLINED, version=3)):
        assert negotiation.apply_quote(answered, late, at=NOW, now=LATER) == (answered, None)


@pytest.mark.parametrize("decided", [State.CONFIRMED, State.DECLINED, State.WITHDRAWN])
@pytest.mark.parametrize("state", OfferState)
def test_a_decision_stands_whatever_becomes_of_a_quote(decided: State, state: OfferState) -> None:
    order = in_state(decided)
    changed, event = negotiation.apply_quote(order, fact(state), at=LATER, now=LATER)
    assert event is None
    assert replace(changed, quotes=()) == replace(order, quotes=())


History = list[tuple[OfferFact, int]]


@st.composite
def histories(draw: st.DrawFn) -> History:
    """What can happen to the quotes of one order: one open at a time, each step a minute after the last."""
    steps: History = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        quote = partial(fact, offer=f"offers/q{number}", amount=10_000 * (number + 1))
        phases = draw(st.lists(st.sampled_from([OfferState.OPEN]), max_size=2))
        revived = draw(st.booleans())
        last = draw(st.sampled_from([*CLOSED, None] if number == 3 else CLOSED))
        # Between its expiry and its revival the buyer may have asked for a new quote.
        expired = [OfferState.EXPIRED] * draw(st.integers(1, 2))
        states = [OfferState.OPEN, *phases, *([*expired, OfferState.OPEN] if revived else [])]
        chain = enumerate([*states, *([last] if last is not None else [])], 1)
        steps += [(quote(state, version=version), len(steps) + version) for version, state in chain]
    return steps


def outcome(steps: History) -> tuple[object, ...]:
    order = placed()
    for one, minute in steps:
        before = order.version
        order, event = negotiation.apply_quote(order, one, at=NOW + timedelta(minutes=minute), now=LATER)
        assert order.version == before + (event is not None)
    return seen(order)


def seen(order: Order) -> tuple[object, ...]:
    return order.state, order.total, order.offer, order.unread, order.quote_accepted


@pytest.mark.covers("B31", "B33", "B36")
@given(st.data())
def test_the_end_is_the_same_in_every_order_of_arrival(data: st.DataObject) -> None:
    history = data.draw(histories())
    shuffled = data.draw(st.permutations(history))
    doubled = data.draw(st.lists(st.sampled_from(history), max_size=4))
    # A duplicate says nothing new wherever it comes.
    assert outcome([*shuffled, *doubled]) == outcome(history)


@pytest.mark.covers("B33")
def test_two_steps_the_price_is_agreed_then_the_seller_confirms() -> None:
    order = in_state(State.AWAITING_ANSWER)
    accepted, _ = negotiation.apply_quote(order, fact(OfferState.ACCEPTED, version=2), at=LATER, now=LATER)
    assert orders.allowed_actions(accepted, Actor.SELLER)[:2] == ("markProcessing", "confirm")
    confirmed, _ = orders.confirm(accepted, actor=Actor.SELLER, now=LATER)
    assert (confirmed.total, confirmed.price_agreed_elsewhere) == (eur(25_000), False)
