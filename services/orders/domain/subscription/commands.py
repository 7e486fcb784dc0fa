"""What the two parties can do with a subscription: cancel it, pause it, resume it, pay it by other means."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.kernel.machine import Actor
from chassis.kernel.refusal import invalid
from services.orders.domain import refusals
from services.orders.domain.subscription import events, lifecycle
from services.orders.domain.subscription.facts import (
    Bucket,
    EndReason,
    Subscription,
    When,
    next_version,
    require,
)
from services.orders.domain.subscription.lifecycle import Move


def cancel(subscription: Subscription, *, actor: Actor, when: When, now: datetime) -> Move | None:
    """Ends it, now or with the present period; either way nothing declined is tried again.

    One that has not begun, or is paused, has no running period and ends at once. Moves no money back. None
    where it already ends with the period.
    """
    require(subscription, "cancel", actor)
    if when is When.NOW or subscription.bucket in (Bucket.SCHEDULED, Bucket.PAUSED):
        return lifecycle.end(subscription, at=now, now=now, actor=actor, reason=EndReason.CANCELLED)
    if subscription.cancel_at is not None:
        return None
    changed = replace(
        next_version(subscription, now),
        cancel_at=subscription.period_end_time,
        cancelled_by=actor,
        next_plan=None,
        pause_at=None,
        resume_at=None,
        retry_at=None,
        grace_until=None,
    )
    return Move(changed, events.SubscriptionCancellationScheduled(changed, actor))


def revoke_cancellation(subscription: Subscription, *, actor: Actor, now: datetime) -> Move:
    """It goes on after all. What the cancellation took away stays away. Refusal TRANSITION_FORBIDDEN."""
    require(subscription, "revokeCancellation", actor)
    assert subscription.cancel_at is not None
    if subscription.cancel_at <= now:
        # The end is due already; its timer just did not get to it yet.
        raise refusals.transition_forbidden(
            subscription.name, subscription.bucket.value, "revokeCancellation", ()
        )
    changed = replace(next_version(subscription, now), cancel_at=None, cancelled_by=None)
    return Move(changed, events.SubscriptionCancellationRevoked(changed, actor))


def change_means(subscription: Subscription, *, actor: Actor, token: str, now: datetime) -> Move | None:
    """Later charges are made by the means `token`. Refusal TRANSITION_FORBIDDEN. None where they are."""
    require(subscription, "changePaymentMeans", actor)
    if token == subscription.payment_token:
        return None
    changed = replace(next_version(subscription, now), payment_token=token)
    return Move(changed, events.SubscriptionPaymentMeansChanged(changed, actor))


def pause(
    subscription: Subscription,
    *,
    actor: Actor,
    pause_time: datetime | None,
    resume_time: datetime | None,
    now: datetime,
) -> Move | None:
    """Pauses it now, or at `pause_time`, until somebody resumes it or `resume_time` comes.

    Refusals TRANSITION_FORBIDDEN, CANCELLATION_SCHEDULED, PAYMENT_OPEN (now, while a charge is under way) and
    TIME_OUT_OF_RANGE. None where exactly this is scheduled.
    """
    require(subscription, "pause", actor)
    _check_future(pause_time, "pause_time", now)
    _check_future(resume_time, "resume_time", now)
    if resume_time is not None and resume_time <= (pause_time or now):
        raise invalid("resume_time", "must lie behind the beginning of the pause")
    if pause_time is None:
        _require_settled(subscription, now)
        move = lifecycle.pause_at(subscription, at=now, now=now, actor=actor)
        paused = replace(move.subscription, resume_at=resume_time)
        return Move(paused, events.SubscriptionPaused(paused, actor))
    if (subscription.pause_at, subscription.resume_at) == (pause_time, resume_time):
        return None
    changed = replace(next_version(subscription, now), pause_at=pause_time, resume_at=resume_time)
    return Move(changed, events.SubscriptionPauseScheduled(changed, actor))


def resume(
    subscription: Subscription, *, actor: Actor, resume_time: datetime | None, now: datetime
) -> Move | None:
    """Ends a pause now or at `resume_time`; of a scheduled pause, takes it back or sets its end.

    Refusals TRANSITION_FORBIDDEN and TIME_OUT_OF_RANGE. None where exactly this is scheduled.
    """
    require(subscription, "resume", actor)
    _check_future(resume_time, "resume_time", now)
    paused = subscription.paused_since is not None
    if resume_time is None and paused:
        return lifecycle.resume_at(subscription, at=now, now=now, actor=actor)
    if resume_time is None:
        changed = replace(next_version(subscription, now), pause_at=None, resume_at=None)
        return Move(changed, events.SubscriptionPauseRevoked(changed, actor))
    if subscription.pause_at is not None and resume_time <= subscription.pause_at:
        raise invalid("resume_time", "must lie behind the beginning of the pause")
    if subscription.resume_at == resume_time:
        return None
    changed = replace(next_version(subscription, now), resume_at=resume_time)
    return Move(changed, events.SubscriptionPauseScheduled(changed, actor))


def _check_future(instant: datetime | None, field: str, now: datetime) -> None:
    if instant is not None and not now < instant <= now + lifecycle.HORIZON:
        raise refusals.time_out_of_range(field)


def _require_settled(subscription: Subscription, now: datetime) -> None:
    """Nothing is being charged, and nothing should have been by now."""
    if subscription.unpaid or subscription.period_end_time <= now:
        raise refusals.payment_open(subscription.name)
