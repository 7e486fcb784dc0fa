"""Accept, withdraw, expire and counter meet on one offer, in every interleaving of reading and writing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal
from services.offers.domain import offer as offers
from services.offers.domain.chain import Offer, State
from services.offers.domain.offer import Consent
from tests.unit.offers.negotiation import HOUR, NOW, opened, terms

Move = Callable[[Offer, int], tuple[Offer, Any]]


@dataclass
class Row:
    """One row with compare-and-set, as the repository has it."""

    offer: Offer
    events: list[Any] = field(default_factory=list)

    def save(self, changed: Offer, event: Any, *, expected: int) -> bool:
        if self.offer.version != expected:
            return False
        self.offer = changed
        self.events.append(event)
        return True


def moves(last_minute: bool) -> dict[str, Move]:
    """The contestants. The sweeper's clock has reached the expiry; whether the others' has, is drawn."""
    now = NOW if last_minute else NOW + HOUR
    return {
        "accept": lambda offer, seen: offers.accept(
            offer, actor=Actor.BUYER, seen=seen, consent=Consent(), now=now
        ),
        "counter": lambda offer, seen: offers.counter(
            offer, actor=Actor.BUYER, seen=seen, terms=terms(1), note="", now=now
        ),
        "withdraw": lambda offer, seen: offers.withdraw(offer, actor=Actor.SELLER, now=now),
        "expire": lambda offer, seen: offers.expire(offer, now=NOW + HOUR),
    }


@pytest.mark.covers("X02", "X03")
@given(
    steps=st.permutations([*["accept", "counter", "withdraw", "expire"] * 2]),
    last_minute=st.booleans(),
)
def test_exactly_one_wins(steps: list[str], last_minute: bool) -> None:
    """The first mention of a contestant is its reading, the second its writing; a loser tries again."""
    row = Row(opened(terms(expire_time=NOW + HOUR)))
    contestants = moves(last_minute)
    read: dict[str, Offer] = {}
    succeeded: list[str] = []
    for name in steps:
        if name not in read:
            read[name] = row.offer
        elif play(row, contestants[name], read[name]):
            succeeded.append(name)
    finals = [name for name in succeeded if name != "counter"]
    assert len(finals) == 1
    assert row.offer.state in {State.ACCEPTED, State.WITHDRAWN, State.EXPIRED}
    if not last_minute:
        assert succeeded == ["expire"]
    if "accept" in succeeded:
        assert "counter" not in succeeded
        assert row.offer.acceptance is not None
        assert row.offer.acceptance.revision == 1
    assert [event.offer.version for event in row.events] == sorted(
        event.offer.version for event in row.events
    )


def play(row: Row, move: Move, seen: Offer) -> bool:
    """Whether the move was made, on what was read or, had that changed meanwhile, on what stands now."""
    for base in (seen, row.offer):
        try:
            changed, event = move(base, seen.revision.number)
        except Refusal:
            continue
        if event is not None and row.save(changed, event, expected=base.version):
            return True
    return False
