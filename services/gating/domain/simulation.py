"""What settings would have said to placements of the past. Pure; the rules are those of the gate itself.

What the clock says depends on the local weekday and minute alone, or on date and minute where a day has an
override. So the clock is asked once for each of these and not once for each placement.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from chassis.kernel.timetable import MINUTES_PER_DAY
from services.gating.domain import gate
from services.gating.domain.availability import Availability
from services.gating.domain.calendar import Calendar
from services.gating.domain.catalogue import Intake, Listing, listing_of
from services.gating.domain.gate import (
    BuyerFacts,
    CompiledSettings,
    GateReason,
    GateRules,
    HeldOffer,
    Outcome,
    Verdict,
)
from services.gating.domain.plan import SellerPlan, Tier
from services.gating.domain.settings import OrderSettings
from services.gating.domain.verification import BuyerVerification

LONGEST_PERIOD: Final = timedelta(days=366)
DEFAULT_EXAMPLES: Final = 5
MAX_PLACEMENTS: Final = 1_000_000
"""Placements of one simulation."""


class Placement(NamedTuple):
    """An order that was placed, or a request that was submitted instead (`is_request`)."""

    name: str
    package: str
    buyer: str
    intake: Intake
    time: datetime
    is_request: bool = False


@dataclass(frozen=True, slots=True)
class PastOffer:
    """An offer for `package` as a buyer held it from `since` until before `until`; None: he still does."""

    offer: str
    package: str
    since: datetime
    until: datetime | None = None
    expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class BuyerHistory:
    """What is known of a buyer: his first confirmed order with the seller; his offers of the seller, and what
    was said of his verification, newest first.
    """

    first_order: str = ""
    first_confirm_time: datetime | None = None
    offers: tuple[PastOffer, ...] = ()
    verifications: tuple[BuyerVerification, ...] = ()

    def facts(self, placement: Placement) -> BuyerFacts:
        """What the gate would have known when he placed; not what he placed itself."""
        at, first = placement.time, self.first_confirm_time
        is_returning = first is not None and first < at and self.first_order != placement.name
        held = tuple(
            HeldOffer(offer.offer, offer.package, offer.until is None or at < offer.until, offer.expire_time)
            for offer in self.offers
            if offer.since <= at
        )
        said = (one for one in self.verifications if one.set_time is not None and one.set_time <= at)
        return BuyerFacts(is_returning, held, next(said, None))


NO_HISTORY: Final = BuyerHistory()


class Workload:
    """How many orders were open at an instant: those confirmed before it that were not over by then."""

    def __init__(self, confirmed: Sequence[datetime] = (), ended: Sequence[datetime] = ()) -> None:
        self._confirmed, self._ended = sorted(confirmed), sorted(ended)

    def open_at(self, at: datetime) -> int:
        """The number. An order that is confirmed at this very instant is not yet counted."""
        return bisect_left(self._confirmed, at) - bisect_left(self._ended, at)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What would have been said to a placement, and why."""

    outcome: Outcome
    reason: GateReason
    matched_window: str = ""
    offer: str = ""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How many placements one rule would have decided; some were `orders` in truth, some `requests`."""

    outcome: Outcome
    reason: GateReason
    matched_window: str
    orders: int
    requests: int

    @property
    def placements(self) -> int:
        """All of them."""
        return self.orders + self.requests


@dataclass(frozen=True, slots=True)
class Example:
    """One placement, with what would have been said to it; `local_time` is ISO 8601 with offset."""

    placement: Placement
    local_time: str
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Report:
    """What a simulation found. `rules`: the one with most placements first."""

    settings_version: int
    rules: tuple[RuleCount, ...]
    examples: tuple[Example, ...]

    @property
    def sample_size(self) -> int:
        """How many placements were judged."""
        return sum(rule.placements for rule in self.rules)

    @property
    def gated(self) -> int:
        """How many would have needed a request."""
        return sum(rule.placements for rule in self.rules if rule.outcome is Outcome.REQUEST_REQUIRED)

    @property
    def newly_gated(self) -> int:
        """Orders that would have needed a request first."""
        return sum(rule.orders for rule in self.rules if rule.outcome is Outcome.REQUEST_REQUIRED)

    @property
    def newly_instant(self) -> int:
        """Requests that would have been orders at once."""
        return sum(rule.requests for rule in self.rules if rule.outcome is Outcome.ALLOWED)


class _Tally:
    """What is counted of one rule; `examples` are shared by all rules of a reason."""

    __slots__ = ("examples", "is_gated", "judgement", "orders", "requests")

    def __init__(self, judgement: Judgement, examples: list[Example]) -> None:
        self.judgement = judgement
        self.is_gated = judgement.outcome is Outcome.REQUEST_REQUIRED
        self.examples = examples
        self.orders = self.requests = 0


class Simulation:
    """Judges placements by some settings, in any number of portions."""

    def __init__(
        self,
        settings: OrderSettings,
        *,
        workload: Workload | None = None,
        max_examples: int = DEFAULT_EXAMPLES,
    ) -> None:
        self._compiled = CompiledSettings(settings)
        self._spares_returning = settings.audience.spares_returning
        self._spares_verified = settings.audience.spares_verified
        self._workload = workload or Workload()
        self._max_examples = max_examples
        self._tallies: dict[Judgement, _Tally] = {}
        self._examples: dict[GateReason, list[Example]] = {}
        self._full = self._tally(Judgement(Outcome.REQUEST_REQUIRED, GateReason.AT_CAPACITY))
        # Memories: of the packages by intake, and of the clock by weekday, or date, and minute.
        self._packages: dict[str, dict[str, tuple[GateRules, _Tally | None]]] = {i.value: {} for i in Intake}
        self._weeks: dict[int, _Tally] = {}
        self._days: dict[tuple[date, int], _Tally] = {}

    def judge(self, placement: Placement, history: BuyerHistory = NO_HISTORY) -> Judgement:
        """What the settings would have said."""
        tally, offer = self._weigh(placement, history)
        return replace(tally.judgement, offer=offer) if offer else tally.judgement

    def add(self, placements: Iterable[Placement], histories: Mapping[str, BuyerHistory | None]) -> None:
        """Judges placements in the order of time; `histories` by buyer, those who have any."""
        zone, max_examples = self._compiled.zone, self._max_examples
        for placement in placements:
            tally, offer = self._weigh(placement, histories.get(placement.buyer) or NO_HISTORY)
            if placement.is_request:
                tally.requests += 1
            else:
                tally.orders += 1
            if len(tally.examples) < max_examples:
                found = replace(tally.judgement, offer=offer)
                tally.examples.append(Example(placement, placement.time.astimezone(zone).isoformat(), found))

    def report(self) -> Report:
        """What was found so far."""
        rules = [
            RuleCount(one.outcome, one.reason, one.matched_window, tally.orders, tally.requests)
            for one, tally in self._tallies.items()
            if tally.orders or tally.requests
        ]
        rules.sort(key=lambda rule: (-rule.placements, rule.reason.value, rule.matched_window))
        examples = (example for reason in GateReason for example in self._examples.get(reason, ()))
        return Report(self._compiled.settings.version, tuple(rules), tuple(examples))

    def _weigh(self, placement: Placement, history: BuyerHistory) -> tuple[_Tally, str]:
        rules, switched = self._package(placement)
        if switched is not None:
            return switched, ""
        tally = self._by_clock(placement.time)
        if not tally.is_gated:
            limit = self._compiled.settings.max_open_orders
            if not limit or self._workload.open_at(placement.time) < limit:
                return tally, ""
            tally = self._full
        # Most buyers have nothing that could let them pass.
        if not (
            history.offers
            or (self._spares_returning and history.first_confirm_time is not None)
            or (self._spares_verified and history.verifications)
        ):
            return tally, ""
        found = tally.judgement
        verdict = Verdict(found.outcome, found.reason, "", found.matched_window)
        passed = gate.for_buyer(rules, verdict, history.facts(placement), placement.time)
        if passed is verdict:
            return tally, ""
        return self._tally(Judgement(passed.outcome, passed.reason)), passed.offer

    def _tally(self, judgement: Judgement) -> _Tally:
        known = self._tallies.get(judgement)
        if known is None:
            examples = self._examples.setdefault(judgement.reason, [])
            known = self._tallies[judgement] = _Tally(judgement, examples)
        return known

    def _package(self, placement: Placement) -> tuple[GateRules, _Tally | None]:
        # By the text, whose hash is remembered: that of an enum's member is computed anew each time.
        of_intake = self._packages[placement.intake.value]
        known = of_intake.get(placement.package)
        if known is None:
            seller = self._compiled.settings.seller
            name = listing_of(placement.package)
            rules = GateRules(
                placement.package,
                self._compiled,
                SellerPlan(seller, Tier.PREMIUM),
                Calendar(Availability(seller)),
                Listing(name, "", placement.intake, True, (), 0),
                Calendar(Availability(name)),
            )
            verdict = gate.switches(rules, placement.time)
            switched = None if verdict is None else self._tally(Judgement(verdict.outcome, verdict.reason))
            known = of_intake[placement.package] = (rules, switched)
        return known

    def _by_clock(self, at: datetime) -> _Tally:
        local = at.astimezone(self._compiled.zone)
        minute = local.hour * 60 + local.minute
        overrides = self._compiled.overrides
        if overrides and (day := local.date()) in overrides:
            known = self._days.get((day, minute))
            if known is None:
                known = self._days[day, minute] = self._ask_clock(at)
            return known
        minute += local.weekday() * MINUTES_PER_DAY
        known = self._weeks.get(minute)
        if known is None:
            known = self._weeks[minute] = self._ask_clock(at)
        return known

    def _ask_clock(self, at: datetime) -> _Tally:
        return self._tally(Judgement(*gate.clock_rule(self._compiled, at)))
