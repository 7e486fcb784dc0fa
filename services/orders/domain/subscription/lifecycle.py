"""From the confirmation of an order to the end of its subscription: what time does.

`next_due` tells when something is to happen next, `advance` lets the earliest of what is due happen, as of
the moment that it was due: after a month in which nothing ran, what was missed is made up in its order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from services.orders.domain.commerce import Interval, PaymentMethod, Plan
from services.orders.domain.order import Order
from services.orders.domain.payment import Purpose
from services.orders.domain.subscription import calendar, events
from services.orders.domain.subscription.facts import EndReason, Subscription, next_version, require

UTC_NAME: Final = "UTC"


@dataclass(frozen=True, slots=True)
class Due:
    """A payment that comes into existence, under `id`."""

    id: str
    purpose: Purpose
    sequence: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Move:
    """What follows from a change beside the subscription itself.

    `due` is to be stored as a new payment; `charge` is the id of the payment to be charged now, `retry` that
    of a declined one to be charged again; `void` are those that are not charged any more, as far as the
    provider was not asked yet.
    """

    subscription: Subscription
    event: events.SubscriptionEvent
    due: Due | None = None
    charge: str = ""
    retry: str = ""
    void: tuple[str, ...] = ()


def create(order: Order, *, time_zone: str, now: datetime) -> tuple[Subscription, events.SubscriptionCreated]:
    """The subscription of a confirmed order with a plan; ValueError for any other order."""
    if order.plan is None or order.clock_start_time is None:
        raise ValueError(f"{order.name} makes no subscription")
    plan, zone = order.plan, time_zone or UTC_NAME
    start = max(order.clock_start_time, plan.start_time or order.clock_start_time)
    begin = calendar.local_date(start, zone)
    first = calendar.first_paid_day(begin, plan)
    subscription = Subscription(
        id=order.id,
        version=1,
        seller=order.seller,
        buyer=order.buyer,
        package=order.package,
        order_request=order.order_request,
        origin_conversation=order.origin_conversation,
        plan=plan,
        time_zone=zone,
        payment_method=order.payment_method,
        payment_token=order.payment_token,
        create_time=now,
        update_time=now,
        start_time=start,
        activate_time=start if start <= now else None,
        number=0,
        period_begin=begin,
        period_end=first,
        anchor_day=plan.anchor_day or first.day,
        worth=Money(plan.price.currency, 0),
        worth_from=begin,
        balance=Money(plan.price.currency, 0),
    )
    return subscription, events.SubscriptionCreated(subscription)


def _happenings(subscription: Subscription) -> list[tuple[datetime, int, str]]:
    """What is to come, by instant and, at the same instant, in this order."""
    if subscription.ended_at is not None:
        return []
    found: list[tuple[datetime | None, str]] = [(subscription.cancel_at, "end")]
    if subscription.activate_time is None:
        found.append((subscription.start_time, "activate"))
    elif subscription.paused_since is not None:
        found.append((subscription.resume_at, "resume"))
    else:
        # A pause waits until everything is paid, and the provider's answer comes before the next try.
        found.append((None if subscription.unpaid else subscription.pause_at, "pause"))
        if not subscription.charging:
            found += [(subscription.grace_until, "give up"), (subscription.retry_at, "retry")]
        found.append((subscription.period_end_time, "period"))
    return [(at, rank, what) for rank, (at, what) in enumerate(found) if at is not None]


def next_due(subscription: Subscription) -> datetime | None:
    """When something happens next without anybody doing anything; None where nothing does."""
    return min((at for at, _, _ in _happenings(subscription)), default=None)


def next_charge(subscription: Subscription) -> tuple[datetime, Money] | None:
    """When the next period is charged and what it costs, the balance deducted; None where none will be."""
    ends = subscription.is_last_period or subscription.cancel_at is not None
    if ends or subscription.ended_at is not None or subscription.paused_since is not None:
        return None
    price = (subscription.next_plan or subscription.plan).price
    return subscription.period_end_time, price - min(subscription.balance, price)


def advance(subscription: Subscription, *, now: datetime, payment_id: str) -> Move | None:
    """The earliest of what is due by `now`; None where nothing is. A new payment gets the id `payment_id`."""
    happenings = _happenings(subscription)
    if not happenings:
        return None
    at, _, what = min(happenings)
    return None if at > now else _STEPS[what](subscription, at, now, payment_id)


def _activate(subscription: Subscription, at: datetime, now: datetime, _: str) -> Move:
    require(subscription, "activate", Actor.TIMER)
    changed = replace(next_version(subscription, now), activate_time=at)
    return Move(changed, events.SubscriptionActivated(changed))


def _period(subscription: Subscription, at: datetime, now: datetime, payment_id: str) -> Move:
    if subscription.is_last_period:
        return end(subscription, at=at, now=now, actor=Actor.TIMER, reason=EndReason.TERM_OVER)
    return renew(subscription, now=now, payment_id=payment_id)


def renew(subscription: Subscription, *, now: datetime, payment_id: str) -> Move:
    """The next period begins. What it costs is taken from the balance first, then charged.

    While an earlier payment is not settled the new one waits behind it: one charge at a time, in order.
    """
    require(subscription, "renew", Actor.TIMER)
    begin = subscription.period_end
    plan, anchor = _from_now_on(subscription)
    used = min(subscription.balance, plan.price)
    changed = replace(
        next_version(subscription, now),
        plan=plan,
        next_plan=None,
        anchor_day=anchor,
        number=subscription.number + 1,
        period_begin=begin,
        period_end=calendar.following(begin, plan, anchor),
        worth=plan.price,
        worth_from=begin,
        balance=subscription.balance - used,
    )
    amount = plan.price - used
    changed, due, charge = charged(changed, Purpose.SUBSCRIPTION_PERIOD, changed.number, amount, payment_id)
    event = events.SubscriptionRenewed(changed, amount, due.id if due else "")
    return Move(changed, event, due=due, charge=charge)


def _from_now_on(subscription: Subscription) -> tuple[Plan, int]:
    before, plan = subscription.plan, subscription.next_plan
    if plan is None:
        return before, subscription.anchor_day
    # A week has no day of the month that could be kept.
    keeps = Interval.WEEK not in (before.interval, plan.interval)
    return plan, subscription.anchor_day if keeps else subscription.period_end.day


def charged(
    subscription: Subscription, purpose: Purpose, sequence: int, amount: Money, payment_id: str
) -> tuple[Subscription, Due | None, str]:
    """The subscription with what is due, the payment for it, and its id again where it is charged now.

    Offline the payment waits for the seller, who says when he got it: nothing is charged, nothing is unpaid.
    """
    if not amount.is_positive:
        return subscription, None, ""
    due = Due(payment_id, purpose, sequence, amount)
    if subscription.payment_method is PaymentMethod.OFFLINE:
        return subscription, due, ""
    at_once = not subscription.unpaid
    changed = replace(
        subscription,
        unpaid=(*subscription.unpaid, payment_id),
        charging=subscription.charging or at_once,
    )
    return changed, due, payment_id if at_once else ""


def _pause(subscription: Subscription, at: datetime, now: datetime, _: str) -> Move:
    return pause_at(subscription, at=at, now=now, actor=Actor.TIMER)


def pause_at(subscription: Subscription, *, at: datetime, now: datetime, actor: Actor) -> Move:
    """The days stand still from `at` on."""
    changed = replace(next_version(subscription, now), paused_since=at, pause_at=None)
    return Move(changed, events.SubscriptionPaused(changed, actor))


def _resume(subscription: Subscription, at: datetime, now: datetime, _: str) -> Move:
    return resume_at(subscription, at=at, now=now, actor=Actor.TIMER)


def resume_at(subscription: Subscription, *, at: datetime, now: datetime, actor: Actor) -> Move:
    """The days go on at `at`: the period ends as much later as the pause was long, in local days."""
    assert subscription.paused_since is not None
    pause = subscription.today(at) - subscription.today(subscription.paused_since)
    period_end = subscription.period_end + pause
    changed = replace(
        next_version(subscription, now),
        paused_since=None,
        resume_at=None,
        period_begin=subscription.period_begin + pause,
        period_end=period_end,
        worth_from=subscription.worth_from + pause,
        # A pause within one day moves nothing, so that the 31st stays the 31st.
        anchor_day=period_end.day if pause else subscription.anchor_day,
    )
    return Move(changed, events.SubscriptionResumed(changed, actor))


def _retry(subscription: Subscription, _at: datetime, now: datetime, _: str) -> Move:
    require(subscription, "retryCame", Actor.TIMER)
    changed = replace(
        next_version(subscription, now), retries=subscription.retries + 1, retry_at=None, charging=True
    )
    head = subscription.unpaid[0]
    return Move(changed, events.SubscriptionPaymentRetried(changed, head, Actor.TIMER), retry=head)


def _give_up(subscription: Subscription, at: datetime, now: datetime, _: str) -> Move:
    return end(subscription, at=at, now=now, actor=Actor.TIMER, reason=EndReason.FAILED_PAYMENTS)


def _end(subscription: Subscription, at: datetime, now: datetime, _: str) -> Move:
    return end(subscription, at=at, now=now, actor=Actor.TIMER, reason=EndReason.CANCELLED)


def end(subscription: Subscription, *, at: datetime, now: datetime, actor: Actor, reason: EndReason) -> Move:
    """It is over: nothing is charged any more. A charge that is under way cannot be called back; its answer
    is kept with the payment.
    """
    require(subscription, "end", actor)
    changed = replace(
        next_version(subscription, now),
        ended_at=at,
        end_reason=reason,
        cancel_at=None,
        cancelled_by=None,
        pause_at=None,
        resume_at=None,
        next_plan=None,
        retry_at=None,
        grace_until=None,
        unpaid=(),
        charging=False,
    )
    return Move(changed, events.SubscriptionEnded(changed, actor), void=subscription.unpaid)


_STEPS: Final[dict[str, Callable[[Subscription, datetime, datetime, str], Move]]] = {
    "end": _end,
    "activate": _activate,
    "resume": _resume,
    "pause": _pause,
    "give up": _give_up,
    "retry": _retry,
    "period": _period,
}

HORIZON: Final = timedelta(days=730)
"""How far in the future a pause may begin or end."""
