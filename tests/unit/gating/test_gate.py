"""The order of the rules, and what each of them says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.kernel.timetable import Span, Window
from services.gating.domain.availability import Availability
from services.gating.domain.catalogue import Intake
from services.gating.domain.gate import (
    BuyerFacts,
    CompiledSettings,
    GateReason,
    HeldOffer,
    Outcome,
    asks_for_buyer,
    verdict_of,
)
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import Audience, BypassPolicy, DayOverride, DayRule, OrderSettings, Scope
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

HOUR = timedelta(hours=1)
HELD = HeldOffer("offers/1", PACKAGE, is_open=True)
PAST = HeldOffer("offers/2", PACKAGE, is_open=False)


@pytest.mark.covers("G25")
def test_enabled_without_windows_always_asks() -> None:
    decision = decide(rules())
    assert decision.verdict.outcome is Outcome.REQUEST_REQUIRED
    assert decision.verdict.reason is GateReason.ALWAYS
    assert decision.verdict.next_change_time is None
    assert decision.local_time == "2026-06-01T14:00:00+02:00"
    assert (decision.time_zone, decision.settings_version) == ("Europe/Berlin", 3)


@pytest.mark.covers("G14", "G03")
def test_the_master_switch_opens_the_gate() -> None:
    verdict = decide(rules(settings_with(enabled=False))).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.ALLOWED, GateReason.SWITCHED_OFF)


def test_a_seller_who_never_saved_takes_orders_at_once() -> None:
    decision = decide(rules(OrderSettings(SELLER)))
    assert decision.verdict.reason is GateReason.SWITCHED_OFF
    assert (decision.settings_version, decision.time_zone) == (0, "UTC")


@pytest.mark.parametrize("plan", [SellerPlan(SELLER), SellerPlan(SELLER, Tier.BASIC, version=4)])
def test_without_entitlement_the_gate_is_open(plan: SellerPlan) -> None:
    verdict = decide(rules(plan=plan)).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.ALLOWED, GateReason.NOT_ENTITLED)


def test_a_plan_lapses_exactly_and_without_a_timer() -> None:
    plan = SellerPlan(SELLER, Tier.PREMIUM, expire_time=NOON + HOUR)
    before = decide(rules(plan=plan), NOON + HOUR - timedelta(microseconds=1)).verdict
    assert (before.reason, before.next_change_time) == (GateReason.ALWAYS, NOON + HOUR)
    assert decide(rules(plan=plan), NOON + HOUR).verdict.reason is GateReason.NOT_ENTITLED


@pytest.mark.covers("G16", "G25")
@pytest.mark.parametrize(
    ("scope", "for_package", "reason"),
    [
        (Scope(), PACKAGE, GateReason.OUT_OF_SCOPE),
        (Scope(all_packages=True), PACKAGE, GateReason.ALWAYS),
        (Scope(packages=(PACKAGE,)), PACKAGE, GateReason.ALWAYS),
        (Scope(packages=(PACKAGE,)), OTHER_PACKAGE, GateReason.OUT_OF_SCOPE),
    ],
)
def test_the_scope_names_what_is_gated(scope: Scope, for_package: str, reason: GateReason) -> None:
    assert decide(rules(settings_with(scope=scope), for_package=for_package)).verdict.reason is reason


def test_an_excluded_listing_is_open_although_the_scope_includes_it() -> None:
    verdict = decide(rules(settings_with(excluded_listings=(LISTING,)))).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.ALLOWED, GateReason.LISTING_EXCLUDED)


@pytest.mark.parametrize("intake", [Intake.SELLER_REVIEW, Intake.BY_QUOTE])
def test_the_gate_applies_to_instant_orders_only(intake: Intake) -> None:
    verdict = decide(rules(intake=intake)).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.ALLOWED, GateReason.INTAKE_NOT_INSTANT)


def test_unavailability_comes_before_everything_and_ends_by_itself() -> None:
    away = Availability(SELLER, False, NOON + HOUR, False, 1)
    facts = BuyerFacts(offers=(HELD,))
    found = rules(settings_with(enabled=False), seller=away, intake=Intake.BY_QUOTE)
    verdict = decide(found, NOON, facts).verdict
    assert (verdict.outcome, verdict.reason) == (Outcome.UNAVAILABLE, GateReason.SELLER_UNAVAILABLE)
    assert verdict.unavailable_until == verdict.next_change_time == NOON + HOUR
    assert decide(found, NOON + HOUR, facts).verdict.outcome is Outcome.ALLOWED


def test_of_two_unavailabilities_the_seller_is_named_and_the_later_end() -> None:
    found = rules(
        seller=Availability(SELLER, False, NOON + HOUR, False, 1),
        of_listing=Availability(LISTING, False, NOON + 2 * HOUR, False, 1),
    )
    verdict = decide(found).verdict
    assert verdict.reason is GateReason.SELLER_UNAVAILABLE
    assert (verdict.next_change_time, verdict.unavailable_until) == (NOON + HOUR, NOON + 2 * HOUR)
    later = decide(found, NOON + HOUR).verdict
    assert (later.reason, later.next_change_time) == (GateReason.LISTING_UNAVAILABLE, NOON + 2 * HOUR)


def test_an_unavailability_without_end_has_no_next_change() -> None:
    verdict = decide(rules(of_listing=Availability(LISTING, False, None, False, 1))).verdict
    assert verdict.reason is GateReason.LISTING_UNAVAILABLE
    assert verdict.next_change_time is verdict.unavailable_until is None
    assert verdict.explanation == "The listing takes no orders, but a request can be sent."


@pytest.mark.covers("G15")
@pytest.mark.parametrize(
    ("audience", "returning", "reason"),
    [
        (Audience.ALL_BUYERS, False, GateReason.ALWAYS),
        (Audience.ALL_BUYERS, True, GateReason.ALWAYS),
        (Audience.NEW_BUYERS, False, GateReason.ALWAYS),
        (Audience.NEW_BUYERS, True, GateReason.RETURNING_BUYER),
    ],
)
def test_the_audience(audience: Audience, returning: bool, reason: GateReason) -> None:
    verdict = decide(rules(settings_with(audience=audience)), NOON, BuyerFacts(returning)).verdict
    assert verdict.reason is reason
    assert (verdict.outcome is Outcome.ALLOWED) == (reason is GateReason.RETURNING_BUYER)


@pytest.mark.covers("G12")
@pytest.mark.parametrize(
    ("policy", "offers", "reason", "offer"),
    [
        (BypassPolicy.OPEN_OFFER, (HELD,), GateReason.OPEN_OFFER, "offers/1"),
        (BypassPolicy.OPEN_OFFER, (PAST,), GateReason.ALWAYS, ""),
        (BypassPolicy.NEVER, (HELD, PAST), GateReason.ALWAYS, ""),
        (BypassPolicy.ANY_PAST_OFFER, (PAST,), GateReason.PAST_OFFER, "offers/2"),
        (BypassPolicy.ANY_PAST_OFFER, (PAST, HELD), GateReason.OPEN_OFFER, "offers/1"),
        (BypassPolicy.ANY_PAST_OFFER, (), GateReason.ALWAYS, ""),
        (BypassPolicy.OPEN_OFFER, (replace(HELD, package=OTHER_PACKAGE),), GateReason.ALWAYS, ""),
        (BypassPolicy.ANY_PAST_OFFER, (replace(PAST, package=OTHER_PACKAGE),), GateReason.ALWAYS, ""),
    ],
)
def test_an_offer_lets_its_buyer_pass_for_its_package_only(
    policy: BypassPolicy, offers: tuple[HeldOffer, ...], reason: GateReason, offer: str
) -> None:
    verdict = decide(rules(settings_with(bypass_policy=policy)), NOON, BuyerFacts(offers=offers)).verdict
    assert (verdict.reason, verdict.offer) == (reason, offer)


@pytest.mark.covers("G12", "G39")
def test_an_offer_lets_pass_until_it_expires_exactly() -> None:
    first, longest = replace(HELD, expire_time=NOON + HOUR), replace(HELD, offer="offers/9")
    longest = replace(longest, expire_time=NOON + 2 * HOUR)
    facts = BuyerFacts(offers=(first, longest))
    verdict = decide(rules(), NOON, facts).verdict
    assert (verdict.offer, verdict.next_change_time) == ("offers/9", NOON + 2 * HOUR)
    last = NOON + 2 * HOUR - timedelta(microseconds=1)
    assert decide(rules(), last, facts).verdict.reason is GateReason.OPEN_OFFER
    assert decide(rules(), NOON + 2 * HOUR, facts).verdict.reason is GateReason.ALWAYS


def test_nothing_about_the_buyer_is_asked_while_the_gate_is_open() -> None:
    open_gates = [
        rules(settings_with(enabled=False)),
        rules(plan=SellerPlan(SELLER)),
        rules(settings_with(scope=Scope(), audience=Audience.NEW_BUYERS)),
        rules(nights()),
        rules(seller=Availability(SELLER, False)),
    ]
    assert not any(asks_for_buyer(found.compiled.settings, verdict_of(found, NOON)) for found in open_gates)
    assert asks_for_buyer(rules().compiled.settings, verdict_of(rules(), NOON))
    never = rules(settings_with(bypass_policy=BypassPolicy.NEVER))
    assert not asks_for_buyer(never.compiled.settings, verdict_of(never, NOON))


@pytest.mark.covers("G20", "G21", "G22")
@pytest.mark.parametrize(
    ("local", "reason"),
    [
        ("2026-06-01T20:59:59.999+02:00", GateReason.OUTSIDE_WINDOWS),
        ("2026-06-01T21:00:00.000+02:00", GateReason.INSIDE_WINDOW),
        ("2026-06-01T23:59:59.999+02:00", GateReason.INSIDE_WINDOW),
        ("2026-06-02T00:00:00.000+02:00", GateReason.INSIDE_WINDOW),
        ("2026-06-02T05:59:59.999+02:00", GateReason.INSIDE_WINDOW),
        ("2026-06-02T06:00:00.000+02:00", GateReason.OUTSIDE_WINDOWS),
    ],
)
def test_windows_are_half_open_and_leave_no_hole_at_midnight(local: str, reason: GateReason) -> None:
    decision = decide(rules(nights()), at(local))
    assert decision.verdict.reason is reason
    assert at(decision.local_time) == at(local)


@pytest.mark.covers("G22")
def test_the_next_change_looks_across_midnight() -> None:
    decision = decide(rules(nights()), at("2026-06-01T21:00:00+02:00"))
    assert decision.verdict.next_change_time == at("2026-06-02T06:00:00+02:00")
    assert decision.verdict.matched_window == "MON 21:00-24:00"
    assert decision.verdict.explanation == (
        "It is Mon 2026-06-01 21:00 (Europe/Berlin), inside the seller's window MON 21:00-24:00:"
        " an order request is needed."
    )


@pytest.mark.covers("G17", "G24")
def test_the_weekday_is_that_of_the_local_day() -> None:
    mondays = settings_with(windows=(Window(frozenset({0}), 0, 1440),), time_zone="Asia/Kathmandu")
    assert decide(rules(mondays), at("2026-05-31T18:14:59.999")).verdict.reason is GateReason.OUTSIDE_WINDOWS
    assert decide(rules(mondays), at("2026-05-31T18:15:00")).verdict.reason is GateReason.INSIDE_WINDOW
    assert decide(rules(mondays), at("2026-06-01T18:14:59.999")).verdict.reason is GateReason.INSIDE_WINDOW
    assert decide(rules(mondays), at("2026-06-01T18:15:00")).verdict.reason is GateReason.OUTSIDE_WINDOWS


def test_overrides_replace_the_windows_of_their_date() -> None:
    overrides = (
        DayOverride(day("2026-06-01"), DayRule.OPEN),
        DayOverride(day("2026-06-02"), DayRule.CLOSED, label="Holiday"),
        DayOverride(day("2026-06-03"), DayRule.WINDOWS, (Span(600, 720),)),
    )
    found = rules(nights(overrides=overrides))
    for local, reason, matched in (
        ("2026-06-01T22:00:00+02:00", GateReason.OVERRIDE_OPEN, "2026-06-01 open"),
        ("2026-06-02T12:00:00+02:00", GateReason.OVERRIDE_CLOSED, "2026-06-02 closed"),
        ("2026-06-03T10:00:00+02:00", GateReason.OVERRIDE_CLOSED, "2026-06-03 10:00-12:00"),
        ("2026-06-03T22:00:00+02:00", GateReason.OVERRIDE_OPEN, "2026-06-03 open"),
        ("2026-06-04T22:00:00+02:00", GateReason.INSIDE_WINDOW, "THU 21:00-24:00"),
    ):
        verdict = decide(found, at(local)).verdict
        assert (verdict.reason, verdict.matched_window) == (reason, matched)


def test_an_override_opens_a_gate_that_is_always_closed_for_one_day() -> None:
    found = rules(settings_with(overrides=(DayOverride(day("2026-06-02"), DayRule.OPEN),)))
    before = decide(found, NOON).verdict
    assert (before.reason, before.next_change_time) == (GateReason.ALWAYS, at("2026-06-02T00:00:00+02:00"))
    during = decide(found, at("2026-06-02T12:00:00")).verdict
    assert (during.reason, during.next_change_time) == (
        GateReason.OVERRIDE_OPEN,
        at("2026-06-03T00:00:00+02:00"),
    )


def test_the_plan_may_lapse_before_the_window_ends() -> None:
    plan = SellerPlan(SELLER, Tier.PREMIUM, expire_time=at("2026-06-01T22:00:00+02:00"))
    verdict = decide(rules(nights(), plan=plan), at("2026-06-01T21:30:00+02:00")).verdict
    assert verdict.next_change_time == plan.expire_time


def test_a_refusal_says_what_was_decided() -> None:
    decision = decide(rules(nights()), at("2026-06-01T12:00:00"))
    assert decision.metadata() == {
        "package": PACKAGE,
        "outcome": "ALLOWED",
        "reason": "OUTSIDE_WINDOWS",
        "next_change_time": "2026-06-01T19:00:00Z",
    }


def test_rules_know_when_the_clock_may_turn_them() -> None:
    plan = SellerPlan(SELLER, Tier.PREMIUM, NOON)
    away = Availability(SELLER, False, NOON + HOUR)
    assert rules(plan=plan, seller=away).bounds == (NOON, NOON + HOUR)
    assert CompiledSettings(settings_with()).timetable.next_change(NOON) is None
