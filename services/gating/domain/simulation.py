"""What settings would have said to placements of the past. Pure; the rules are those of the gate itself.

What does not change from one placement to the next is asked once: the clock for as long as the same window
covers the time, the switches for each package, and for each rule whether it spares a returning buyer.
Nothing is asked about a buyer before the gate would have stopped him.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

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
from services.gating.domain.settings import BypassPolicy, OrderSettings
from services.gating.domain.verification import BuyerVerification

LONGEST_PERIOD: Final = timedelta(days=366)
DEFAULT_EXAMPLES: Final = 5
MAX_PLACEMENTS: Final = 1_000_000
"""Placements of one simulation."""

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


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

    def is_returning(self, placement: Placement) -> bool:
        """Whether an order of his was confirmed when he placed; not what he placed itself."""
        first = self.first_confirm_time
        return first is not None and first < placement.time and self.first_order != placement.name

    def facts(self, placement: Placement) -> BuyerFacts:
        """What the gate would have known when he placed."""
        at = placement.time
        held = tuple(
            HeldOffer(offer.offer, offer.package, offer.until is None or at < offer.until, offer.expire_time)
            for offer in self.offers
            if offer.since <= at
        )
        said = (one for one in self.verifications if one.set_time is not None and one.set_time <= at)
        return BuyerFacts(self.is_returning(placement), held, next(said, None))


NO_HISTORY: Final = BuyerHistory()
_RETURNING: Final = BuyerFacts(has_confirmed_order=True)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a buyer's history can matter."""

    orders: bool
    offers: bool
    verifications: bool


class Workload:
    """When the seller had as many open orders as he takes: `turns` are the instants behind which he was full
    (True) or had room again, in the order of time. At first he has room.
    """

    def __init__(self, turns: Sequence[tuple[datetime, bool]] = ()) -> None:
        self._times = [time for time, _ in turns]
        self._full = [False, *(is_full for _, is_full in turns)]

    def is_full(self, at: datetime) -> bool:
        """Whether he was full. An order that is confirmed at this very instant is not yet counted."""
        return self._full[bisect_left(self._times, at)]


def turns(confirmed: Iterable[int], ended: Iterable[int], *, limit: int) -> list[tuple[int, bool]]:
    """The turns of a `Workload` out of when orders became open and when they ended to be; times are whole
    numbers of any unit. What happens at one time counts together.
    """
    found: list[tuple[int, bool]] = []
    count, is_full = 0, False
    changes = sorted([2 * time + 1 for time in confirmed] + [2 * time for time in ended])
    for change in changes:
        count += 1 if change & 1 else -1
        if (count >= limit) is not is_full:
            is_full = not is_full
            if found and found[-1][0] == change >> 1:
                # There and back at one time is no turn.
                found.pop()
            else:
                found.append((change >> 1, is_full))
    return found


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
    """What is counted of one rule; `examples` are shared by all rules of a reason. `asks_for_buyer`: whether
    something about the buyer could turn it.
    """

    __slots__ = ("asks_for_buyer", "examples", "judgement", "orders", "requests")

    def __init__(self, judgement: Judgement, examples: list[Example], *, asks_for_buyer: bool) -> None:
        self.judgement = judgement
        self.asks_for_buyer = asks_for_buyer
        self.examples = examples
        self.orders = self.requests = 0


class Undecided(NamedTuple):
    """A placement that is gated unless something is known of its buyer."""

    placement: Placement
    tally: _Tally


class Simulation:
    """Judges placements by some settings, in any number of portions."""

    def __init__(
        self,
        settings: OrderSettings,
        *,
        workload: Workload | None = None,
        max_examples: int = DEFAULT_EXAMPLES,
    ) -> None:
        self._settings = settings
        self._compiled = CompiledSettings(settings)
        self._workload = workload or Workload()
        self._max_examples = max_examples
        self._tallies: dict[Judgement, _Tally] = {}
        self._examples: dict[GateReason, list[Example]] = {}
        self._full = self._tally(Judgement(Outcome.REQUEST_REQUIRED, GateReason.AT_CAPACITY))
        # What is remembered: what the switches say of packages, and which rules spare whoever returns.
        self._instant: dict[str, _Tally | None] = {}
        self._others: dict[tuple[str, str], _Tally | None] = {}
        self._spared: dict[_Tally, _Tally] = {}
        # And what the clock says from `since` until before `until`.
        self._clock, self._since, self._until = self._full, _NEVER, _NEVER
        self.wanted = Wanted(
            orders=settings.audience.spares_returning,
            offers=settings.bypass_policy is not BypassPolicy.NEVER,
            verifications=settings.audience.spares_verified,
        )

    def judge(self, placement: Placement, history: BuyerHistory = NO_HISTORY) -> Judgement:
        """What the settings would have said."""
        tally, offer = self._unless_spared(placement, self._weigh(placement), history)
        return replace(tally.judgement, offer=offer) if offer else tally.judgement

    def weigh(self, placements: Iterable[Placement]) -> list[Undecided]:
        """Counts placements, given in the order of time; answers those for which `settle` needs to know the
        buyers.
        """
        undecided = []
        for placement in placements:
            tally = self._weigh(placement)
            if tally.asks_for_buyer:
                undecided.append(Undecided(placement, tally))
            else:
                self._count(placement, tally, "")
        return undecided

    def settle(self, undecided: Iterable[Undecided], histories: Mapping[str, BuyerHistory | None]) -> None:
        """Counts what `weigh` left open; `histories` by buyer, those who have any."""
        for placement, weighed in undecided:
            history = histories.get(placement.buyer)
            if history is None:
                self._count(placement, weighed, "")
            else:
                self._count(placement, *self._unless_spared(placement, weighed, history))

    def report(self) -> Report:
        """What was found so far."""
        rules = [
            RuleCount(one.outcome, one.reason, one.matched_window, tally.orders, tally.requests)
            for one, tally in self._tallies.items()
            if tally.orders or tally.requests
        ]
        rules.sort(key=lambda rule: (-rule.placements, rule.reason.value, rule.matched_window))
        examples = (example for reason in GateReason for example in self._examples.get(reason, ()))
        return Report(self._settings.version, tuple(rules), tuple(examples))

    def _count(self, placement: Placement, tally: _Tally, offer: str) -> None:
        if placement.is_request:
            tally.requests += 1
        else:
            tally.orders += 1
        if len(tally.examples) < self._max_examples:
            found = replace(tally.judgement, offer=offer)
            local_time = placement.time.astimezone(self._compiled.zone).isoformat()
            tally.examples.append(Example(placement, local_time, found))

    def _weigh(self, placement: Placement) -> _Tally:
        """What holds for a buyer of whom nothing is known."""
        if placement.intake is Intake.INSTANT:
            try:
                switched = self._instant[placement.package]
            except KeyError:
                switched = self._instant[placement.package] = self._ask_switches(placement)
        else:
            key = (placement.package, placement.intake.value)
            if key not in self._others:
                self._others[key] = self._ask_switches(placement)
            switched = self._others[key]
        if switched is not None:
            return switched
        at = placement.time
        if not self._since <= at < self._until:
            self._clock = self._tally(Judgement(*gate.clock_rule(self._compiled, at)))
            self._since, self._until = at, self._compiled.timetable.steady_until(at)
        is_open = self._clock.judgement.outcome is Outcome.ALLOWED
        if is_open and self._settings.max_open_orders and self._workload.is_full(at):
            return self._full
        return self._clock

    def _unless_spared(
        self, placement: Placement, weighed: _Tally, history: BuyerHistory
    ) -> tuple[_Tally, str]:
        """The rule for the buyer with this history, and his offer where that is the reason."""
        if not weighed.asks_for_buyer:
            return weighed, ""
        if history.offers or (self.wanted.verifications and history.verifications):
            passed = self._for_buyer(placement, weighed, history.facts(placement))
            return self._tally(passed), passed.offer
        if not (self.wanted.orders and history.is_returning(placement)):
            return weighed, ""
        if weighed not in self._spared:
            self._spared[weighed] = self._tally(self._for_buyer(placement, weighed, _RETURNING))
        return self._spared[weighed], ""

    def _for_buyer(self, placement: Placement, weighed: _Tally, facts: BuyerFacts) -> Judgement:
        found = weighed.judgement
        verdict = Verdict(found.outcome, found.reason, "", found.matched_window)
        passed = gate.for_buyer(self._rules(placement), verdict, facts, placement.time)
        return Judgement(passed.outcome, passed.reason, passed.matched_window, passed.offer)

    def _tally(self, judgement: Judgement) -> _Tally:
        rule = replace(judgement, offer="") if judgement.offer else judgement
        known = self._tallies.get(rule)
        if known is None:
            examples = self._examples.setdefault(rule.reason, [])
            asks = gate.asks_for_buyer(self._settings, Verdict(rule.outcome, rule.reason, ""))
            known = self._tallies[rule] = _Tally(rule, examples, asks_for_buyer=asks)
        return known

    def _ask_switches(self, placement: Placement) -> _Tally | None:
        verdict = gate.switches(self._rules(placement), placement.time)
        return None if verdict is None else self._tally(Judgement(verdict.outcome, verdict.reason))

    def _rules(self, placement: Placement) -> GateRules:
        seller, name = self._settings.seller, listing_of(placement.package)
        return GateRules(
            placement.package,
            self._compiled,
            SellerPlan(seller, Tier.PREMIUM),
            Calendar(Availability(seller)),
            Listing(name, "", placement.intake, True, (), 0),
            Calendar(Availability(name)),
        )
