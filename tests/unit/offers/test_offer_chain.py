"""A negotiation as hypothesis plays it: any order of moves, by anybody, at any time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal
from services.offers.domain import chain, reviewing
from services.offers.domain import offer as offers
from services.offers.domain.chain import Author, Offer, Revision, State
from services.offers.domain.offer import Consent
from services.offers.domain.review import OWNER, lack
from services.offers.domain.terms import Expiry, Terms
from tests.unit.offers.negotiation import AGENT, NOW, drafted, terms

PARTIES = st.sampled_from([Actor.BUYER, Actor.SELLER])
AMOUNTS = st.integers(min_value=1, max_value=10**9)
LIFETIMES = st.none() | st.integers(min_value=1, max_value=48)
OFFSETS = st.sampled_from([0, 0, 0, -1, 1])


class Chain(RuleBasedStateMachine):
    """Holds what every reader of the chain relies on after any sequence of moves."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.offer: Offer = drafted()
        self.revisions: dict[int, Revision] = {1: self.offer.revision}
        self.winners: list[State] = []
        self.told: list[Any] = []
        self.refused = ""

    # ---------------------------------------------------------------------------------------- moves

    @rule(hours=st.integers(min_value=1, max_value=24))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(actor=PARTIES)
    def send(self, actor: Actor) -> None:
        self.play(lambda: offers.send(self.offer, actor=actor, now=self.now))

    @rule(actor=PARTIES)
    def open(self, actor: Actor) -> None:
        self.play(lambda: offers.open_(self.offer, actor=actor, now=self.now))

    @rule(actor=PARTIES, amount=AMOUNTS, lifetime=LIFETIMES, offset=OFFSETS)
    def revise(self, actor: Actor, amount: int, lifetime: int | None, offset: int) -> None:
        proposal = self.proposal(amount, lifetime)
        seen = self.offer.revision.number + offset
        self.play(
            lambda: offers.revise(self.offer, actor=actor, seen=seen, terms=proposal, note="", now=self.now),
            seen=seen,
        )

    @rule(actor=PARTIES, amount=AMOUNTS, lifetime=LIFETIMES, offset=OFFSETS)
    def counter(self, actor: Actor, amount: int, lifetime: int | None, offset: int) -> None:
        before, proposal = self.offer, self.proposal(amount, lifetime)
        seen = before.revision.number + offset
        moved = self.play(
            lambda: offers.counter(before, actor=actor, seen=seen, terms=proposal, note="", now=self.now),
            seen=seen,
        )
        if moved:
            assert self.offer.revision.author is not before.revision.author

    @rule(actor=PARTIES, offset=OFFSETS)
    def accept(self, actor: Actor, offset: int) -> None:
        before, seen = self.offer, self.offer.revision.number + offset
        moved = self.play(
            lambda: offers.accept(before, actor=actor, seen=seen, consent=Consent(), now=self.now),
            seen=seen,
        )
        if moved:
            expire_time = before.revision.terms.expire_time
            assert actor is Actor.BUYER
            assert before.revision.author is Author.SELLER
            assert before.state is State.OPEN
            assert expire_time is None or self.now < expire_time

    @rule(actor=PARTIES)
    def decline(self, actor: Actor) -> None:
        self.play(lambda: offers.decline(self.offer, actor=actor, seen=0, reason="", now=self.now))

    @rule(actor=st.sampled_from([Actor.BUYER, Actor.SELLER, Actor.SERVICE]))
    def withdraw(self, actor: Actor) -> None:
        self.play(lambda: offers.withdraw(self.offer, actor=actor, now=self.now))

    @rule()
    def sweep(self) -> None:
        self.play(lambda: offers.expire(self.offer, now=self.now))

    @precondition(lambda self: self.offer.state_at(self.now) is State.EXPIRED)
    @rule(actor=PARTIES, lifetime=LIFETIMES)
    def revive(self, actor: Actor, lifetime: int | None) -> None:
        expire_time = None if lifetime is None else self.now + timedelta(hours=lifetime)
        self.play(lambda: offers.revive(self.offer, actor=actor, expiry=Expiry(expire_time), now=self.now))

    @precondition(lambda self: self.offer.state_at(self.now) is State.EXPIRED)
    @rule(actor=PARTIES)
    def request_new_quote(self, actor: Actor) -> None:
        self.play(lambda: offers.request_new_quote(self.offer, actor=actor, text="", now=self.now))

    @rule(actor=PARTIES)
    def submit(self, actor: Actor) -> None:
        self.play(
            lambda: (
                reviewing.submit(self.offer, actor=actor, user="u", clearance=AGENT, text="", now=self.now),
                None,
            )
        )

    @rule(actor=PARTIES, approved=st.booleans())
    def decide(self, actor: Actor, approved: bool) -> None:
        if approved:
            self.play(lambda: (reviewing.approve(self.offer, actor=actor, user="o", now=self.now), None))
        else:
            self.play(
                lambda: (
                    reviewing.give_back(self.offer, actor=actor, user="o", text="", now=self.now),
                    None,
                )
            )

    # ---------------------------------------------------------------------------------------- play

    def proposal(self, amount: int, lifetime: int | None) -> Terms:
        return terms(amount, expire_time=None if lifetime is None else self.now + timedelta(hours=lifetime))

    def play(self, move: Any, *, seen: int | None = None) -> bool:
        """Makes a move if the rules allow it; whether they did and something changed."""
        before = self.offer
        try:
            after, told = move()
        except Refusal as refusal:
            self.refused = refusal.reason
            return False
        assert seen in {None, 0, before.revision.number}
        if after == before:
            assert not told
            return False
        events = [event for event in (told if isinstance(told, tuple) else (told,)) if event is not None]
        self.told.extend(events)
        if after.is_sent:
            assert [event.offer.version for event in events] == list(
                range(before.version + 1, after.version + 1)
            )
            assert events[-1].offer == after
        else:
            assert not events
        if after.state in {State.ACCEPTED, State.DECLINED, State.WITHDRAWN}:
            self.winners.append(after.state)
        if after.revision.number != before.revision.number:
            assert after.revision.number == before.revision.number + 1
            self.revisions[after.revision.number] = after.revision
        self.offer = after
        return True

    # ---------------------------------------------------------------------------------------- always

    @invariant()
    def there_is_at_most_one_winner(self) -> None:
        assert len(self.winners) <= 1
        if self.winners:
            assert self.offer.state is self.winners[0]

    @invariant()
    def revisions_are_frozen(self) -> None:
        assert self.offer.revision == self.revisions[self.offer.revision.number]
        assert list(self.revisions) == list(range(1, self.offer.revision.number + 1))

    @invariant()
    def acceptance_belongs_to_the_accepted_state(self) -> None:
        assert (self.offer.acceptance is not None) is (self.offer.state is State.ACCEPTED)
        if self.offer.acceptance:
            assert self.offer.acceptance.revision == self.offer.revision.number

    @invariant()
    def one_currency_from_the_first_sending_on(self) -> None:
        assert len({revision.total.currency for revision in self.revisions.values()}) == 1

    @invariant()
    def versions_of_events_are_unique(self) -> None:
        versions = [event.offer.version for event in self.told]
        assert len(set(versions)) == len(versions)

    @invariant()
    def what_is_offered_is_what_is_possible(self) -> None:
        for actor in (Actor.BUYER, Actor.SELLER):
            for action in chain.actions(self.offer, actor, now=self.now):
                blocked = chain.obstacle(self.offer, action.action, actor, now=self.now)
                if blocked is None and actor is Actor.SELLER:
                    blocked = lack(self.offer, action.action, OWNER)
                assert action.allowed is (blocked is None)
                assert action.reason == (blocked.reason if blocked else "")


TestChain = pytest.mark.covers("X02", "X03")(
    type("TestChain", (Chain.TestCase,), {"settings": settings(max_examples=150, stateful_step_count=40)})
)
