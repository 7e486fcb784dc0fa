"""What the answers to the charges of a subscription lead to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chassis.kernel.machine import ActionState, Actor
from chassis.kernel.money import Money
from services.orders.domain import payment as payments
from services.orders.domain import refusals
from services.orders.domain.attempt import Outcome
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.payment import Payment
from services.orders.domain.subscription import events, offline
from services.orders.domain.subscription.facts import MACHINE, Subscription, next_version, require
from services.orders.domain.subscription.lifecycle import Move


@dataclass(frozen=True, slots=True)
class Dunning:
    """When a declined payment is tried again, counted from the first decline, and how long the buyer has to
    name another means of payment once no more tries will follow.
    """

    retry_days: tuple[int, ...] = (1, 3, 5, 7)
    grace_days: int = 3

    def __post_init__(self) -> None:
        """ValueError for days that do not rise, or are not positive."""
        if list(self.retry_days) != sorted({*self.retry_days}) or any(day < 1 for day in self.retry_days):
            raise ValueError("the days of the retries must be positive and rise")

    def next_retry(self, past_due_since: datetime, now: datetime) -> datetime | None:
        """The first time of the schedule that lies ahead: what was missed is not made up in a burst."""
        times = (past_due_since + timedelta(days=days) for days in self.retry_days)
        return min((time for time in times if time > now), default=None)


def collected(subscription: Subscription, payment: str, amount: Money, *, now: datetime) -> Move | None:
    """The payment of the id `payment` was captured: the one that waited behind it is charged next.

    None where nothing follows, because the subscription is over.
    """
    if subscription.ended_at is not None or payment not in subscription.unpaid:
        return None
    require(subscription, "paid", Actor.TIMER)
    rest = tuple(one for one in subscription.unpaid if one != payment)
    changed = replace(next_version(subscription, now), unpaid=rest, charging=bool(rest))
    if rest:
        return Move(changed, events.SubscriptionPaid(changed, payment, amount), charge=rest[0])
    if subscription.past_due_since is None:
        return Move(changed, events.SubscriptionPaid(changed, payment, amount))
    changed = replace(changed, past_due_since=None, retries=0, retry_at=None, grace_until=None)
    return Move(changed, events.SubscriptionRecovered(changed, payment, amount))


def declined(
    subscription: Subscription, payment: str, amount: Money, *, hard: bool, dunning: Dunning, now: datetime
) -> Move | None:
    """The payment of the id `payment` was declined: overdue, with another try to come or a last delay.

    None where nothing follows, because the subscription is over.
    """
    if subscription.ended_at is not None or payment not in subscription.unpaid:
        return None
    require(subscription, "paymentFailed", Actor.TIMER)
    since = subscription.past_due_since or now
    retry, grace = None, subscription.grace_until
    # One that ends anyway is not tried again; what the buyer pays by himself still counts.
    if subscription.cancel_at is None:
        retry = None if hard or grace is not None else dunning.next_retry(since, now)
        if retry is None and grace is None:
            grace = now + timedelta(days=dunning.grace_days)
    changed = replace(
        next_version(subscription, now),
        charging=False,
        past_due_since=since,
        retry_at=retry,
        grace_until=grace,
    )
    return Move(changed, events.SubscriptionPaymentFailed(changed, payment, amount, hard))


def refunded(
    subscription: Subscription, payment: str, amount: Money, *, succeeded: bool, now: datetime
) -> Move:
    """Money of a payment went back, or the provider refused to give it back. Nothing else follows."""
    changed = next_version(subscription, now)
    return Move(changed, events.SubscriptionRefunded(changed, payment, amount, succeeded))


def retried(subscription: Subscription, payment: Payment, *, actor: Actor, token: str, now: datetime) -> Move:
    """A party has the declined payment tried again, by another means of payment if `token` names one, which
    then counts for all later charges too. Refusals TRANSITION_FORBIDDEN and PAYMENT_MEANS_REFUSED.
    """
    if not _can_retry(subscription, payment, actor):
        raise refusals.transition_forbidden(payment.name, payment.state.value, "retry", ())
    require(subscription, "paymentRetried", actor)
    last = payment.last_attempt
    if last.outcome is Outcome.HARD_DECLINE and token in {"", last.token}:
        raise refusals.payment_means_refused(payment.name, last.decline_code)
    changed = replace(
        next_version(subscription, now),
        charging=True,
        retry_at=None,
        payment_token=token or subscription.payment_token,
    )
    return Move(changed, events.SubscriptionPaymentRetried(changed, payment.id, actor), retry=payment.id)


def explain_payment(subscription: Subscription, payment: Payment, actor: Actor) -> tuple[ActionState, ...]:
    """The methods of a payment that `actor` can ever call, with the reason for each that is closed now."""
    others = payments.explain_payment(payment, None, actor)
    if actor not in (Actor.BUYER, Actor.SELLER):
        return others
    if subscription.payment_method is PaymentMethod.OFFLINE:
        return (*offline.explain(payment, actor), *others)
    allowed = _can_retry(subscription, payment, actor)
    return (ActionState("retry", allowed, "" if allowed else "TRANSITION_FORBIDDEN"), *others)


def _can_retry(subscription: Subscription, payment: Payment, actor: Actor) -> bool:
    """One that waits behind another was not tried, and one under way was not answered."""
    is_next = subscription.unpaid[:1] == (payment.id,) and not subscription.charging
    return is_next and MACHINE.can(subscription.bucket, "paymentRetried", actor)
