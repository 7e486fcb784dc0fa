"""Every state x command x actor of an order: what the table says is what happens, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind, Refusal
from services.orders.domain import fulfilment, offline
from services.orders.domain import order as orders
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.order import DeclineReason, Order, PaymentState, State
from services.orders.domain.work import CancelReason
from tests.unit.orders.purchases import HOUR, NOW, PATIENCE, in_state

S, B = Actor.SELLER, Actor.BUYER
LATER = NOW + HOUR

COMMANDS: dict[str, Callable[[Order, Actor], tuple[Order, object]]] = {
    "markProcessing": lambda order, actor: orders.mark_processing(order, actor=actor, now=LATER),
    "confirm": lambda order, actor: orders.confirm(order, actor=actor, now=LATER),
    "decline": lambda order, actor: orders.decline(
        order, actor=actor, reason=DeclineReason.OTHER, text="Sorry", now=LATER
    ),
    "withdraw": lambda order, actor: orders.withdraw(order, actor=actor, now=LATER),
    "changePaymentMethod": lambda order, actor: orders.change_payment_method(
        order, actor=actor, method=PaymentMethod.ONLINE, token="sandbox_success", now=LATER
    ),
    "start": lambda order, actor: fulfilment.start(order, actor=actor, now=LATER),
    "deliver": lambda order, actor: fulfilment.deliver(
        order, actor=actor, text="Here", now=LATER, patience=PATIENCE
    ),
    "requestChanges": lambda order, actor: fulfilment.request_changes(
        order, actor=actor, text="Bigger", now=LATER
    ),
    "complete": lambda order, actor: fulfilment.complete(order, actor=actor, now=LATER),
    "cancel": lambda order, actor: fulfilment.cancel(
        order, None, actor=actor, reason=CancelReason.OTHER, text="Sorry", now=LATER
    )[::2],
    "markPaid": lambda order, actor: offline.mark(
        order, None, actor=actor, means=offline.Means.CASH, payment_id="p", now=LATER
    )[::2],
}

# The specification once more, written as a table of its own: (state, command, actor) -> state after.
ALLOWED = {
    (State.PENDING, "markProcessing", S): State.PROCESSING,
    (State.PROCESSING, "markProcessing", S): State.PROCESSING,
    (State.PENDING, "confirm", S): State.CONFIRMED,
    (State.PROCESSING, "confirm", S): State.CONFIRMED,
    (State.PENDING, "decline", S): State.DECLINED,
    (State.PROCESSING, "decline", S): State.DECLINED,
    (State.AWAITING_ANSWER, "decline", S): State.DECLINED,
    (State.PENDING, "withdraw", B): State.WITHDRAWN,
    (State.PROCESSING, "withdraw", B): State.WITHDRAWN,
    (State.AWAITING_ANSWER, "withdraw", B): State.WITHDRAWN,
    (State.PENDING, "changePaymentMethod", S): State.PENDING,
    (State.PENDING, "changePaymentMethod", B): State.PENDING,
    (State.PROCESSING, "changePaymentMethod", S): State.PROCESSING,
    (State.PROCESSING, "changePaymentMethod", B): State.PROCESSING,
    (State.CONFIRMED, "start", S): State.IN_PROGRESS,
    (State.IN_PROGRESS, "deliver", S): State.DELIVERED,
    (State.DELIVERED, "requestChanges", B): State.IN_PROGRESS,
    (State.DELIVERED, "complete", B): State.COMPLETED,
    **{
        (state, "cancel", actor): State.CANCELLED
        for state in (State.CONFIRMED, State.IN_PROGRESS, State.DELIVERED)
        for actor in (S, B, Actor.OPERATOR)
    },
    **{
        (state, "markPaid", S): state
        for state in (State.CONFIRMED, State.IN_PROGRESS, State.DELIVERED, State.COMPLETED)
    },
}
EVER = {(command, actor) for _, command, actor in ALLOWED}


@pytest.mark.covers("B11", "X06")
@pytest.mark.parametrize(("state", "command", "actor"), list(itertools.product(State, COMMANDS, Actor)))
def test_every_cell_of_the_table(state: State, command: str, actor: Actor) -> None:
    order = in_state(state)
    target = ALLOWED.get((state, command, actor))
    assert (command in orders.allowed_actions(order, actor)) == (target is not None)
    if target is not None:
        changed, event = COMMANDS[command](order, actor)
        assert changed.state is target
        assert (changed.version == order.version) == (event is None)
        return
    with pytest.raises(Refusal) as refused:
        COMMANDS[command](order, actor)
    refusal = refused.value
    assert refusal.metadata["resource"] == order.name
    assert refusal.metadata["action"] == command
    if (command, actor) in EVER:
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
        assert refusal.metadata["state"] == state.value
        assert refusal.metadata["allowed_actions"] == ",".join(orders.allowed_actions(order, actor))
    else:
        assert (refusal.kind, refusal.reason) == (Kind.DENIED, "PERMISSION_DENIED")


@pytest.mark.parametrize("reached", [State.CONFIRMED, State.IN_PROGRESS, State.DELIVERED, State.COMPLETED])
@pytest.mark.parametrize("state", PaymentState)
def test_after_confirmation_only_a_declined_charge_opens_the_payment_method_to_the_buyer(
    state: PaymentState, reached: State
) -> None:
    order = replace(in_state(reached, method=PaymentMethod.ONLINE), payment_state=state)
    failed = state is PaymentState.FAILED
    assert ("changePaymentMethod" in orders.allowed_actions(order, B)) is failed
    assert "changePaymentMethod" not in orders.allowed_actions(order, S)
    if not failed:
        with pytest.raises(Refusal, match="changePaymentMethod is not possible"):
            COMMANDS["changePaymentMethod"](order, B)


@pytest.mark.covers("X06")
def test_what_is_missing_is_explained_and_internal_events_are_no_actions() -> None:
    for state, actor in itertools.product(State, Actor):
        for one in orders.explain(in_state(state), actor):
            assert one.action in {*COMMANDS, "unmarkPaid"}
            assert one.allowed or one.reason == "TRANSITION_FORBIDDEN"
    assert orders.explain(in_state(State.PENDING), Actor.TIMER) == ()
    assert orders.explain(in_state(State.CONFIRMED), Actor.SERVICE) == ()
