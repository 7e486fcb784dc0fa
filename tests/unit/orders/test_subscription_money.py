"""Proration: whatever is changed when, what a buyer pays is what he used, to the minor unit."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from services.orders.domain.commerce import Interval, Plan
from services.orders.domain.subscription import dunning, lifecycle, plan_change
from services.orders.domain.subscription.facts import Subscription, When
from tests.unit.orders.subscribing import BEGIN, BERLIN, created, monthly

CURRENCIES = ("JPY", "EUR", "KWD")
CHANGES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 10**7), st.sampled_from(Interval), st.integers(1, 3)),
    max_size=8,
)


def settle(subscription: Subscription, amount: Money, now: datetime) -> Subscription:
    """Captures whatever is being charged."""
    while subscription.unpaid:
        move = dunning.collected(subscription, subscription.unpaid[0], amount, now=now)
        assert move is not None
        subscription = move.subscription
    return subscription


@given(currency=st.sampled_from(CURRENCIES), price=st.integers(1, 10**7), changes=CHANGES)
def test_whatever_is_changed_the_parts_add_up(
    currency: str, price: int, changes: list[tuple[int, int, Interval, int]]
) -> None:
    now, taken, used = BEGIN, 0, 0
    subscription = created(monthly(price, currency), zone=BERLIN)

    def renewals(until: datetime) -> None:
        nonlocal subscription, taken, used
        while (move := lifecycle.advance(subscription, now=until, payment_id="p")) is not None:
            if isinstance(move.due, lifecycle.Due):
                taken += move.due.amount.amount
            # What was left of the period that ended was used to its end.
            used += subscription.worth.amount
            subscription = settle(move.subscription, Money(currency, 1), until)

    renewals(now)
    for days, amount, interval, count in changes:
        now += timedelta(days=days)
        renewals(now)
        plan = Plan(Money(currency, amount), interval, count)
        shown = plan_change.preview(subscription, plan, actor=Actor.SELLER, when=When.NOW, now=now)
        worth = subscription.worth.amount
        move = plan_change.change(
            subscription, plan, actor=Actor.SELLER, when=When.NOW, token=shown.token, now=now, payment_id="c"
        )
        if move is None or plan == subscription.plan.undated:
            continue
        assert 0 <= shown.credit.amount <= worth
        assert (move.due.amount if move.due else Money(currency, 0)) == shown.amount_due
        taken += shown.amount_due.amount
        used += worth - shown.credit.amount
        subscription = settle(move.subscription, Money(currency, 1), now)
    # What was taken is what was used, what is still to be used, and what is left to the buyer's credit.
    assert taken == used + subscription.worth.amount + subscription.balance.amount


@pytest.mark.parametrize(
    ("currency", "price", "left", "credit"),
    [
        ("JPY", 1_000, 10, 333),
        ("JPY", 1_000, 20, 667),
        ("EUR", 999, 7, 233),
        ("KWD", 10_000, 1, 333),
        ("KWD", 10_000, 29, 9_667),
        ("EUR", 1, 15, 0),
    ],
)
def test_the_unused_part_is_rounded_by_largest_remainder(
    currency: str, price: int, left: int, credit: int
) -> None:
    # A period of 30 days from 1 June on; of a tie the used part has the unit.
    paid = replace(
        settle(
            lifecycle.renew(created(monthly(price, currency)), now=BEGIN, payment_id="p").subscription,
            Money(currency, 1),
            BEGIN,
        ),
        period_begin=date(2026, 6, 1),
        period_end=date(2026, 7, 1),
        worth_from=date(2026, 6, 1),
    )
    now = datetime.fromisoformat("2026-07-01T12:00:00+00:00") - timedelta(days=left)
    shown = plan_change.preview(
        paid, monthly(2 * price, currency), actor=Actor.SELLER, when=When.NOW, now=now
    )
    assert shown.credit == Money(currency, credit)
    whole = Money(currency, price).allocate((30 - left, left))
    assert whole[0] + whole[1] == Money(currency, price)


def test_changing_up_and_back_down_on_one_day_costs_nothing() -> None:
    begun = lifecycle.renew(created(), now=BEGIN, payment_id="p").subscription
    subscription = settle(begun, Money("EUR", 1), BEGIN)
    now, due = BEGIN + timedelta(days=9), Money("EUR", 0)
    for plan in (monthly(7_777), monthly(3_000)):
        shown = plan_change.preview(subscription, plan, actor=Actor.SELLER, when=When.NOW, now=now)
        move = plan_change.change(
            subscription, plan, actor=Actor.SELLER, when=When.NOW, token=shown.token, now=now, payment_id="c"
        )
        assert move is not None
        due += shown.amount_due
        subscription = settle(move.subscription, Money("EUR", 1), now)
    # What the way up cost is to his credit again, so that the next period is cheaper by it.
    assert subscription.balance == due
    assert due.is_positive
    assert subscription.worth == Money("EUR", 3_000).allocate((9, 19))[1]
