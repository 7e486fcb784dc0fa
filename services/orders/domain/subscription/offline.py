"""What the seller says about the payments of a subscription that is paid offline: that he got them.

Each period has a payment that nobody charges. It belongs to the period that it is for, so it can be marked
and unmarked after the end of the subscription too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.kernel.machine import ActionState, Actor
from services.orders.domain import payment as payments
from services.orders.domain import refusals
from services.orders.domain.offline import PROVIDER, Means
from services.orders.domain.payment import Payment, State
from services.orders.domain.subscription import events
from services.orders.domain.subscription.facts import Subscription, next_version
from services.orders.domain.subscription.lifecycle import Move

_FROM = {"markPaid": State.CREATED, "unmarkPaid": State.CAPTURED}


def mark(
    subscription: Subscription, payment: Payment, *, means: Means, now: datetime
) -> tuple[Move, Payment]:
    """The seller was paid. Refusal TRANSITION_FORBIDDEN."""
    _require(payment, "markPaid")
    paid = replace(
        payments.next_version(payment, now), state=State.CAPTURED, token=means.value, capture_time=now
    )
    changed = next_version(subscription, now)
    return Move(changed, events.SubscriptionPaid(changed, payment.id, payment.amount)), paid


def unmark(subscription: Subscription, payment: Payment, *, now: datetime) -> tuple[Move, Payment]:
    """The seller was not paid after all: it is due again. Refusal TRANSITION_FORBIDDEN."""
    _require(payment, "unmarkPaid")
    open_again = replace(
        payments.next_version(payment, now), state=State.CREATED, token="", capture_time=None
    )
    changed = next_version(subscription, now)
    return Move(changed, events.SubscriptionPaymentUnmarked(changed, payment.id, payment.amount)), open_again


def explain(payment: Payment, actor: Actor) -> tuple[ActionState, ...]:
    """What `actor` can say about a payment; nothing where a provider takes it, or where he is not paid."""
    if actor is not Actor.SELLER or payment.provider != PROVIDER:
        return ()
    return tuple(
        ActionState(action, payment.state is state, "" if payment.state is state else "TRANSITION_FORBIDDEN")
        for action, state in _FROM.items()
    )


def _require(payment: Payment, action: str) -> None:
    if payment.provider != PROVIDER or payment.state is not _FROM[action]:
        allowed = tuple(one.action for one in explain(payment, Actor.SELLER) if one.allowed)
        raise refusals.transition_forbidden(payment.name, payment.state.value, action, allowed)
