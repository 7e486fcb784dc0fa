"""The gate: may this buyer order this package at this instant, and why. Total, pure, exact.

The rules in their order: availability; whether the listing sells at once at all; the switches (master
switch, plan, excluded listing, scope); the clock (overrides, windows); the seller's capacity, where the clock
leaves the gate open; and, only where one of the last two asks for a request, what lets one buyer pass: an
offer that he holds, or earlier orders. So nothing about the buyer needs to be known while the gate stands
open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from chassis.kernel.clock import utc_text
from chassis.kernel.timetable import (
    ALWAYS,
    WHOLE_DAY,
    Match,
    Override,
    Span,
    Timetable,
    format_hhmm,
    local_time,
    zone_of,
)
from services.gating.domain.calendar import Calendar, Unavailability, unavailability
from services.gating.domain.catalogue import Intake, Listing
from services.gating.domain.plan import SellerPlan
from services.gating.domain.settings import (
    WEEKDAYS,
    Audience,
    BypassPolicy,
    DayOverride,
    DayRule,
    OrderSettings,
)
from services.gating.domain.verification import BuyerVerification


class Outcome(StrEnum):
    """What the buyer may do."""

    ALLOWED = "ALLOWED"
    REQUEST_REQUIRED = "REQUEST_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"


class GateReason(StrEnum):
    """Which rule decided."""

    SELLER_UNAVAILABLE = "SELLER_UNAVAILABLE"
    LISTING_UNAVAILABLE = "LISTING_UNAVAILABLE"
    OPEN_OFFER = "OPEN_OFFER"
    PAST_OFFER = "PAST_OFFER"
    SWITCHED_OFF = "SWITCHED_OFF"
    NOT_ENTITLED = "NOT_ENTITLED"
    LISTING_EXCLUDED = "LISTING_EXCLUDED"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    RETURNING_BUYER = "RETURNING_BUYER"
    OUTSIDE_WINDOWS = "OUTSIDE_WINDOWS"
    OVERRIDE_OPEN = "OVERRIDE_OPEN"
    ALWAYS = "ALWAYS"
    INSIDE_WINDOW = "INSIDE_WINDOW"
    OVERRIDE_CLOSED = "OVERRIDE_CLOSED"
    INTAKE_NOT_INSTANT = "INTAKE_NOT_INSTANT"
    AT_CAPACITY = "AT_CAPACITY"
    BELOW_CAPACITY = "BELOW_CAPACITY"
    VERIFIED_BUYER = "VERIFIED_BUYER"


class CompiledSettings:
    """One version of a seller's settings, prepared for evaluation."""

    __slots__ = ("excluded", "overrides", "packages", "settings", "timetable", "zone")

    def __init__(self, settings: OrderSettings) -> None:
        self.settings = settings
        self.zone: ZoneInfo = zone_of(settings.time_zone)
        self.packages = frozenset(settings.scope.packages)
        self.excluded = frozenset(settings.excluded_listings)
        self.overrides: Mapping[date, DayOverride] = {
            override.date: override for override in settings.overrides
        }
        self.timetable = Timetable(
            self.zone,
            settings.windows or (ALWAYS,),
            [Override(override.date, _spans(override)) for override in settings.overrides],
        )


def _spans(override: DayOverride) -> tuple[Span, ...]:
    match override.rule:
        case DayRule.OPEN:
            return ()
        case DayRule.CLOSED:
            return (WHOLE_DAY,)
    return override.spans


@dataclass(frozen=True, slots=True)
class GateRules:
    """Everything that decides about `package` apart from the buyer and the instant.

    `is_full`: the seller has as many open orders as his settings allow.
    """

    package: str
    compiled: CompiledSettings
    plan: SellerPlan
    seller_calendar: Calendar
    listing: Listing
    listing_calendar: Calendar
    is_full: bool = False

    @property
    def bounds(self) -> tuple[datetime, ...]:
        """The instants, besides those of the timetable, at which the clock may change a verdict."""
        bounds = (*self.seller_calendar.bounds, *self.listing_calendar.bounds)
        return bounds if self.plan.expire_time is None else (self.plan.expire_time, *bounds)


@dataclass(frozen=True, slots=True)
class HeldOffer:
    """An offer that a buyer was sent for `package`. `is_open`: it waits for his answer, for this package."""

    offer: str
    package: str
    is_open: bool
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class BuyerFacts:
    """What is known of a buyer towards one seller; `offers` newest first. `verification` is looked up only
    for a seller to whom it matters.

    Nothing known is the safe side: it makes him ask.
    """

    has_confirmed_order: bool = False
    offers: tuple[HeldOffer, ...] = ()
    verification: BuyerVerification | None = None


NOTHING_KNOWN = BuyerFacts()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says and why; constant in outcome until `next_change_time`, as far as the clock goes."""

    outcome: Outcome
    reason: GateReason
    explanation: str
    matched_window: str = ""
    next_change_time: datetime | None = None
    offer: str = ""
    unavailable_until: datetime | None = None
    messages_closed: bool = False


class GateDecision(NamedTuple):
    """A verdict about one buyer and one instant. `local_time` is ISO 8601 with offset."""

    package: str
    buyer: str
    evaluate_time: datetime
    local_time: str
    time_zone: str
    settings_version: int
    verdict: Verdict

    def metadata(self) -> dict[str, str]:
        """What a refusal tells of the decision."""
        verdict = self.verdict
        found = {"package": self.package, "outcome": verdict.outcome.value, "reason": verdict.reason.value}
        for key, instant in (
            ("next_change_time", verdict.next_change_time),
            ("unavailable_until", verdict.unavailable_until),
        ):
            if instant is not None:
                found[key] = utc_text(instant)
        if verdict.messages_closed:
            found["messages_closed"] = "true"
        return found


def decision(rules: GateRules, verdict: Verdict, *, buyer: str, at: datetime) -> GateDecision:
    """A verdict, with whom and when it is about."""
    settings = rules.compiled.settings
    local_time = at.astimezone(rules.compiled.zone).isoformat()
    return GateDecision(rules.package, buyer, at, local_time, settings.time_zone, settings.version, verdict)


def asks_for_buyer(settings: OrderSettings, verdict: Verdict) -> bool:
    """Whether facts about the buyer could turn the verdict."""
    return verdict.outcome is Outcome.REQUEST_REQUIRED and (
        settings.bypass_policy is not BypassPolicy.NEVER or settings.audience is not Audience.ALL_BUYERS
    )


def verdict_of(rules: GateRules, at: datetime) -> Verdict:
    """What holds for a buyer of whom nothing is known."""
    away = unavailability(rules.seller_calendar, rules.listing_calendar, at)
    if away is not None:
        return _unavailable(rules, away)
    switched = switches(rules, at)
    verdict = _clock(rules, at) if switched is None else switched
    begins = _earliest(rules.seller_calendar.next_absence(at), rules.listing_calendar.next_absence(at))
    if begins is None:
        return verdict
    return replace(verdict, next_change_time=_earliest(verdict.next_change_time, begins))


def for_buyer(rules: GateRules, verdict: Verdict, facts: BuyerFacts, at: datetime) -> Verdict:
    """`verdict` as it holds for one buyer: a request that he need not send becomes ALLOWED."""
    settings = rules.compiled.settings
    is_known = facts.offers or facts.has_confirmed_order or facts.verification is not None
    if not (is_known and asks_for_buyer(settings, verdict)):
        return verdict
    offers = [offer for offer in facts.offers if offer.package == rules.package]
    if settings.bypass_policy is not BypassPolicy.NEVER:
        held = _open_offer(offers, at)
        if held is not None:
            said = "The buyer holds an open offer of the seller for this package and may order at once."
            ends = _earliest(verdict.next_change_time, held.expire_time)
            return _passes(verdict, GateReason.OPEN_OFFER, said, offer=held.offer, ends=ends)
        if offers and settings.bypass_policy is BypassPolicy.ANY_PAST_OFFER:
            said = "The seller offered this package to the buyer before, who may therefore order at once."
            ends = verdict.next_change_time
            return _passes(verdict, GateReason.PAST_OFFER, said, offer=offers[0].offer, ends=ends)
    if settings.audience.spares_returning and facts.has_confirmed_order:
        said = "The buyer has a confirmed order with the seller, who asks new buyers only."
        return _passes(verdict, GateReason.RETURNING_BUYER, said, offer="", ends=verdict.next_change_time)
    verification = facts.verification
    if settings.audience.spares_verified and verification is not None and verification.holds(at):
        said = "The buyer is verified, and the seller does not ask verified buyers."
        ends = _earliest(verdict.next_change_time, verification.expire_time)
        return _passes(verdict, GateReason.VERIFIED_BUYER, said, offer="", ends=ends)
    return verdict


def _passes(
    verdict: Verdict, reason: GateReason, explanation: str, *, offer: str, ends: datetime | None
) -> Verdict:
    return replace(
        verdict,
        outcome=Outcome.ALLOWED,
        reason=reason,
        explanation=explanation,
        matched_window="",
        next_change_time=ends,
        offer=offer,
    )


def _open_offer(offers: list[HeldOffer], at: datetime) -> HeldOffer | None:
    """Of the open ones that which stays open longest, so that nothing changes before it expires."""
    found: HeldOffer | None = None
    for offer in offers:
        if not offer.is_open or (offer.expire_time is not None and offer.expire_time <= at):
            continue
        if offer.expire_time is None:
            return offer
        if found is None or found.expire_time is None or offer.expire_time > found.expire_time:
            found = offer
    return found


def _unavailable(rules: GateRules, away: Unavailability) -> Verdict:
    reason = GateReason.SELLER_UNAVAILABLE if away.by_seller else GateReason.LISTING_UNAVAILABLE
    who = "The seller" if away.by_seller else "The listing"
    when = "" if away.until is None else f" until {_wall(rules, away.until)}"
    requests = "and no requests either" if away.messages_closed else "but a request can be sent"
    return Verdict(
        Outcome.UNAVAILABLE,
        reason,
        f"{who} takes no orders{when}, {requests}.",
        next_change_time=away.next_change_time,
        unavailable_until=away.until,
        messages_closed=away.messages_closed,
    )


def switches(rules: GateRules, at: datetime) -> Verdict | None:
    """ALLOWED where the gate does not apply, whatever the clock says."""
    settings = rules.compiled.settings
    if rules.listing.intake is not Intake.INSTANT:
        said = "Orders for this listing wait for the seller anyway, so the gate does not apply."
        return Verdict(Outcome.ALLOWED, GateReason.INTAKE_NOT_INSTANT, said)
    if not settings.enabled:
        said = "The seller accepts orders automatically."
        return Verdict(Outcome.ALLOWED, GateReason.SWITCHED_OFF, said)
    if not rules.plan.entitled(at):
        said = "The seller's plan does not include the gate, so orders are accepted automatically."
        return Verdict(Outcome.ALLOWED, GateReason.NOT_ENTITLED, said)
    lapse = rules.plan.expire_time
    if rules.listing.name in rules.compiled.excluded:
        said = "The seller switched the gate off for this listing."
        return Verdict(Outcome.ALLOWED, GateReason.LISTING_EXCLUDED, said, next_change_time=lapse)
    if not (settings.scope.all_packages or rules.package in rules.compiled.packages):
        said = "The seller does not gate this package."
        return Verdict(Outcome.ALLOWED, GateReason.OUT_OF_SCOPE, said, next_change_time=lapse)
    return None


def clock_rule(compiled: CompiledSettings, at: datetime) -> tuple[Outcome, GateReason, str]:
    """What the clock says to a buyer of a seller who has room for orders, by which rule, and the window or
    override that matched. It depends only on the local date, weekday and minute of `at`.
    """
    if compiled.settings.capacity_only:
        return Outcome.ALLOWED, GateReason.BELOW_CAPACITY, ""
    match = compiled.timetable.is_active(at)
    if match is not None:
        return Outcome.REQUEST_REQUIRED, *_cause(compiled, match)
    day = local_time(at, compiled.zone).date()
    if day in compiled.overrides:
        return Outcome.ALLOWED, GateReason.OVERRIDE_OPEN, f"{day} open"
    return Outcome.ALLOWED, GateReason.OUTSIDE_WINDOWS, ""


def _clock(rules: GateRules, at: datetime) -> Verdict:
    compiled = rules.compiled
    ends = rules.plan.expire_time
    outcome, reason, matched = clock_rule(compiled, at)
    if rules.is_full and outcome is Outcome.ALLOWED:
        said = "The seller has as many open orders as he takes at once: an order request is needed."
        return Verdict(Outcome.REQUEST_REQUIRED, GateReason.AT_CAPACITY, said, next_change_time=ends)
    if reason is GateReason.BELOW_CAPACITY:
        said = "The seller has fewer open orders than he takes at once: order at once."
        return Verdict(outcome, reason, said, next_change_time=ends)
    if not rules.is_full:
        # A full seller is asked first before a window, in it and after it.
        ends = _earliest(compiled.timetable.next_change(at), ends)
    where = {
        GateReason.ALWAYS: "and the seller always wants to be asked first: an order request is needed",
        GateReason.INSIDE_WINDOW: f"inside the seller's window {matched}: an order request is needed",
        GateReason.OVERRIDE_CLOSED: f"under the seller's rule for the day ({matched}): "
        "an order request is needed",
        GateReason.OVERRIDE_OPEN: "and the seller opened the gate for the day: order at once",
        GateReason.OUTSIDE_WINDOWS: "outside of the seller's windows: order at once",
    }[reason]
    return Verdict(outcome, reason, f"It is {_wall(rules, at)}, {where}.", matched, ends)


def _cause(compiled: CompiledSettings, match: Match) -> tuple[GateReason, str]:
    span = f"{format_hhmm(match.span.start_minute)}-{format_hhmm(match.span.end_minute)}"
    if match.override is not None:
        day = match.override.date
        closed = compiled.overrides[day].rule is DayRule.CLOSED
        return GateReason.OVERRIDE_CLOSED, f"{day} closed" if closed else f"{day} {span}"
    if not compiled.settings.windows:
        return GateReason.ALWAYS, ""
    return GateReason.INSIDE_WINDOW, f"{WEEKDAYS[match.local.weekday()]} {span}"


def _wall(rules: GateRules, at: datetime) -> str:
    return f"{at.astimezone(rules.compiled.zone):%a %Y-%m-%d %H:%M} ({rules.compiled.settings.time_zone})"


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((instant for instant in instants if instant is not None), default=None)
