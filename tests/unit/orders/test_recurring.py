"""What an order with a plan tells its buyer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.orders.domain.commerce import Interval, PaymentMethod, Plan
from services.orders.domain.order import State
from services.orders.domain.recurring import recurring_charge
from tests.unit.orders.purchases import HOUR, NOW, decision, eur, in_state


def monthly(**changes: Any) -> Plan:
    return replace(Plan(eur(900), Interval.MONTH, 1), **changes)


def test_an_order_without_a_plan_is_charged_once() -> None:
    assert recurring_charge(in_state(State.CONFIRMED)) is None


def test_a_confirmed_order_knows_when_it_is_charged_first() -> None:
    order = replace(in_state(State.CONFIRMED), plan=monthly(trial_days=14, period_count=12))
    charge = recurring_charge(replace(order, update_time=NOW + HOUR))
    assert charge is not None
    assert (charge.amount, charge.charge_count, charge.total) == (eur(900), 12, eur(10_800))
    assert (charge.start_time, charge.estimated, charge.automatic) == (NOW, False, False)
    assert charge.first_charge_time == datetime(2026, 6, 15, tzinfo=UTC)


def test_before_the_confirmation_the_times_are_estimates() -> None:
    order = replace(in_state(State.PENDING, method=PaymentMethod.ONLINE), plan=monthly())
    charge = recurring_charge(replace(order, update_time=NOW + HOUR))
    assert charge is not None
    assert (charge.estimated, charge.automatic, charge.total) == (True, True, None)
    # Without a trial the first charge comes with the beginning.
    assert charge.start_time == charge.first_charge_time == NOW + HOUR


def test_the_agreed_start_and_the_start_of_the_plan_count() -> None:
    order = replace(in_state(State.CONFIRMED), plan=monthly(), start_time=NOW + 2 * HOUR)
    charge = recurring_charge(order)
    assert charge is not None
    assert charge.start_time == NOW + 2 * HOUR
    later = recurring_charge(replace(order, plan=monthly(start_time=NOW + timedelta(days=3))))
    assert later is not None
    assert later.start_time == later.first_charge_time == NOW + timedelta(days=3)


def test_a_sum_that_no_amount_can_hold_is_left_out() -> None:
    order = replace(in_state(State.CONFIRMED), plan=Plan(eur(10**15), Interval.YEAR, 1, 0, 1_200))
    charge = recurring_charge(order)
    assert charge is not None
    assert charge.total is None


def test_days_are_those_of_the_zone_in_which_the_gate_decided() -> None:
    decided = decision(time_zone="Asia/Tokyo")
    order = replace(in_state(State.CONFIRMED), plan=monthly(trial_days=14), decision=decided)
    charge = recurring_charge(order)
    assert charge is not None
    # Midnight of 15 June in Tokyo.
    assert charge.first_charge_time == datetime(2026, 6, 14, 15, tzinfo=UTC)
