"""How a negotiation is to go: drawn from a seed, so that the same seed gives the same negotiations."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from stack.demo.api import Api, Party
from stack.demo.marketplace import Marketplace, Package
from stack.demo.terms import instant_of

ROUNDS_MAX: Final = 3
# A package whose gate is about to open or close could change sides in the middle of a negotiation.
STEADY: Final = timedelta(minutes=20)


class Kind(StrEnum):
    """How a negotiation ends."""

    ACCEPTED = "accepted"
    COUNTERED = "countered, then accepted"
    OFFLINE = "accepted, paid offline"
    SOFT_DECLINE = "accepted, card declined once"
    HARD_DECLINE = "accepted, card refused"
    LOST_ANSWER = "accepted, provider's answer lost"
    QUOTED = "quote accepted, then confirmed"
    INSTANT = "ordered at once"
    DECLINED = "offer declined"
    APPROVED = "approved by the owner, accepted"
    REVIVED = "expired, asked for anew, revived, accepted"
    COMPLETED = "accepted, delivered twice, completed"
    CANCELLED = "accepted, then cancelled"
    WITHDRAWN = "offer withdrawn"
    EXPIRED = "offer expired"
    REQUEST_DECLINED = "request declined"
    REQUEST_WITHDRAWN = "request withdrawn"


WEIGHTS: Final[Mapping[Kind, int]] = {
    Kind.ACCEPTED: 16,
    Kind.COUNTERED: 16,
    Kind.APPROVED: 5,
    Kind.REVIVED: 4,
    Kind.COMPLETED: 8,
    Kind.CANCELLED: 4,
    Kind.OFFLINE: 6,
    Kind.SOFT_DECLINE: 6,
    Kind.HARD_DECLINE: 3,
    Kind.QUOTED: 7,
    Kind.INSTANT: 5,
    Kind.DECLINED: 5,
    Kind.WITHDRAWN: 4,
    Kind.EXPIRED: 4,
    Kind.REQUEST_DECLINED: 4,
    Kind.REQUEST_WITHDRAWN: 3,
}
"""LOST_ANSWER is drawn only where it is asked for: its payment settles when the provider is asked again."""


@dataclass(frozen=True, slots=True)
class Script:
    """One negotiation before it is played. `discount_percent` is what the buyer's counter-offers ask for."""

    number: int
    kind: Kind
    package: Package
    asks_information: bool
    rounds: int
    discount_percent: int


@dataclass(frozen=True, slots=True)
class Stalls:
    """The packages of a marketplace by the way in which they can be bought now."""

    on_request: Sequence[Package]
    at_once: Sequence[Package]
    by_quote: Sequence[Package]

    def for_kind(self, kind: Kind) -> Sequence[Package]:
        """Those that a negotiation of this kind can be about."""
        if kind is Kind.INSTANT:
            return self.at_once
        return self.by_quote if kind is Kind.QUOTED else self.on_request


async def survey(api: Api, marketplace: Marketplace, buyer: Party) -> Stalls:
    """Ask the gate about every package, as a buyer who never bought anything."""
    on_request, at_once, by_quote = [], [], []
    for listing in marketplace.listings():
        for package in listing.packages:
            if listing.intake == "BY_QUOTE":
                by_quote.append(package)
            elif listing.intake == "INSTANT":
                decision = (await buyer.post(f"{package.name}:evaluateGate"))["decision"]
                if not _is_steady(decision.get("nextChangeTime")):
                    continue
                if decision["outcome"] == "OUTCOME_REQUEST_REQUIRED":
                    on_request.append(package)
                elif decision["outcome"] == "OUTCOME_ALLOWED":
                    at_once.append(package)
    return Stalls(on_request, at_once, by_quote)


def draw(
    count: int, *, seed: int, stalls: Stalls, weights: Mapping[Kind, int] = WEIGHTS
) -> tuple[Script, ...]:
    """`count` scripts; ValueError if the marketplace has no package for a kind."""
    for kind in weights:
        if not stalls.for_kind(kind):
            raise ValueError(f"no package of the marketplace can be {kind.value!r} now")
    chance = random.Random(seed)  # noqa: S311 - reproducible, and no secret
    kinds = chance.choices(list(weights), list(weights.values()), k=count)
    return tuple(
        Script(
            number=number,
            kind=kind,
            package=chance.choice(stalls.for_kind(kind)),
            asks_information=chance.random() < 0.4,
            rounds=chance.randint(1, ROUNDS_MAX),
            discount_percent=chance.randint(3, 15),
        )
        for number, kind in enumerate(kinds, start=1)
    )


def _is_steady(next_change: str | None) -> bool:
    return next_change is None or instant_of(next_change) > datetime.now(UTC) + STEADY
