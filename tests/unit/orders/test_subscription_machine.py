"""Every bucket x command x actor of a subscription: what the table says is what happens, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind, Refusal
from services.orders.domain.subscription import commands, facts, plan_change
from services.orders.domain.subscription.facts import Bucket, Subscription, When
from services.orders.domain.subscription.lifecycle import Move
from tests.unit.orders.subscribing import BEGIN, in_bucket, monthly

S, B = Actor.SELLER, Actor.BUYER
LATER = BEGIN + timedelta(hours=1)


def change_plan(subscription: Subscription, actor: Actor) -> Move | None:
    return plan_change.change(
        subscription, monthly(4_000), actor=actor, when=When.PERIOD_END, token="", now=LATER, payment_id="p"
    )


def cancel(subscription: Subscription, actor: Actor) -> Move | None:
    return commands.cancel(subscription, actor=actor, when=When.NOW, now=LATER)


def revoke(subscription: Subscription, actor: Actor) -> Move | None:
    return commands.revoke_cancellation(subscription, actor=actor, now=LATER)


def change_means(subscription: Subscription, actor: Actor) -> Move | None:
    return commands.change_means(subscription, actor=actor, token="another", now=LATER)


def pause(subscription: Subscription, actor: Actor) -> Move | None:
    return commands.pause(subscription, actor=actor, pause_time=None, resume_time=None, now=LATER)


def resume(subscription: Subscription, actor: Actor) -> Move | None:
    return commands.resume(subscription, actor=actor, resume_time=None, now=LATER)


COMMANDS: dict[str, Callable[[Subscription, Actor], Move | None]] = {
    "changePlan": change_plan,
    "cancel": cancel,
    "revokeCancellation": revoke,
    "changePaymentMeans": change_means,
    "pause": pause,
    "resume": resume,
}
# The specification once more, as a table of its own: (bucket, command, actor) -> bucket after.
ALLOWED = {
    (Bucket.SCHEDULED, "changePlan", S): Bucket.SCHEDULED,
    (Bucket.ACTIVE, "changePlan", S): Bucket.ACTIVE,
    **{
        (bucket, "cancel", actor): Bucket.INACTIVE
        for bucket in (Bucket.SCHEDULED, Bucket.ACTIVE, Bucket.OVERDUE, Bucket.PAUSED)
        for actor in (S, B)
    },
    **{
        (bucket, "changePaymentMeans", B): bucket
        for bucket in (Bucket.SCHEDULED, Bucket.ACTIVE, Bucket.PAUSED)
    },
    **{(Bucket.ACTIVE, "pause", actor): Bucket.PAUSED for actor in (S, B)},
    **{(Bucket.PAUSED, "resume", actor): Bucket.ACTIVE for actor in (S, B)},
}
# Nothing is scheduled in these cells, so nothing can be taken back: see below.
EVER = {(command, actor) for _, command, actor in ALLOWED} | {("revokeCancellation", who) for who in (S, B)}


@pytest.mark.covers("X06", "B19")
@pytest.mark.parametrize(("bucket", "command", "actor"), list(itertools.product(Bucket, COMMANDS, Actor)))
def test_every_cell_of_the_table(bucket: Bucket, command: str, actor: Actor) -> None:
    subscription = in_bucket(bucket)
    assert subscription.bucket is bucket
    target = ALLOWED.get((bucket, command, actor))
    assert (command in facts.allowed_actions(subscription, actor)) == (target is not None)
    if target is not None:
        move = COMMANDS[command](subscription, actor)
        assert move is not None
        assert move.subscription.bucket is target
        assert move.subscription.version == subscription.version + 1
        return
    with pytest.raises(Refusal) as refused:
        COMMANDS[command](subscription, actor)
    refusal = refused.value
    assert refusal.metadata["resource"] == subscription.name
    assert refusal.metadata["action"] == command
    if (command, actor) in EVER:
        assert (refusal.kind, refusal.reason) == (Kind.PRECONDITION, "TRANSITION_FORBIDDEN")
        assert refusal.metadata["state"] == bucket.value
        assert refusal.metadata["allowed_actions"] == ",".join(facts.allowed_actions(subscription, actor))
    else:
        assert (refusal.kind, refusal.reason) == (Kind.DENIED, "PERMISSION_DENIED")


@pytest.mark.parametrize("bucket", [Bucket.ACTIVE, Bucket.OVERDUE])
@pytest.mark.parametrize("command", ["changePlan", "pause"])
def test_a_scheduled_cancellation_closes_what_concerns_the_future(bucket: Bucket, command: str) -> None:
    move = commands.cancel(in_bucket(bucket), actor=B, when=When.PERIOD_END, now=LATER)
    assert move is not None
    ending = move.subscription
    assert ending.bucket is bucket
    assert command not in facts.allowed_actions(ending, S)
    with pytest.raises(Refusal) as refused:
        COMMANDS[command](ending, S)
    expected = "CANCELLATION_SCHEDULED" if bucket is Bucket.ACTIVE else "TRANSITION_FORBIDDEN"
    assert (refused.value.kind, refused.value.reason) == (Kind.PRECONDITION, expected)
    # Ending it now is still possible, and repeating the same changes nothing.
    assert commands.cancel(ending, actor=S, when=When.PERIOD_END, now=LATER) is None
    over = commands.cancel(ending, actor=S, when=When.NOW, now=LATER)
    assert over is not None
    assert over.subscription.bucket is Bucket.INACTIVE


@pytest.mark.parametrize(("canceller", "other"), [(S, B), (B, S)])
def test_a_cancellation_is_taken_back_by_whoever_scheduled_it(canceller: Actor, other: Actor) -> None:
    move = commands.cancel(in_bucket(Bucket.ACTIVE), actor=canceller, when=When.PERIOD_END, now=LATER)
    assert move is not None
    ending = move.subscription
    assert "revokeCancellation" not in facts.allowed_actions(ending, other)
    with pytest.raises(Refusal):
        revoke(ending, other)
    back = revoke(ending, canceller)
    assert back is not None
    assert (back.subscription.cancel_at, back.subscription.cancelled_by) == (None, None)
    assert ending.cancel_at is not None
    with pytest.raises(Refusal) as refused:
        commands.revoke_cancellation(ending, actor=canceller, now=ending.cancel_at)
    assert refused.value.reason == "TRANSITION_FORBIDDEN"


@pytest.mark.parametrize("bucket", [Bucket.ACTIVE, Bucket.OVERDUE])
def test_a_scheduled_pause_can_be_taken_back(bucket: Bucket) -> None:
    waiting = replace(in_bucket(bucket), pause_at=LATER + timedelta(days=3))
    assert "resume" in facts.allowed_actions(waiting, B)
    move = resume(waiting, B)
    assert move is not None
    assert move.subscription.pause_at is None
    assert move.subscription.bucket is bucket


def test_what_is_missing_is_explained_and_what_time_does_is_no_action() -> None:
    for bucket, actor in itertools.product(Bucket, Actor):
        for one in facts.explain(in_bucket(bucket), actor):
            assert one.action in COMMANDS
            assert one.allowed or one.reason
    assert facts.explain(in_bucket(Bucket.ACTIVE), Actor.TIMER) == ()
