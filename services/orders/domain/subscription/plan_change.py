"""Another plan for a subscription, and what it costs: shown before, then done exactly so.

Rounding: the worth of a period is split by days into the used and the unused part by largest remainder, the
used part winning a tie (`Money.allocate`), so the parts add up to the whole in every currency. The unused
part of the old plan is credited, the same days of the new plan are charged. What a buyer pays over a period
is therefore, to the minor unit, what he used of each plan.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, datetime

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.refusal import Kind, Refusal, invalid
from services.orders.domain import refusals
from services.orders.domain.commerce import Interval, Plan
from services.orders.domain.payment import Purpose
from services.orders.domain.subscription import calendar, events, lifecycle
from services.orders.domain.subscription.facts import Subscription, When, next_version, require
from services.orders.domain.subscription.lifecycle import Move

TOKEN_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change of plan does. `credit` is the unused part of the old plan, `charge` what the new one
    costs until the period's end; `amount_due` is charged at once, `balance` is left to the buyer's credit.

    `plan`, `number` and the days are those of the period after the change; `next_amount` is due at
    `next_time`, unless that period `is_last`.
    """

    subscription: str
    version: int
    plan: Plan
    when: When
    effective_time: datetime
    credit: Money
    charge: Money
    amount_due: Money
    balance: Money
    number: int
    period_begin: date
    period_end: date
    anchor_day: int
    worth_from: date
    next_time: datetime
    next_amount: Money

    @property
    def is_last(self) -> bool:
        """Whether the term is over with the period after the change: then nothing is charged at its end."""
        return 0 < self.plan.period_count <= self.number

    @property
    def token(self) -> str:
        """Stands for everything that is shown: it changes with any of it."""
        # The instant moves with every call; the day is what the amounts depend on.
        shown = [
            self.subscription,
            self.version,
            *(str(one) for one in (self.plan, self.when, self.credit, self.charge, self.amount_due)),
            *(str(one) for one in (self.balance, self.number, self.worth_from, self.period_end)),
        ]
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:TOKEN_CHARACTERS]


def preview(subscription: Subscription, plan: Plan, *, actor: Actor, when: When, now: datetime) -> Preview:
    """What changing to `plan` would do. Refusals TRANSITION_FORBIDDEN, CANCELLATION_SCHEDULED, PAYMENT_OPEN,
    CURRENCY_MISMATCH, AMOUNT_INVALID and VALIDATION_FAILED.
    """
    require(subscription, "changePlan", actor)
    _check(subscription, plan)
    if when is When.PERIOD_END:
        return _later(subscription, plan)
    if subscription.number == 0:
        return _before_the_first_charge(subscription, plan, now)
    if subscription.unpaid or subscription.period_end_time <= now:
        raise refusals.payment_open(subscription.name)
    same = (plan.interval, plan.interval_count) == (
        subscription.plan.interval,
        subscription.plan.interval_count,
    )
    return _within(subscription, plan, now) if same else _anew(subscription, plan, now)


def change(
    subscription: Subscription,
    plan: Plan,
    *,
    actor: Actor,
    when: When,
    token: str,
    now: datetime,
    payment_id: str,
) -> Move | None:
    """Changes the plan as previewed under `token`, which is needed for a change now; None where it changes
    nothing. Refusals of `preview`, PREVIEW_REQUIRED and PREVIEW_STALE.
    """
    shown = preview(subscription, plan, actor=actor, when=when, now=now)
    if when is When.NOW and not token:
        raise refusals.preview_required(subscription.name)
    if token and token != shown.token:
        raise refusals.preview_stale(subscription.name, shown.amount_due)
    if when is When.PERIOD_END:
        return _schedule(subscription, plan, shown, now)
    if plan == subscription.plan.undated:
        return _schedule(subscription, plan, shown, now)
    number = subscription.changes + 1
    changed = replace(
        next_version(subscription, now),
        plan=plan,
        next_plan=None,
        changes=number,
        number=shown.number,
        period_begin=shown.period_begin,
        period_end=shown.period_end,
        anchor_day=shown.anchor_day,
        worth=shown.charge,
        worth_from=shown.worth_from,
        balance=shown.balance,
    )
    changed, due, charge = lifecycle.charged(
        changed, Purpose.PLAN_CHANGE, number, shown.amount_due, payment_id
    )
    event = events.SubscriptionPlanChanged(changed, shown.amount_due, due.id if due else "")
    return Move(changed, event, due=due, charge=charge)


def _schedule(subscription: Subscription, plan: Plan, shown: Preview, now: datetime) -> Move | None:
    """For the period's end. The plan that holds anyway takes back what was scheduled."""
    wanted = None if plan == subscription.plan.undated else plan
    if wanted == subscription.next_plan:
        return None
    changed = replace(next_version(subscription, now), next_plan=wanted)
    return Move(changed, events.SubscriptionPlanChangeScheduled(changed, shown.effective_time))


def _check(subscription: Subscription, plan: Plan) -> None:
    expected = subscription.plan.price.currency
    if plan.price.currency != expected:
        raise Refusal(
            Kind.INVALID,
            "CURRENCY_MISMATCH",
            f"{subscription.name} is in {expected}",
            metadata={"expected": expected, "actual": plan.price.currency},
        )
    if not plan.price.is_positive:
        raise invalid("plan.price", "must be more than nothing", reason="AMOUNT_INVALID")
    for field, value in (
        ("trial_days", plan.trial_days),
        ("anchor_day", plan.anchor_day),
        ("start_time", plan.start_time),
    ):
        if value:
            raise invalid(f"plan.{field}", "belongs to the beginning of a subscription")
    if 0 < plan.period_count <= subscription.number:
        raise invalid("plan.period_count", "counts all periods, and must be more than were charged already")


def _later(subscription: Subscription, plan: Plan) -> Preview:
    nothing = Money(plan.price.currency, 0)
    return Preview(
        subscription=subscription.name,
        version=subscription.version,
        plan=plan,
        when=When.PERIOD_END,
        effective_time=subscription.period_end_time,
        credit=nothing,
        charge=nothing,
        amount_due=nothing,
        balance=subscription.balance,
        number=subscription.number,
        period_begin=subscription.period_begin,
        period_end=subscription.period_end,
        anchor_day=subscription.anchor_day,
        worth_from=subscription.worth_from,
        next_time=subscription.period_end_time,
        next_amount=plan.price - min(subscription.balance, plan.price),
    )


def _before_the_first_charge(subscription: Subscription, plan: Plan, now: datetime) -> Preview:
    """Nothing was charged, so nothing is computed; the first period begins when it was to begin."""
    keeps = Interval.WEEK not in (plan.interval, subscription.plan.interval)
    anchor = subscription.anchor_day if keeps else subscription.period_end.day
    return replace(_later(subscription, plan), when=When.NOW, effective_time=now, anchor_day=anchor)


def _within(subscription: Subscription, plan: Plan, now: datetime) -> Preview:
    """The same rhythm: the rest of the period at the new price. The day of the change counts as unused."""
    today = subscription.today(now)
    used, left = (today - subscription.worth_from).days, (subscription.period_end - today).days
    _, credit = subscription.worth.allocate((used, left))
    _, charge = plan.price.allocate((subscription.days - left, left))
    return _settled(
        _later(subscription, plan), subscription.balance, credit, charge, now=now, worth_from=today
    )


def _anew(subscription: Subscription, plan: Plan, now: datetime) -> Preview:
    """Another rhythm: a whole new period begins today, and its day is the anchor from now on."""
    today = subscription.today(now)
    used, left = (today - subscription.worth_from).days, (subscription.period_end - today).days
    _, credit = subscription.worth.allocate((used, left))
    period_end = calendar.following(today, plan, today.day)
    begun = replace(
        _later(subscription, plan),
        number=subscription.number + 1,
        period_begin=today,
        period_end=period_end,
        anchor_day=today.day,
        next_time=calendar.beginning_of(period_end, subscription.time_zone),
    )
    return _settled(begun, subscription.balance, credit, plan.price, now=now, worth_from=today)


def _settled(
    shown: Preview, before: Money, credit: Money, charge: Money, *, now: datetime, worth_from: date
) -> Preview:
    funds = before + credit
    used = min(funds, charge)
    balance = funds - used
    price = shown.plan.price
    return replace(
        shown,
        when=When.NOW,
        effective_time=now,
        credit=credit,
        charge=charge,
        amount_due=charge - used,
        balance=balance,
        worth_from=worth_from,
        next_amount=price - min(balance, price),
    )
