"""A machine says yes, or why not: every state, event and actor of a small table."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

import pytest

from chassis.kernel.machine import ActionState, Actor, Machine, Transition
from chassis.kernel.refusal import Kind, Refusal


class State(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    ACCEPTED = "accepted"


TABLE = (
    Transition((State.DRAFT,), "send", (Actor.SELLER,), State.OPEN),
    Transition((State.OPEN,), "accept", (Actor.BUYER,), State.ACCEPTED),
    Transition((State.OPEN,), "view", (Actor.BUYER,)),
    Transition((State.DRAFT, State.OPEN), "withdraw", (Actor.SELLER, Actor.OPERATOR), State.DRAFT),
)
MACHINE = Machine("offer", TABLE)
ALLOWED = {
    (State.DRAFT, "send", Actor.SELLER): State.OPEN,
    (State.OPEN, "accept", Actor.BUYER): State.ACCEPTED,
    (State.OPEN, "view", Actor.BUYER): State.OPEN,
    (State.DRAFT, "withdraw", Actor.SELLER): State.DRAFT,
    (State.OPEN, "withdraw", Actor.SELLER): State.DRAFT,
    (State.DRAFT, "withdraw", Actor.OPERATOR): State.DRAFT,
    (State.OPEN, "withdraw", Actor.OPERATOR): State.DRAFT,
}
EVER = {
    "send": {Actor.SELLER},
    "accept": {Actor.BUYER},
    "view": {Actor.BUYER},
    "withdraw": {Actor.SELLER, Actor.OPERATOR},
}


@pytest.mark.parametrize(("state", "event", "actor"), list(product(State, MACHINE.events, Actor)))
def test_every_cell(state: State, event: str, actor: Actor) -> None:
    expected = ALLOWED.get((state, event, actor))
    assert MACHINE.can(state, event, actor) is (expected is not None)
    assert (event in MACHINE.allowed(state, actor)) is (expected is not None)
    if expected is not None:
        assert MACHINE.move(state, event, actor) is expected
        return
    with pytest.raises(Refusal) as refused:
        MACHINE.move(state, event, actor)
    if actor in EVER[event]:
        assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
        assert refused.value.metadata["action"] == event
        assert refused.value.metadata["allowed_actions"] == ",".join(MACHINE.allowed(state, actor))
    else:
        assert (refused.value.kind, refused.value.reason) == (Kind.DENIED, "PERMISSION_DENIED")


@pytest.mark.covers("X06")
def test_an_explanation_names_what_is_missing_and_hides_what_is_nobodys_business() -> None:
    assert MACHINE.explain(State.DRAFT, Actor.SELLER) == (
        ActionState("send", True),
        ActionState("withdraw", True),
    )
    assert MACHINE.explain(State.DRAFT, Actor.BUYER) == (
        ActionState("accept", False, "TRANSITION_FORBIDDEN"),
        ActionState("view", False, "TRANSITION_FORBIDDEN"),
    )
    assert MACHINE.explain(State.DRAFT, Actor.TIMER) == ()


def test_a_table_with_two_answers_is_a_defect() -> None:
    with pytest.raises(ValueError, match="two targets"):
        Machine("offer", (*TABLE, Transition((State.OPEN,), "accept", (Actor.BUYER,), State.DRAFT)))


def test_an_unknown_event_is_a_defect() -> None:
    with pytest.raises(KeyError):
        MACHINE.move(State.OPEN, "explode", Actor.BUYER)
