"""Every state, command and actor of the offer, the refused combinations included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind, Refusal
from services.offers.domain import chain, reviewing
from services.offers.domain import offer as offers
from services.offers.domain.chain import (
    MACHINE,
    MAX_REVISIONS,
    Answer,
    Author,
    AutomaticAnswer,
    Offer,
    State,
)
from services.offers.domain.offer import Consent
from services.offers.domain.review import OWNER
from services.offers.domain.terms import Expiry
from tests.unit.offers.negotiation import AGENT, HOUR, NOW, countered, expired, in_state, opened, terms

LATER = NOW + 2 * HOUR


def by_rule(offer: Offer, actor: Actor, answer: Answer) -> tuple[Offer, Any]:
    """Nobody but the settings answers automatically, so the actor has to be asked of the table."""
    MACHINE.move(State.OPEN, "autoAccept", actor, name=offer.name)
    found = AutomaticAnswer(answer, offer.revision.number, LATER, 1, 90)
    return offers.answer_automatically(offer, found, consent=Consent(), now=LATER)


def quietly(before: Offer, after: Offer) -> tuple[Offer, None]:
    """A move that nobody outside the team is told of."""
    assert not before.is_sent
    return after, None


COMMANDS: dict[str, Callable[[Offer, Actor], tuple[Offer, Any]]] = {
    "send": lambda offer, actor: offers.send(offer, actor=actor, now=LATER),
    "open": lambda offer, actor: offers.open_(offer, actor=actor, now=LATER),
    "revise": lambda offer, actor: offers.revise(
        offer, actor=actor, seen=0, terms=terms(9_000), note="", now=LATER
    ),
    "counter": lambda offer, actor: offers.counter(
        offer, actor=actor, seen=offer.revision.number, terms=terms(9_000), note="", now=LATER
    ),
    "accept": lambda offer, actor: offers.accept(
        offer, actor=actor, seen=offer.revision.number, consent=Consent(), now=LATER
    ),
    "decline": lambda offer, actor: offers.decline(offer, actor=actor, seen=0, reason="", now=LATER),
    "withdraw": lambda offer, actor: offers.withdraw(offer, actor=actor, now=LATER),
    "revive": lambda offer, actor: offers.revive(offer, actor=actor, expiry=Expiry(), now=LATER),
    "autoAccept": lambda offer, actor: by_rule(offer, actor, Answer.ACCEPTED),
    "autoDecline": lambda offer, actor: by_rule(offer, actor, Answer.DECLINED),
    "submitForReview": lambda offer, actor: quietly(
        offer, reviewing.submit(offer, actor=actor, user="u", clearance=AGENT, text="", now=LATER)
    ),
    "approve": lambda offer, actor: quietly(
        offer, reviewing.approve(offer, actor=actor, user="u", now=LATER)
    ),
    "returnToDraft": lambda offer, actor: quietly(
        offer, reviewing.give_back(offer, actor=actor, user="u", text="", now=LATER)
    ),
    "requestNewQuote": lambda offer, actor: offers.request_new_quote(offer, actor=actor, text="", now=LATER),
}

# What happens, written down a second time: (state, newest author, command, actor) -> state after it.
ALLOWED: dict[tuple[State, Author, str, Actor], State] = {
    (State.DRAFT, Author.SELLER, "send", Actor.SELLER): State.OPEN,
    (State.DRAFT, Author.SELLER, "revise", Actor.SELLER): State.DRAFT,
    (State.DRAFT, Author.SELLER, "withdraw", Actor.SELLER): State.WITHDRAWN,
    (State.OPEN, Author.SELLER, "open", Actor.BUYER): State.OPEN,
    (State.OPEN, Author.SELLER, "revise", Actor.SELLER): State.OPEN,
    (State.OPEN, Author.SELLER, "counter", Actor.BUYER): State.OPEN,
    (State.OPEN, Author.SELLER, "accept", Actor.BUYER): State.ACCEPTED,
    (State.OPEN, Author.SELLER, "decline", Actor.BUYER): State.DECLINED,
    (State.OPEN, Author.SELLER, "withdraw", Actor.SELLER): State.WITHDRAWN,
    (State.OPEN, Author.SELLER, "withdraw", Actor.SERVICE): State.WITHDRAWN,
    (State.OPEN, Author.BUYER, "open", Actor.BUYER): State.OPEN,
    (State.OPEN, Author.BUYER, "revise", Actor.SELLER): State.OPEN,
    (State.OPEN, Author.BUYER, "counter", Actor.SELLER): State.OPEN,
    (State.OPEN, Author.BUYER, "decline", Actor.BUYER): State.DECLINED,
    (State.OPEN, Author.BUYER, "withdraw", Actor.SELLER): State.WITHDRAWN,
    (State.OPEN, Author.BUYER, "withdraw", Actor.SERVICE): State.WITHDRAWN,
    (State.DRAFT, Author.SELLER, "submitForReview", Actor.SELLER): State.IN_REVIEW,
    (State.IN_REVIEW, Author.SELLER, "approve", Actor.SELLER): State.DRAFT,
    (State.IN_REVIEW, Author.SELLER, "returnToDraft", Actor.SELLER): State.DRAFT,
    (State.IN_REVIEW, Author.SELLER, "withdraw", Actor.SELLER): State.WITHDRAWN,
    (State.OPEN, Author.BUYER, "autoAccept", Actor.SERVICE): State.ACCEPTED,
    (State.OPEN, Author.BUYER, "autoDecline", Actor.SERVICE): State.DECLINED,
    (State.EXPIRED, Author.SELLER, "revive", Actor.SELLER): State.OPEN,
    (State.EXPIRED, Author.SELLER, "requestNewQuote", Actor.BUYER): State.EXPIRED,
}
# Moves that happened already: nothing changes, nothing is told.
REPEATED: set[tuple[State, str, Actor]] = {
    (State.OPEN, "send", Actor.SELLER),
    (State.IN_REVIEW, "submitForReview", Actor.SELLER),
    (State.DECLINED, "decline", Actor.BUYER),
    (State.WITHDRAWN, "withdraw", Actor.SELLER),
    (State.WITHDRAWN, "withdraw", Actor.SERVICE),
}
NOT_YOUR_TURN: set[tuple[Author, str, Actor]] = {
    (Author.SELLER, "counter", Actor.SELLER),
    (Author.BUYER, "counter", Actor.BUYER),
    (Author.BUYER, "accept", Actor.BUYER),
    (Author.SELLER, "autoAccept", Actor.SERVICE),
    (Author.SELLER, "autoDecline", Actor.SERVICE),
}
MAY: dict[str, set[Actor]] = {
    "send": {Actor.SELLER},
    "open": {Actor.BUYER},
    "revise": {Actor.SELLER},
    "counter": {Actor.BUYER, Actor.SELLER},
    "accept": {Actor.BUYER},
    "decline": {Actor.BUYER},
    "withdraw": {Actor.SELLER, Actor.SERVICE},
    "revive": {Actor.SELLER},
    "submitForReview": {Actor.SELLER},
    "approve": {Actor.SELLER},
    "returnToDraft": {Actor.SELLER},
    "autoAccept": {Actor.SERVICE},
    "autoDecline": {Actor.SERVICE},
    "requestNewQuote": {Actor.BUYER},
}
STATES = [
    *((state, Author.SELLER) for state in State),
    (State.OPEN, Author.BUYER),
]


def expected_reason(state: State, author: Author, command: str, actor: Actor) -> str:
    if actor not in MAY[command]:
        return "PERMISSION_DENIED"
    if state is State.EXPIRED and command in {"accept", "counter"}:
        return "OFFER_EXPIRED"
    if state is State.OPEN and (author, command, actor) in NOT_YOUR_TURN:
        return "NOT_YOUR_TURN"
    return "TRANSITION_FORBIDDEN"


@pytest.mark.parametrize(
    ("state", "author", "command", "actor"),
    [(state, author, *cell) for (state, author), cell in product(STATES, product(COMMANDS, Actor))],
)
def test_every_cell_of_the_table(state: State, author: Author, command: str, actor: Actor) -> None:
    before = in_state(state, author)
    target = ALLOWED.get((state, author, command, actor))
    if target is not None:
        after, told = COMMANDS[command](before, actor)
        assert after.state is target
        assert after.version == before.version + 1
        assert after.update_time == LATER
        assert bool(told) is after.is_sent
    elif (state, command, actor) in REPEATED:
        assert COMMANDS[command](before, actor) == (before, None)
    else:
        with pytest.raises(Refusal) as refused:
            COMMANDS[command](before, actor)
        assert refused.value.reason == expected_reason(state, author, command, actor)
        assert refused.value.kind is (
            Kind.DENIED if refused.value.reason == "PERMISSION_DENIED" else Kind.PRECONDITION
        )
        assert refused.value.metadata["resource"] == before.name


def test_the_table_speaks_of_every_command() -> None:
    assert set(MACHINE.events) == {*COMMANDS, "expire"}
    assert {
        event: {a for t in MACHINE.transitions if t.event == event for a in t.actors} for event in COMMANDS
    } == MAY


@pytest.mark.parametrize(("state", "author"), STATES)
def test_the_sweeper_touches_open_offers_only(state: State, author: Author) -> None:
    offer = in_state(state, author)
    overdue = replace(offer, revision=replace(offer.revision, terms=terms(expire_time=NOW + HOUR)))
    swept, event = offers.expire(overdue, now=LATER)
    if state is State.OPEN:
        assert event is not None
        assert swept.state is State.EXPIRED
        assert swept.close_time == LATER
        assert swept.version == overdue.version + 1
    else:
        assert (swept, event) == (overdue, None)


def test_the_sweeper_leaves_an_offer_alone_whose_time_has_not_come() -> None:
    offer = opened(terms(expire_time=NOW + HOUR))
    assert offers.expire(offer, now=NOW) == (offer, None)
    assert offers.expire(opened(), now=LATER) == (opened(), None)


@pytest.mark.covers("X02")
@pytest.mark.parametrize("command", sorted(COMMANDS))
@pytest.mark.parametrize("actor", list(Actor))
def test_an_overdue_offer_behaves_the_same_before_and_after_the_sweeper_came_by(
    command: str, actor: Actor
) -> None:
    overdue = opened(terms(expire_time=NOW + HOUR))
    swept = offers.expire(overdue, now=LATER)[0]

    def outcome(offer: Offer) -> object:
        try:
            after, _ = COMMANDS[command](offer, actor)
        except Refusal as refusal:
            return refusal.reason, dict(refusal.metadata)
        return after

    assert outcome(overdue) == outcome(swept)


@pytest.mark.covers("X06")
@pytest.mark.parametrize(("state", "author"), STATES)
@pytest.mark.parametrize("actor", [Actor.BUYER, Actor.SELLER])
@pytest.mark.parametrize("overdue", [False, True])
def test_the_actions_that_are_offered_are_those_that_succeed(
    state: State, author: Author, actor: Actor, overdue: bool
) -> None:
    offer = in_state(state, author)
    if overdue:
        offer = replace(offer, revision=replace(offer.revision, terms=terms(expire_time=NOW + HOUR)))
    # The commands below are played by an agent where that matters to the state, and else by the owner.
    clearance = AGENT if state is State.DRAFT else OWNER
    listed = chain.actions(offer, actor, now=LATER, clearance=clearance)
    assert {action.action for action in listed} == {name for name, actors in MAY.items() if actor in actors}
    for action in listed:
        if (state, action.action) == (State.DRAFT, "send") and actor is Actor.SELLER:
            assert action.reason == ("TIME_OUT_OF_RANGE" if overdue else "APPROVAL_REQUIRED")
            continue
        changed = True
        reason = ""
        try:
            after, _ = COMMANDS[action.action](offer, actor)
            changed = after != offer
        except Refusal as refusal:
            changed, reason = False, refusal.reason
        assert action.allowed is changed
        if reason:
            assert action.reason == reason


def test_nobody_but_the_parties_is_offered_anything() -> None:
    for actor in set(Actor) - {Actor.BUYER, Actor.SELLER}:
        assert chain.actions(opened(), actor, now=NOW) == ()


def test_a_chain_ends_at_its_maximum_of_revisions() -> None:
    full = opened()
    full = replace(full, revision=replace(full.revision, number=MAX_REVISIONS))
    ended = expired()
    ended = replace(ended, revision=replace(ended.revision, number=MAX_REVISIONS))
    for command, offer, actor in (
        ("revise", full, Actor.SELLER),
        ("counter", full, Actor.BUYER),
        ("revive", ended, Actor.SELLER),
    ):
        with pytest.raises(Refusal) as refused:
            COMMANDS[command](offer, actor)
        assert refused.value.reason == "TOO_MANY_REVISIONS"
        assert refused.value.metadata == {"resource": "offers/o1", "limit": "100"}
    assert COMMANDS["accept"](full, Actor.BUYER)[0].state is State.ACCEPTED


@pytest.mark.parametrize("command", ["revise", "counter", "accept", "decline"])
def test_a_revision_that_is_not_the_newest_is_stale(command: str) -> None:
    offer = countered()
    calls: dict[str, Callable[[int], Any]] = {
        "revise": lambda seen: offers.revise(
            offer, actor=Actor.SELLER, seen=seen, terms=terms(), note="", now=NOW
        ),
        "counter": lambda seen: offers.counter(
            offer, actor=Actor.SELLER, seen=seen, terms=terms(), note="", now=NOW
        ),
        "accept": lambda seen: offers.accept(offer, actor=Actor.BUYER, seen=seen, consent=Consent(), now=NOW),
        "decline": lambda seen: offers.decline(offer, actor=Actor.BUYER, seen=seen, reason="", now=NOW),
    }
    for seen in (1, 3):
        with pytest.raises(Refusal) as refused:
            calls[command](seen)
        assert refused.value.kind is Kind.STALE
        assert refused.value.reason == "REVISION_STALE"
        assert refused.value.metadata == {
            "resource": "offers/o1",
            "revision": str(seen),
            "current_revision": "2",
        }
