"""The machine of order requests: every state, command and actor; and what each move does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind, Refusal
from services.gating.domain import order_request as requests
from services.gating.domain.availability import Availability
from services.gating.domain.events import RequestVerb
from services.gating.domain.gate import Outcome
from services.gating.domain.order_request import (
    MACHINE,
    MAX_QUESTIONS,
    OPEN_STATES,
    DeclineReason,
    Inquiry,
    Moved,
    Needs,
    OrderRequest,
    State,
    Submission,
)
from services.gating.domain.request_offers import OfferFact, OfferState, follow_offers
from services.gating.domain.request_rules import RequestRules
from tests.unit.gating.examples import (
    BUYER,
    FIRST_OFFER,
    NOON,
    ORDER,
    PACKAGE,
    REQUEST_ID,
    SECOND_OFFER,
    SELLER,
    decide,
    listing,
    nights,
    offer_fact,
    package,
    rules,
    settings_with,
    submitted,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

ALLOWED: dict[tuple[str, Actor], dict[State, State]] = {
    ("sendOffer", Actor.SELLER): {State.PENDING: State.OFFERED, State.INFO_REQUESTED: State.OFFERED},
    ("sendOffer", Actor.SERVICE): {
        State.PENDING: State.OFFERED,
        State.INFO_REQUESTED: State.OFFERED,
        State.EXPIRED: State.OFFERED,
    },
    ("askInformation", Actor.SELLER): {State.PENDING: State.INFO_REQUESTED},
    ("answerInformation", Actor.BUYER): {State.INFO_REQUESTED: State.PENDING},
    ("decline", Actor.SELLER): {State.PENDING: State.DECLINED, State.INFO_REQUESTED: State.DECLINED},
    ("withdraw", Actor.BUYER): {
        State.PENDING: State.WITHDRAWN,
        State.INFO_REQUESTED: State.WITHDRAWN,
        State.OFFERED: State.WITHDRAWN,
    },
    ("close", Actor.OPERATOR): {State.PENDING: State.CLOSED, State.INFO_REQUESTED: State.CLOSED},
    ("expire", Actor.TIMER): {State.PENDING: State.EXPIRED, State.INFO_REQUESTED: State.EXPIRED},
    ("convert", Actor.SERVICE): {state: State.CONVERTED for state in State if state is not State.CONVERTED},
    ("reopen", Actor.SERVICE): {State.OFFERED: State.PENDING},
    ("close", Actor.SERVICE): {State.OFFERED: State.CLOSED},
    ("remind", Actor.TIMER): {State.PENDING: State.PENDING},
    ("dismiss", Actor.SELLER): {
        state: state for state in State if state not in {State.PENDING, State.INFO_REQUESTED, State.OFFERED}
    },
}


def in_state(state: State) -> OrderRequest:
    """A request that is consistent with its state."""
    base = replace(submitted(), state=state)
    if state is State.PENDING:
        return base
    if state is State.INFO_REQUESTED:
        asked = (Inquiry("Which colour?", NOON),)
        return replace(base, expire_time=None, remaining=6 * DAY, inquiries=asked)
    offer = FIRST_OFFER if state in {State.OFFERED, State.CONVERTED} else ""
    reason = DeclineReason.BUDGET if state is State.DECLINED else None
    return replace(base, expire_time=None, offer=offer, decline_reason=reason)


COMMANDS: dict[str, Callable[[OrderRequest, Actor], Moved]] = {
    "askInformation": lambda r, a: requests.ask_information(r, "Which colour?", actor=a, now=NOON + HOUR),
    "answerInformation": lambda r, a: requests.answer_information(r, "Blue", actor=a, now=NOON + HOUR),
    "decline": lambda r, a: requests.decline(r, DeclineReason.BUDGET, "No", actor=a, now=NOON + HOUR),
    "withdraw": lambda r, a: requests.withdraw(r, actor=a, now=NOON + HOUR),
    "close": lambda r, a: requests.close(r, actor=a, now=NOON + HOUR),
}


@pytest.mark.parametrize(("state", "event", "actor"), list(product(State, MACHINE.events, Actor)))
def test_every_cell_of_the_machine(state: State, event: str, actor: Actor) -> None:
    targets = ALLOWED.get((event, actor))
    if targets is not None and state in targets:
        assert MACHINE.move(state, event, actor) is targets[state]
        return
    with pytest.raises(Refusal) as caught:
        MACHINE.move(state, event, actor, name="orderRequests/1")
    assert caught.value.reason == ("PERMISSION_DENIED" if targets is None else "TRANSITION_FORBIDDEN")
    assert caught.value.metadata["resource"] == "orderRequests/1"


@pytest.mark.parametrize(("state", "command", "actor"), list(product(State, COMMANDS, Actor)))
def test_every_command_in_every_state_by_every_actor(state: State, command: str, actor: Actor) -> None:
    request = in_state(state)
    target = ALLOWED.get((command, actor), {}).get(state)
    if target is None:
        with pytest.raises(Refusal) as caught:
            COMMANDS[command](request, actor)
        assert caught.value.kind in {Kind.DENIED, Kind.PRECONDITION}
        return
    moved, event = COMMANDS[command](request, actor)
    assert (moved.state, moved.version, moved.update_time) == (target, 2, NOON + HOUR)
    assert event.request is moved
    assert (moved.expire_time is not None) == (target is State.PENDING)
    assert (moved.remaining is not None) == (target is State.INFO_REQUESTED)


@pytest.mark.covers("X06")
def test_each_party_learns_what_it_can_do_and_why_not() -> None:
    seller = {a.action: a.allowed for a in MACHINE.explain(State.INFO_REQUESTED, Actor.SELLER)}
    assert seller == {"sendOffer": True, "askInformation": False, "decline": True, "dismiss": False}
    buyer = {a.action: (a.allowed, a.reason) for a in MACHINE.explain(State.OFFERED, Actor.BUYER)}
    assert buyer == {"answerInformation": (False, "TRANSITION_FORBIDDEN"), "withdraw": (True, "")}


@pytest.mark.covers("G34")
def test_there_is_no_bare_approve() -> None:
    by_seller = {event for (event, actor) in ALLOWED if actor is Actor.SELLER}
    assert by_seller == {"sendOffer", "askInformation", "decline", "dismiss"}


@pytest.mark.covers("G05", "G11")
def test_a_request_keeps_needs_package_and_decision() -> None:
    request = submitted()
    assert (request.name, request.conversation) == (
        f"orderRequests/{REQUEST_ID}",
        f"conversations/{REQUEST_ID}",
    )
    assert (request.seller, request.buyer, request.package) == (SELLER, BUYER, PACKAGE)
    assert request.snapshot.listing_title == "Logo design"
    assert request.needs.text == "A logo"
    assert request.decision.verdict.outcome is Outcome.REQUEST_REQUIRED
    assert request.expire_time == NOON + 7 * DAY
    assert request.order == ""


def test_the_gate_guards_submission() -> None:
    open_gate = rules(nights())
    away = rules(settings_with(), seller=Availability(SELLER, False, NOON + HOUR, messages_closed=True))
    for found, reason in ((open_gate, "REQUEST_NOT_REQUIRED"), (away, "UNAVAILABLE")):
        submission = Submission(
            REQUEST_ID, listing(), package(), Needs("A logo"), decide(found), RequestRules(DAY)
        )
        with pytest.raises(Refusal) as caught:
            requests.submit(submission, now=NOON)
        assert (caught.value.kind, caught.value.reason) == (Kind.PRECONDITION, reason)
        assert caught.value.metadata["package"] == PACKAGE


@pytest.mark.covers("G10")
@pytest.mark.parametrize("enabled", [True, False])
def test_a_request_that_arrives_while_nobody_is_there_is_flagged(enabled: bool) -> None:
    away = Availability(SELLER, False, NOON + HOUR)
    found = decide(rules(settings_with(enabled=enabled), seller=away))
    submission = Submission(REQUEST_ID, listing(), package(), Needs("A logo"), found, RequestRules(DAY))
    request, _ = requests.submit(submission, now=NOON)
    assert request.arrived_while_unavailable
    assert request.decision.verdict.unavailable_until == NOON + HOUR
    assert request.expire_time == NOON + DAY
    assert not submitted().arrived_while_unavailable


@pytest.mark.covers("X21")
def test_a_question_rests_the_deadline() -> None:
    asked, event = requests.ask_information(
        submitted(), "Which colour?", actor=Actor.SELLER, now=NOON + 2 * DAY
    )
    assert (event.verb, asked.expire_time, asked.remaining) == (
        RequestVerb.INFORMATION_ASKED,
        None,
        5 * DAY,
    )
    assert asked.first_response_time == NOON + 2 * DAY
    answered, _ = requests.answer_information(asked, "Blue", actor=Actor.BUYER, now=NOON + 9 * DAY)
    assert (answered.expire_time, answered.remaining) == (NOON + 14 * DAY, None)
    assert answered.inquiries == (Inquiry("Which colour?", NOON + 2 * DAY, "Blue", NOON + 9 * DAY),)
    assert answered.first_response_time == NOON + 2 * DAY


def test_questions_are_limited() -> None:
    request = submitted()
    for number in range(MAX_QUESTIONS):
        request, _ = requests.ask_information(request, f"{number}?", actor=Actor.SELLER, now=NOON)
        request, _ = requests.answer_information(request, "Yes", actor=Actor.BUYER, now=NOON)
    with pytest.raises(Refusal) as caught:
        requests.ask_information(request, "More?", actor=Actor.SELLER, now=NOON)
    assert caught.value.reason == "TOO_MANY_QUESTIONS"
    assert caught.value.metadata == {"resource": request.name, "limit": "20"}


@pytest.mark.covers("G33")
def test_a_decline_carries_its_reason() -> None:
    declined, event = requests.decline(
        submitted(), DeclineReason.NO_CAPACITY, "Fully booked", actor=Actor.SELLER, now=NOON + HOUR
    )
    assert (declined.decline_reason, declined.decline_text) == (DeclineReason.NO_CAPACITY, "Fully booked")
    assert declined.first_response_time == NOON + HOUR
    assert event.verb is RequestVerb.DECLINED


def test_a_request_expires_exactly_at_its_time() -> None:
    request = submitted()
    assert requests.expire(request, now=NOON + 7 * DAY - timedelta(microseconds=1)) is None
    moved = requests.expire(request, now=NOON + 7 * DAY)
    assert moved is not None
    assert (moved[0].state, moved[1].verb) == (State.EXPIRED, RequestVerb.EXPIRED)


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
def test_the_timer_never_overwrites_another_state(state: State) -> None:
    assert requests.expire(in_state(state), now=NOON + 1000 * DAY) is None


def test_nobody_moves_a_request_whose_time_is_over_although_no_timer_said_so() -> None:
    request = submitted()
    for command, actor in (("decline", Actor.SELLER), ("withdraw", Actor.BUYER)):
        late = replace(request, expire_time=NOON + HOUR)
        with pytest.raises(Refusal) as caught:
            COMMANDS[command](late, actor)
        assert caught.value.metadata["state"] == "EXPIRED"


def test_a_stale_etag_is_refused() -> None:
    requests.check_etag(submitted(), "")
    requests.check_etag(submitted(), "v1")
    with pytest.raises(Refusal) as caught:
        requests.check_etag(submitted(), "v2")
    assert caught.value.reason == "ETAG_MISMATCH"


OFFER_STATES = st.sampled_from(OfferState)


@pytest.mark.covers("G34")
@pytest.mark.parametrize(("state", "offer"), list(product(State, OfferState)))
def test_every_fact_of_an_offer_in_every_state(state: State, offer: OfferState) -> None:
    request = in_state(state)
    moved = follow_offers(request, [offer_fact(offer)], answered=NOON + HOUR, now=NOON + 2 * HOUR)
    after = request.state if moved is None else moved[0].state
    if offer is OfferState.ACCEPTED:
        assert after is State.CONVERTED
    elif offer is OfferState.OPEN and (state in OPEN_STATES or state is State.EXPIRED):
        assert after is State.OFFERED
    elif state is State.OFFERED:
        assert after is State.PENDING
    else:
        assert after is state
    if moved is not None:
        assert moved[0].version == request.version + 1


@pytest.mark.covers("G34")
def test_an_offer_is_the_approval_and_the_first_response() -> None:
    moved = follow_offers(submitted(), [offer_fact()], answered=NOON + HOUR, now=NOON + 2 * HOUR)
    assert moved is not None
    offered, event = moved
    assert (offered.offer, offered.first_response_time) == (FIRST_OFFER, NOON + HOUR)
    assert (offered.expire_time, event.verb) == (None, RequestVerb.OFFERED)
    assert follow_offers(offered, [offer_fact(version=3)], answered=NOON, now=NOON) is None


@pytest.mark.covers("G11")
def test_acceptance_names_the_order() -> None:
    moved = follow_offers(in_state(State.OFFERED), [offer_fact(OfferState.ACCEPTED)], answered=NOON, now=NOON)
    assert moved is not None
    assert (moved[0].order, moved[0].offer, moved[1].verb) == (ORDER, FIRST_OFFER, RequestVerb.CONVERTED)
    again = follow_offers(moved[0], [offer_fact(OfferState.ACCEPTED)], answered=NOON, now=NOON)
    assert again is None


@pytest.mark.parametrize("ended", [OfferState.DECLINED, OfferState.WITHDRAWN, OfferState.EXPIRED])
def test_an_offer_that_ends_gives_the_seller_new_time(ended: OfferState) -> None:
    moved = follow_offers(in_state(State.OFFERED), [offer_fact(ended)], answered=NOON, now=NOON + 30 * DAY)
    assert moved is not None
    assert (moved[0].state, moved[0].expire_time) == (State.PENDING, NOON + 37 * DAY)
    assert moved[1].verb is RequestVerb.REOPENED


def test_a_second_offer_takes_the_place_of_the_first() -> None:
    facts = [offer_fact(OfferState.DECLINED), offer_fact(name=SECOND_OFFER)]
    moved = follow_offers(in_state(State.OFFERED), facts, answered=NOON, now=NOON)
    assert moved is not None
    assert (moved[0].state, moved[0].offer) == (State.OFFERED, SECOND_OFFER)


@given(
    histories=st.lists(
        st.tuples(
            st.sampled_from([FIRST_OFFER, SECOND_OFFER]),
            st.lists(st.sampled_from([s for s in OfferState if s is not OfferState.ACCEPTED]), max_size=3),
        ),
        max_size=2,
        unique_by=lambda history: history[0],
    )
)
def test_the_order_of_facts_does_not_matter(histories: list[tuple[str, list[OfferState]]]) -> None:
    facts = [
        offer_fact(state, name=name, version=version)
        for name, states in histories
        for version, state in enumerate(states, start=2)
    ]
    outcomes = set()
    for order in list(permutations(facts))[:120]:
        request, known = submitted(), dict[str, OfferFact]()
        for fact in order:
            held = known.get(fact.name)
            if held is None or held.version < fact.version:
                known[fact.name] = fact
                moved = follow_offers(request, list(known.values()), answered=NOON, now=NOON)
                request = request if moved is None else moved[0]
        outcomes.add((request.state, request.offer if request.state is State.OFFERED else ""))
    assert len(outcomes) == 1
