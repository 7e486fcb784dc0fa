"""A subscription: the facts that are stored, the bucket that follows from them, and its machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import ActionState, Actor, Machine, Transition
from chassis.kernel.money import Money
from services.orders.domain import refusals
from services.orders.domain.commerce import PaymentMethod, Plan
from services.orders.domain.refusals import Reason
from services.orders.domain.subscription import calendar


class Bucket(StrEnum):
    """Where a subscription is listed. Never stored by itself: a view of the facts."""

    SCHEDULED = "SCHEDULED"
    ACTIVE = "ACTIVE"
    OVERDUE = "OVERDUE"
    PAUSED = "PAUSED"
    INACTIVE = "INACTIVE"


class EndReason(StrEnum):
    """Why a subscription ended."""

    CANCELLED = "CANCELLED"
    TERM_OVER = "TERM_OVER"
    FAILED_PAYMENTS = "FAILED_PAYMENTS"
    ORDER_CANCELLED = "ORDER_CANCELLED"


class When(StrEnum):
    """When a change takes effect."""

    NOW = "NOW"
    PERIOD_END = "PERIOD_END"


LIVE: Final = (Bucket.SCHEDULED, Bucket.ACTIVE, Bucket.OVERDUE, Bucket.PAUSED)
_RUNNING: Final = (Bucket.ACTIVE, Bucket.OVERDUE)
_BOTH: Final = (Actor.SELLER, Actor.BUYER)
_TIME: Final = (Actor.TIMER,)

MACHINE: Final = Machine[Bucket](
    "subscription",
    (
        Transition((Bucket.SCHEDULED, Bucket.ACTIVE), "changePlan", (Actor.SELLER,)),
        # At once it ends; at the period's end it stays where it is until then.
        Transition(LIVE, "cancel", _BOTH),
        # Now it pauses; later it stays where it is until then.
        Transition((Bucket.ACTIVE,), "pause", _BOTH),
        # By the side that scheduled it: see `obstacle`.
        Transition((Bucket.ACTIVE,), "revokeCancellation", _BOTH),
        Transition((Bucket.SCHEDULED, Bucket.ACTIVE, Bucket.PAUSED), "changePaymentMeans", (Actor.BUYER,)),
        # Out of a pause, or before a scheduled one: see `obstacle`.
        Transition((Bucket.PAUSED, *_RUNNING), "resume", _BOTH),
        Transition((Bucket.SCHEDULED,), "activate", _TIME, Bucket.ACTIVE),
        Transition(_RUNNING, "renew", _TIME),
        Transition((Bucket.ACTIVE,), "pauseCame", _TIME, Bucket.PAUSED),
        Transition((Bucket.PAUSED,), "resumeCame", _TIME, Bucket.ACTIVE),
        Transition(_RUNNING, "paymentFailed", _TIME, Bucket.OVERDUE),
        # Active again only where nothing else is unpaid.
        Transition(_RUNNING, "paid", _TIME),
        Transition((Bucket.OVERDUE,), "retryCame", _TIME),
        Transition((Bucket.OVERDUE,), "paymentRetried", _BOTH),
        Transition(LIVE, "end", (*_TIME, Actor.SELLER, Actor.BUYER, Actor.OPERATOR), Bucket.INACTIVE),
    ),
)

ACTIONS: Final = frozenset(
    {"changePlan", "cancel", "revokeCancellation", "changePaymentMeans", "pause", "resume"}
)
"""The events that are methods of a subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What an order with a plan leads to. Days are local dates of `time_zone`.

    `number` counts the periods that were charged, 0 during a trial; the present one has the days from
    `period_begin` until before `period_end`. `worth` is what the buyer was charged for the part of it that
    begins on `worth_from`; `balance` what he has to his credit. `unpaid` are the ids of the payments that are
    not settled, in the order in which they are charged: one at a time, `charging` while it is under way.
    Offline, nothing is charged: its payments are no part of `unpaid`. `cancelled_by` is the side that
    scheduled the end at `cancel_at`.
    """

    id: str
    version: int
    seller: str
    buyer: str
    package: str
    order_request: str
    origin_conversation: str
    plan: Plan
    time_zone: str
    payment_method: PaymentMethod
    payment_token: str
    create_time: datetime
    update_time: datetime
    start_time: datetime
    activate_time: datetime | None
    number: int
    period_begin: date
    period_end: date
    anchor_day: int
    worth: Money
    worth_from: date
    balance: Money
    changes: int = 0
    next_plan: Plan | None = None
    cancel_at: datetime | None = None
    cancelled_by: Actor | None = None
    pause_at: datetime | None = None
    paused_since: datetime | None = None
    resume_at: datetime | None = None
    unpaid: tuple[str, ...] = ()
    charging: bool = False
    past_due_since: datetime | None = None
    retries: int = 0
    retry_at: datetime | None = None
    grace_until: datetime | None = None
    ended_at: datetime | None = None
    end_reason: EndReason | None = None

    @property
    def name(self) -> str:
        """`subscriptions/{subscription}`; it has the id of its order, so an order never gets a second one."""
        return f"subscriptions/{self.id}"

    @property
    def order(self) -> str:
        """`orders/{order}`."""
        return f"orders/{self.id}"

    @property
    def conversation(self) -> str:
        """Where the two talk about it: that of the order."""
        return f"conversations/{self.id}"

    @property
    def etag(self) -> str:
        """The version, as callers see it."""
        return f"v{self.version}"

    @property
    def bucket(self) -> Bucket:
        """Follows from the facts alone."""
        if self.ended_at is not None:
            return Bucket.INACTIVE
        if self.activate_time is None:
            return Bucket.SCHEDULED
        if self.paused_since is not None:
            return Bucket.PAUSED
        return Bucket.ACTIVE if self.past_due_since is None else Bucket.OVERDUE

    @property
    def period_end_time(self) -> datetime:
        """The instant at which the present period is over and the next charge is due."""
        return max(self.start_time, calendar.beginning_of(self.period_end, self.time_zone))

    @property
    def is_last_period(self) -> bool:
        """Whether the term ends with the present period."""
        return 0 < self.plan.period_count <= self.number

    @property
    def days(self) -> int:
        """How many days the present period has."""
        return (self.period_end - self.period_begin).days

    def today(self, now: datetime) -> date:
        """The local date of `now`."""
        return calendar.local_date(now, self.time_zone)


def next_version(subscription: Subscription, now: datetime) -> Subscription:
    """The same subscription, one version later."""
    return replace(subscription, version=subscription.version + 1, update_time=now)


def explain(subscription: Subscription, actor: Actor) -> tuple[ActionState, ...]:
    """Every method that `actor` can ever call on it, with the reason for each that is closed now."""
    return tuple(
        ActionState(
            one.action, not (reason := one.reason or obstacle(subscription, one.action, actor)), reason
        )
        for one in MACHINE.explain(subscription.bucket, actor)
        if one.action in ACTIONS
    )


def allowed_actions(subscription: Subscription, actor: Actor) -> tuple[str, ...]:
    """The methods that `actor` can call now, in the order of the table."""
    return tuple(one.action for one in explain(subscription, actor) if one.allowed)


def obstacle(subscription: Subscription, event: str, actor: Actor) -> str:
    """The reason why the facts beside the bucket forbid `event` to `actor`; empty where they do not."""
    paused = subscription.paused_since is not None
    match event:
        case "changePlan" if subscription.cancel_at is not None:
            return Reason.CANCELLATION_SCHEDULED.value
        case "pause" if subscription.cancel_at is not None:
            return Reason.CANCELLATION_SCHEDULED.value
        case "resume" if not paused and subscription.pause_at is None:
            return "TRANSITION_FORBIDDEN"
        case "revokeCancellation" if subscription.cancel_at is None or subscription.cancelled_by is not actor:
            return "TRANSITION_FORBIDDEN"
        case "changePaymentMeans" if subscription.payment_method is PaymentMethod.OFFLINE:
            return "TRANSITION_FORBIDDEN"
    return ""


def require(subscription: Subscription, event: str, actor: Actor) -> None:
    """Refusals PERMISSION_DENIED, TRANSITION_FORBIDDEN and CANCELLATION_SCHEDULED, each with the name."""
    bucket, name = subscription.bucket, subscription.name
    if not MACHINE.can(bucket, event, actor):
        if any(actor in one.actors for one in MACHINE.transitions if one.event == event):
            allowed = allowed_actions(subscription, actor)
            raise refusals.transition_forbidden(name, bucket.value, event, allowed)
        MACHINE.move(bucket, event, actor, name=name)
    reason = obstacle(subscription, event, actor)
    if reason == Reason.CANCELLATION_SCHEDULED:
        assert subscription.cancel_at is not None
        raise refusals.cancellation_scheduled(name, subscription.cancel_at)
    if reason:
        raise refusals.transition_forbidden(name, bucket.value, event, allowed_actions(subscription, actor))
