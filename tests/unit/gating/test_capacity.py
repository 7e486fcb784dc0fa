"""A seller who has enough to do: asked first although the clock would let the buyer order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.kernel.refusal import Refusal
from services.gating.domain.catalogue import Intake
from services.gating.domain.gate import (
    BuyerFacts,
    GateReason,
    GateRules,
    HeldOffer,
    Outcome,
    Verdict,
)
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import (
    Audience,
    BypassPolicy,
    DayOverride,
    DayRule,
    InactiveReason,
    OrderSettings,
    Scope,
    SettingsChange,
    save,
)
from tests.unit.gating.examples import (
    LISTING,
    NOON,
    OTHER_PACKAGE,
    PACKAGE,
    SELLER,
    at,
    day,
    decide,
    nights,
    rules,
    settings_with,
)

NIGHT = at("2026-06-01T20:00:00")
OPEN_DAY = (DayOverride(day("2026-06-01"), DayRule.OPEN),)


def full(found: GateRules) -> GateRules:
    return replace(found, is_full=True)


def said(verdict: Verdict) -> tuple[Outcome, GateReason]:
    return verdict.outcome, verdict.reason


@pytest.mark.covers("X17")
def test_outside_of_the_windows_a_full_seller_is_asked_first() -> None:
    found = rules(nights())
    assert said(decide(found).verdict) == (Outcome.ALLOWED, GateReason.OUTSIDE_WINDOWS)
    verdict = decide(full(found)).verdict
    assert said(verdict) == (Outcome.REQUEST_REQUIRED, GateReason.AT_CAPACITY)
    assert "as many open orders as he takes at once" in verdict.explanation
    assert verdict.matched_window == ""


@pytest.mark.covers("X17")
def test_a_window_says_more_than_the_capacity_and_an_open_day_less() -> None:
    assert decide(full(rules(nights())), NIGHT).verdict.reason is GateReason.INSIDE_WINDOW
    assert decide(full(rules())).verdict.reason is GateReason.ALWAYS
    opened = rules(nights(overrides=OPEN_DAY))
    assert decide(opened).verdict.reason is GateReason.OVERRIDE_OPEN
    assert decide(full(opened)).verdict.reason is GateReason.AT_CAPACITY


@pytest.mark.covers("X17")
@pytest.mark.parametrize("instant", [NOON, NIGHT])
def test_the_clock_alone_changes_nothing_for_a_full_seller_until_his_plan_lapses(instant: object) -> None:
    assert instant in {NOON, NIGHT}
    moment = NOON if instant is NOON else NIGHT
    assert decide(full(rules(nights())), moment).verdict.next_change_time is None
    lapse = NIGHT + timedelta(days=3)
    found = full(rules(nights(), plan=SellerPlan(SELLER, Tier.PREMIUM, lapse)))
    assert decide(found, moment).verdict.next_change_time == lapse
    assert decide(found, lapse).verdict.reason is GateReason.NOT_ENTITLED


@pytest.mark.covers("X17")
def test_switches_and_scope_come_before_the_capacity() -> None:
    for found, reason in (
        (rules(replace(nights(), enabled=False)), GateReason.SWITCHED_OFF),
        (rules(nights(), plan=SellerPlan(SELLER)), GateReason.NOT_ENTITLED),
        (rules(replace(nights(), excluded_listings=(LISTING,))), GateReason.LISTING_EXCLUDED),
        (rules(replace(nights(), scope=Scope(packages=(OTHER_PACKAGE,)))), GateReason.OUT_OF_SCOPE),
        (rules(nights(), intake=Intake.BY_QUOTE), GateReason.INTAKE_NOT_INSTANT),
    ):
        assert said(decide(full(found)).verdict) == (Outcome.ALLOWED, reason)


@pytest.mark.covers("G12", "G15", "X17")
def test_who_passes_the_clock_passes_the_capacity() -> None:
    returning = BuyerFacts(has_confirmed_order=True)
    holder = BuyerFacts(offers=(HeldOffer("offers/1", PACKAGE, is_open=True),))
    new_only = full(rules(replace(nights(), audience=Audience.NEW_BUYERS)))
    assert decide(new_only, NOON, returning).verdict.reason is GateReason.RETURNING_BUYER
    assert decide(new_only).verdict.reason is GateReason.AT_CAPACITY
    assert decide(full(rules(nights())), NOON, returning).verdict.reason is GateReason.AT_CAPACITY
    assert decide(full(rules(nights())), NOON, holder).verdict.reason is GateReason.OPEN_OFFER
    strict = full(rules(replace(nights(), bypass_policy=BypassPolicy.NEVER)))
    assert decide(strict, NOON, holder).verdict.reason is GateReason.AT_CAPACITY


@pytest.mark.covers("X17")
@pytest.mark.parametrize("windows", [(), nights().windows])
def test_capacity_only_looks_at_no_clock(windows: object) -> None:
    chosen = settings_with(max_open_orders=3, capacity_only=True, windows=windows, overrides=OPEN_DAY)
    for instant in (NOON, NIGHT, NIGHT + timedelta(days=1)):
        below = decide(rules(chosen), instant).verdict
        assert said(below) == (Outcome.ALLOWED, GateReason.BELOW_CAPACITY)
        above = decide(full(rules(chosen)), instant).verdict
        assert said(above) == (Outcome.REQUEST_REQUIRED, GateReason.AT_CAPACITY)
        assert below.next_change_time is above.next_change_time is None


def test_capacity_only_needs_a_capacity() -> None:
    def saved(current: OrderSettings, **changes: object) -> OrderSettings:
        change = SettingsChange(**changes)  # type: ignore[arg-type]
        return save(current, change, etag="", now=NOON).settings

    with pytest.raises(Refusal) as caught:
        saved(OrderSettings(SELLER), capacity_only=True)
    assert caught.value.metadata["field"] == "order_settings.capacity_only"
    found = saved(OrderSettings(SELLER), capacity_only=True, max_open_orders=2)
    assert (found.max_open_orders, found.capacity_only, found.version) == (2, True, 1)
    assert saved(found, max_open_orders=2) is found
    # A mask that names one half meets the other in storage.
    with pytest.raises(Refusal):
        saved(found, max_open_orders=0)
    assert saved(found, max_open_orders=0, capacity_only=False).version == 2


@pytest.mark.parametrize(
    ("packages", "excluded", "expected"),
    [
        ((PACKAGE, OTHER_PACKAGE), (LISTING,), InactiveReason.ALL_EXCLUDED),
        ((PACKAGE, "sellers/acme/listings/web/packages/one"), (LISTING,), None),
        ((PACKAGE,), ("sellers/acme/listings/log",), None),
        ((), (LISTING,), InactiveReason.EMPTY_SCOPE),
    ],
)
def test_a_scope_whose_listings_are_all_excluded_has_no_effect(
    packages: tuple[str, ...], excluded: tuple[str, ...], expected: InactiveReason | None
) -> None:
    found = settings_with(scope=Scope(packages=packages), excluded_listings=excluded)
    assert found.inactive_reason(entitled=True) is expected
    everything = settings_with(excluded_listings=excluded)
    assert everything.inactive_reason(entitled=True) is None
