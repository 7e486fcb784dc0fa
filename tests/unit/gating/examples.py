"""The seller, listing and buyer that the tests of gating speak of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chassis.kernel.money import Money
from chassis.kernel.timetable import EVERY_DAY, Window
from services.gating.domain.availability import Availability
from services.gating.domain.calendar import Absence, Calendar
from services.gating.domain.catalogue import Intake, Listing, Package
from services.gating.domain.gate import (
    NOTHING_KNOWN,
    BuyerFacts,
    CompiledSettings,
    GateDecision,
    GateRules,
    decision,
    for_buyer,
    verdict_of,
)
from services.gating.domain.order_request import (
    Needs,
    OrderRequest,
    Submission,
    submit,
)
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.request_offers import OfferFact, OfferState
from services.gating.domain.request_rules import RequestRules
from services.gating.domain.settings import DayOverride, OrderSettings, Scope

SELLER = "sellers/acme"
BUYER = "users/ana"
LISTING = "sellers/acme/listings/logo"
PACKAGE = f"{LISTING}/packages/basic"
OTHER_PACKAGE = f"{LISTING}/packages/premium"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
NIGHTS = (Window(EVERY_DAY, 0, 360), Window(EVERY_DAY, 1260, 1440))
"""00:00-06:00 and 21:00-24:00 every day."""

REQUEST_ID = "01900000-0000-7000-8000-000000000001"
FIRST_OFFER = "offers/01900000-0000-7000-8000-000000000101"
SECOND_OFFER = "offers/01900000-0000-7000-8000-000000000102"
ORDER = "orders/01900000-0000-7000-8000-000000000101"


def at(text: str) -> datetime:
    """An instant; UTC unless the text says otherwise."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day(text: str) -> date:
    return date.fromisoformat(text)


def settings_with(**changes: Any) -> OrderSettings:
    """Enabled, all packages, always, in Berlin, at version 3."""
    base = OrderSettings(
        SELLER, enabled=True, scope=Scope(all_packages=True), time_zone="Europe/Berlin", version=3
    )
    return replace(base, **changes)


def nights(zone: str = "Europe/Berlin", *, overrides: Iterable[DayOverride] = ()) -> OrderSettings:
    return settings_with(time_zone=zone, windows=NIGHTS, overrides=tuple(overrides))


def package(name: str = PACKAGE) -> Package:
    return Package(name, "Basic logo", Money("EUR", 10_000), 5)


def listing(intake: Intake = Intake.INSTANT) -> Listing:
    return Listing(LISTING, "Logo design", intake, True, (package(), package(OTHER_PACKAGE)), 1)


def rules(
    settings: OrderSettings | None = None,
    *,
    plan: SellerPlan | None = None,
    seller: Availability | Calendar | None = None,
    of_listing: Availability | Calendar | None = None,
    intake: Intake = Intake.INSTANT,
    for_package: str = PACKAGE,
) -> GateRules:
    """A premium seller who is available, unless said otherwise."""
    return GateRules(
        for_package,
        CompiledSettings(settings or settings_with()),
        plan or SellerPlan(SELLER, Tier.PREMIUM),
        _calendar(seller or Availability(SELLER)),
        listing(intake),
        _calendar(of_listing or Availability(LISTING)),
    )


def _calendar(found: Availability | Calendar) -> Calendar:
    return found if isinstance(found, Calendar) else Calendar(found)


def absence(start: datetime, end: datetime, *, closed: bool = False, subject: str = SELLER) -> Absence:
    return Absence("1", subject, start, end, closed, "", "users/owner", start - timedelta(days=1))


def decide(
    found: GateRules, instant: datetime = NOON, facts: BuyerFacts = NOTHING_KNOWN, buyer: str = BUYER
) -> GateDecision:
    verdict = for_buyer(found, verdict_of(found, instant), facts, instant)
    return decision(found, verdict, buyer=buyer, at=instant)


def submitted(*, now: datetime = NOON, ttl: timedelta = timedelta(days=7), **changes: Any) -> OrderRequest:
    """A request; `changes` are those of its rules."""
    came_under = replace(RequestRules(ttl), **changes)
    found = decide(rules(), now)
    submission = Submission(REQUEST_ID, listing(), package(), Needs("A logo"), found, came_under)
    return submit(submission, now=now)[0]


def offer_fact(
    state: OfferState = OfferState.OPEN, *, name: str = FIRST_OFFER, version: int = 2, **changes: Any
) -> OfferFact:
    fact = OfferFact(
        name=name,
        version=version,
        seller=SELLER,
        buyer=BUYER,
        order_request=f"orderRequests/{REQUEST_ID}",
        order=ORDER if state is OfferState.ACCEPTED else "",
        package=PACKAGE,
        state=state,
        by_seller=True,
        expire_time=None,
    )
    return replace(fact, **changes)
