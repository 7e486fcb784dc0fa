"""Who has something to read after which move, and what an order is to its buyer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.kernel.machine import Actor
from services.orders.domain import buyer_side, fulfilment, negotiation
from services.orders.domain import order as orders
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Charge, Outcome
from services.orders.domain.buyer_side import BuyerState
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.listing import ListingIntake
from services.orders.domain.order import DeclineReason, Order, State
from services.orders.domain.quotes import OfferState
from services.orders.domain.work import CancelReason
from tests.unit.orders.purchases import NOW, OFFER, PATIENCE, fact, in_state, paying, placed

S, B, O = Actor.SELLER, Actor.BUYER, Actor.OPERATOR  # noqa: E741 - as the tables of the domain call them


def quoted(order: Order, state: OfferState, version: int = 2) -> Order:
    return negotiation.apply_quote(order, fact(state, version=version), at=NOW, now=NOW)[0]


def cancelled(order: Order, actor: Actor) -> Order:
    reason = CancelReason.OTHER
    return fulfilment.cancel(order, None, actor=actor, reason=reason, text="", now=NOW)[0]


def methods(order: Order, actor: Actor) -> Order:
    return orders.change_payment_method(
        order, actor=actor, method=PaymentMethod.ONLINE, token="card", now=NOW
    )[0]


def late(order: Order) -> Order:
    return replace(order, start_time=NOW, clock_start_time=NOW)


AFTER_MOVES: dict[str, tuple[State, Callable[[Order], Order], tuple[int, int]]] = {
    # What the team and the buyer have not read, of two things each before.
    "mark": (State.PENDING, lambda o: orders.mark_processing(o, actor=S, now=NOW)[0], (0, 2)),
    "message": (State.PENDING, lambda o: orders.seller_wrote(o, now=NOW)[0], (0, 2)),
    "confirm": (State.PROCESSING, lambda o: orders.confirm(o, actor=S, now=NOW)[0], (0, 3)),
    "decline": (
        State.PROCESSING,
        lambda o: orders.decline(o, actor=S, reason=DeclineReason.PRICE, text="", now=NOW)[0],
        (0, 3),
    ),
    "withdraw": (State.PROCESSING, lambda o: orders.withdraw(o, actor=B, now=NOW)[0], (3, 0)),
    "method by the seller": (State.PROCESSING, lambda o: methods(o, S), (0, 3)),
    "method by the buyer": (State.PROCESSING, lambda o: methods(o, B), (3, 0)),
    "quote sent": (State.PROCESSING, lambda o: quoted(o, OfferState.OPEN), (0, 1)),
    "quote accepted": (State.AWAITING_ANSWER, lambda o: quoted(o, OfferState.ACCEPTED), (3, 0)),
    "quote declined": (State.AWAITING_ANSWER, lambda o: quoted(o, OfferState.DECLINED), (3, 0)),
    "quote withdrawn": (State.AWAITING_ANSWER, lambda o: quoted(o, OfferState.WITHDRAWN), (3, 1)),
    "quote expired": (State.AWAITING_ANSWER, lambda o: quoted(o, OfferState.EXPIRED), (3, 1)),
    "start": (State.CONFIRMED, lambda o: fulfilment.start(o, actor=S, now=NOW)[0], (0, 3)),
    "start by time": (State.CONFIRMED, lambda o: fulfilment.start_came(late(o), now=NOW)[0], (3, 3)),
    "deliver": (
        State.IN_PROGRESS,
        lambda o: fulfilment.deliver(o, actor=S, text="", now=NOW, patience=PATIENCE)[0],
        (0, 3),
    ),
    "changes": (
        State.DELIVERED,
        lambda o: fulfilment.request_changes(o, actor=B, text="x", now=NOW)[0],
        (3, 0),
    ),
    "complete": (State.DELIVERED, lambda o: fulfilment.complete(o, actor=B, now=NOW)[0], (3, 0)),
    "complete by time": (
        State.DELIVERED,
        lambda o: fulfilment.time_ran_out(o, now=NOW + PATIENCE + timedelta(days=1))[0],
        (3, 3),
    ),
    "cancel by the seller": (State.CONFIRMED, lambda o: cancelled(o, S), (0, 3)),
    "cancel by the buyer": (State.CONFIRMED, lambda o: cancelled(o, B), (3, 0)),
    "cancel by the operator": (State.CONFIRMED, lambda o: cancelled(o, O), (3, 3)),
}


@pytest.mark.parametrize("move", AFTER_MOVES)
def test_a_move_is_news_to_whoever_did_not_make_it(move: str) -> None:
    state, moved, unread = AFTER_MOVES[move]
    after = moved(replace(in_state(state), unread=2, buyer_unread=2))
    assert after.version > in_state(state).version
    assert (after.unread, after.buyer_unread) == unread


@pytest.mark.parametrize("intake", ListingIntake)
def test_a_new_order_is_news_to_the_team(intake: ListingIntake) -> None:
    assert (placed(intake).unread, placed(intake).buyer_unread) == (1, 0)
    made, _ = negotiation.from_offer(fact(OfferState.ACCEPTED, creates_order=True, order=""), now=NOW)
    assert (made.unread, made.buyer_unread) == (1, 0)


def test_a_declined_charge_is_news_to_both_and_a_captured_one_to_nobody() -> None:
    order, payment = paying()
    for outcome, unread in ((Outcome.SOFT_DECLINE, (1, 1)), (Outcome.CAPTURED, (0, 0))):
        resolved = payments.resolve(payments.submit(payment, now=NOW), 1, Charge(outcome, ""), now=NOW)
        after, _ = payments.settled(replace(order, unread=0, buyer_unread=0), resolved, now=NOW)
        assert (after.unread, after.buyer_unread) == unread


def test_reading_resets_the_readers_side_and_nothing_else() -> None:
    order = replace(in_state(State.PROCESSING), unread=2, buyer_unread=3)
    assert buyer_side.mark_read(order, Actor.BUYER) == replace(order, buyer_unread=0)
    assert buyer_side.mark_read(order, Actor.SELLER) == replace(order, unread=0)


def test_the_buyers_state_does_not_tell_how_the_team_works() -> None:
    found = {state: buyer_side.buyer_state(in_state(state)) for state in State}
    assert found[State.PENDING] is found[State.PROCESSING] is BuyerState.WAITING
    assert found[State.AWAITING_ANSWER] is BuyerState.QUOTED
    assert set(found.values()) == set(BuyerState)
    assert quoted(in_state(State.PENDING), OfferState.OPEN, 1).offer == OFFER
