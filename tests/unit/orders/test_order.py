"""What the moves of an order do beyond changing its state."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal
from services.orders.domain import events
from services.orders.domain import order as orders
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.listing import ListingIntake
from services.orders.domain.order import DeclineReason, Folder, PaymentState, State
from tests.unit.orders.purchases import HOUR, NOW, in_state, placed

LATER = NOW + HOUR


@pytest.mark.covers("B11")
def test_confirmation_starts_the_clock_and_makes_the_price_due() -> None:
    order, event = orders.confirm(placed(method=PaymentMethod.ONLINE), actor=Actor.SELLER, now=LATER)
    assert isinstance(event, events.OrderConfirmed)
    assert event.order is order
    assert (order.confirm_time, order.clock_start_time) == (LATER, LATER)
    assert order.delivery_due_time == LATER + timedelta(days=7)
    assert order.payment_state is PaymentState.PENDING
    assert (order.version, order.update_time, order.unread) == (2, LATER, 0)


@pytest.mark.parametrize(("hours", "counts_from"), [(-1, 0), (0, 0), (5, 5)])
def test_the_clock_starts_at_the_later_of_confirmation_and_agreed_start(hours: int, counts_from: int) -> None:
    order = replace(placed(), start_time=LATER + hours * HOUR)
    confirmed, _ = orders.confirm(order, actor=Actor.SELLER, now=LATER)
    assert confirmed.clock_start_time == LATER + counts_from * HOUR
    assert confirmed.confirm_time == LATER


@pytest.mark.parametrize(
    ("method", "price", "expected"),
    [
        (PaymentMethod.ONLINE, 100, PaymentState.PENDING),
        (PaymentMethod.OFFLINE, 100, PaymentState.OFFLINE),
        (PaymentMethod.ONLINE, 0, PaymentState.FREE),
        (PaymentMethod.OFFLINE, 0, PaymentState.FREE),
    ],
)
def test_nothing_is_due_before_confirmation(
    method: PaymentMethod, price: int, expected: PaymentState
) -> None:
    order = placed(method=method, price=price)
    assert order.payment_state is PaymentState.NOT_DUE
    assert orders.confirm(order, actor=Actor.SELLER, now=LATER)[0].payment_state is expected


@pytest.mark.covers("B37")
@pytest.mark.parametrize(
    ("intake", "quoted", "elsewhere"),
    [
        (ListingIntake.BY_QUOTE, False, True),
        (ListingIntake.BY_QUOTE, True, False),
        (ListingIntake.SELLER_REVIEW, False, False),
    ],
)
def test_only_a_by_quote_order_without_an_accepted_quote_was_agreed_elsewhere(
    intake: ListingIntake, quoted: bool, elsewhere: bool
) -> None:
    order = replace(placed(intake), quote_accepted=quoted)
    assert orders.confirm(order, actor=Actor.SELLER, now=LATER)[0].price_agreed_elsewhere is elsewhere


def test_declining_keeps_the_reason_and_the_words() -> None:
    order, event = orders.decline(
        placed(), actor=Actor.SELLER, reason=DeclineReason.NO_CAPACITY, text="Full until May", now=LATER
    )
    assert isinstance(event, events.OrderDeclined)
    assert (order.decline_reason, order.decline_text) == (DeclineReason.NO_CAPACITY, "Full until May")
    assert (order.confirm_time, order.payment_state) == (None, PaymentState.NOT_DUE)


@pytest.mark.covers("B04")
def test_marking_resets_unread_and_repeating_changes_nothing() -> None:
    pending = placed()
    assert (pending.unread, pending.folder) == (1, Folder.INBOX)
    processing, event = orders.mark_processing(pending, actor=Actor.SELLER, now=LATER)
    assert isinstance(event, events.OrderProcessingStarted)
    assert (processing.unread, processing.folder) == (0, Folder.PROCESSING)
    assert orders.mark_processing(processing, actor=Actor.SELLER, now=LATER) == (processing, None)
    unread = replace(processing, unread=2)
    assert unread.folder is Folder.INBOX
    read, event = orders.mark_processing(unread, actor=Actor.SELLER, now=LATER)
    assert (read.unread, read.version, event is None) == (0, processing.version + 1, False)


@pytest.mark.covers("B05")
@pytest.mark.parametrize("state", State)
def test_only_a_pending_order_reacts_to_the_sellers_message(state: State) -> None:
    order = in_state(state)
    changed, event = orders.seller_wrote(order, now=LATER)
    if state is State.PENDING:
        assert isinstance(event, events.OrderProcessingStarted)
        assert (changed.state, changed.unread) == (State.PROCESSING, 0)
    else:
        assert (changed, event) == (order, None)


def test_the_folder_is_a_function_of_state_and_unread() -> None:
    folders = {
        (state, unread): replace(in_state(state), unread=unread).folder
        for state, unread in itertools.product(State, (0, 3))
    }
    assert folders == {
        (State.PENDING, 0): Folder.INBOX,
        (State.PENDING, 3): Folder.INBOX,
        (State.PROCESSING, 0): Folder.PROCESSING,
        (State.PROCESSING, 3): Folder.INBOX,
        (State.AWAITING_ANSWER, 0): Folder.AWAITING_ANSWER,
        (State.AWAITING_ANSWER, 3): Folder.AWAITING_ANSWER,
        (State.CONFIRMED, 0): Folder.CONFIRMED,
        (State.CONFIRMED, 3): Folder.CONFIRMED,
        (State.DECLINED, 0): Folder.CLOSED,
        (State.DECLINED, 3): Folder.CLOSED,
        (State.WITHDRAWN, 0): Folder.CLOSED,
        (State.WITHDRAWN, 3): Folder.CLOSED,
        **{
            (state, unread): Folder.CONFIRMED
            for state in (State.IN_PROGRESS, State.DELIVERED)
            for unread in (0, 3)
        },
        **{
            (state, unread): Folder.CLOSED
            for state in (State.COMPLETED, State.CANCELLED)
            for unread in (0, 3)
        },
    }


@pytest.mark.covers("B10")
def test_going_offline_forgets_the_means_of_payment() -> None:
    online = placed(method=PaymentMethod.ONLINE)
    offline, event = orders.change_payment_method(
        online, actor=Actor.SELLER, method=PaymentMethod.OFFLINE, token="", now=LATER
    )
    assert isinstance(event, events.OrderPaymentMethodChanged)
    assert (offline.payment_method, offline.payment_token) == (PaymentMethod.OFFLINE, "")
    with pytest.raises(Refusal) as refused:
        orders.change_payment_method(
            offline, actor=Actor.SELLER, method=PaymentMethod.ONLINE, token="", now=LATER
        )
    assert refused.value.reason == "PAYMENT_TOKEN_REQUIRED"
    again, _ = orders.change_payment_method(
        offline, actor=Actor.BUYER, method=PaymentMethod.ONLINE, token="card", now=LATER
    )
    assert (again.payment_method, again.payment_token) == (PaymentMethod.ONLINE, "card")


@pytest.mark.parametrize("token", ["", "sandbox_success"])
def test_the_same_payment_method_again_changes_nothing(token: str) -> None:
    online = placed(method=PaymentMethod.ONLINE)
    assert orders.change_payment_method(
        online, actor=Actor.BUYER, method=PaymentMethod.ONLINE, token=token, now=LATER
    ) == (online, None)


def test_a_free_order_needs_no_means_of_payment() -> None:
    changed, _ = orders.change_payment_method(
        placed(price=0), actor=Actor.BUYER, method=PaymentMethod.ONLINE, token="", now=LATER
    )
    assert changed.payment_method is PaymentMethod.ONLINE
