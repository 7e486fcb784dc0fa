"""A payment of an order and its attempts.

An attempt has its own key at the provider from the moment it exists. Nothing charges an attempt under another
key, and a new attempt begins only after the last one was declined for certain: so nothing is charged twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import ActionState, Actor, Machine, Transition
from chassis.kernel.money import Money
from services.orders.domain import events, refusals
from services.orders.domain.attempt import Action, Attempt, Charge, Outcome
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.order import Order, PaymentState, moved
from services.orders.domain.order import State as OrderState
from services.orders.domain.order import next_version as next_order
from services.orders.domain.refund import Refund


class State(StrEnum):
    """Where a payment stands."""

    CREATED = "CREATED"
    SUBMITTING = "SUBMITTING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    CAPTURED = "CAPTURED"
    DECLINED = "DECLINED"
    UNKNOWN = "UNKNOWN"
    VOIDED = "VOIDED"


class Purpose(StrEnum):
    """What is paid: the total of an order, one period of a subscription, or one change of its plan."""

    ORDER_TOTAL = "ORDER_TOTAL"
    SUBSCRIPTION_PERIOD = "SUBSCRIPTION_PERIOD"
    PLAN_CHANGE = "PLAN_CHANGE"


UNRESOLVED: Final = (State.SUBMITTING, State.UNKNOWN, State.REQUIRES_ACTION)
"""The provider may or may not have taken the money."""

MACHINE: Final = Machine[State](
    "payment",
    (
        Transition((State.CREATED,), "submit", (Actor.TIMER,), State.SUBMITTING),
        # Under the same key, once the provider said that it never saw it.
        Transition(UNRESOLVED, "resubmit", (Actor.TIMER,), State.SUBMITTING),
        # An answer that comes after all is true even where nobody waits for it any more.
        Transition((*UNRESOLVED, State.VOIDED), "capture", (Actor.TIMER,), State.CAPTURED),
        Transition((*UNRESOLVED, State.VOIDED), "decline", (Actor.TIMER,), State.DECLINED),
        Transition(UNRESOLVED, "lose", (Actor.TIMER,), State.UNKNOWN),
        Transition(UNRESOLVED, "requireAction", (Actor.TIMER,), State.REQUIRES_ACTION),
        # The provider is asked again; what it says moves the payment.
        Transition((State.REQUIRES_ACTION,), "resume", (Actor.BUYER,)),
        Transition((State.DECLINED,), "retry", (Actor.BUYER, Actor.SELLER), State.CREATED),
        # By the schedule of a subscription.
        Transition((State.DECLINED,), "renew", (Actor.TIMER,), State.CREATED),
        # Its amount counts against what was captured: see `refunding`.
        Transition((State.CAPTURED,), "refund", (Actor.SELLER, Actor.OPERATOR)),
        # With its owner, before anything was submitted; or once the provider said that it never saw it.
        Transition((State.CREATED,), "void", (Actor.BUYER, Actor.SELLER, Actor.OPERATOR), State.VOIDED),
        Transition((State.CREATED, *UNRESOLVED), "void", (Actor.TIMER,), State.VOIDED),
    ),
)

_LATER_ENQUIRIES: Final = (timedelta(hours=1), *(timedelta(days=1),) * 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment for each purpose of its owner, which is an order or a subscription.

    `sequence` tells payments of one purpose apart: 1, 2, 3 … for the periods or plan changes of a
    subscription, 0 for the total of an order. `token` is the means of payment of the next attempt;
    `is_attended` says whether the buyer can be asked to act in it.
    """

    id: str
    owner: str
    seller: str
    buyer: str
    version: int
    purpose: Purpose
    sequence: int = 0
    amount: Money
    state: State
    provider: str
    token: str
    create_time: datetime
    update_time: datetime
    attempts: tuple[Attempt, ...] = ()
    capture_time: datetime | None = None
    is_attended: bool = False
    refunds: tuple[Refund, ...] = ()

    @property
    def name(self) -> str:
        """`orders/{order}/payments/{payment}` or `subscriptions/{subscription}/payments/{payment}`."""
        return f"{self.owner}/payments/{self.id}"

    @property
    def etag(self) -> str:
        """The version, as callers see it."""
        return f"v{self.version}"

    @property
    def last_capture(self) -> Attempt | None:
        """The attempt that took the money; None where no provider did."""
        if self.state is not State.CAPTURED or not self.attempts:
            return None
        return self.attempts[-1] if self.attempts[-1].outcome is Outcome.CAPTURED else None

    @property
    def refunded(self) -> Money:
        """What went back to the buyer for certain."""
        back = sum(one.amount.amount for one in self.refunds if one.is_successful)
        return Money(self.amount.currency, back)

    @property
    def reserved(self) -> Money:
        """What went back or may have: no other refund may use it."""
        held = sum(one.amount.amount for one in self.refunds if one.holds_money)
        return Money(self.amount.currency, held)

    @property
    def refundable(self) -> Money:
        """What a refund may still give back: nothing of what no provider took."""
        return Money(self.amount.currency, 0) if self.last_capture is None else self.amount - self.reserved

    @property
    def action(self) -> Action | None:
        """What the buyer is to do now."""
        return self.last_attempt.action if self.state is State.REQUIRES_ACTION else None

    @property
    def enquiries_end_time(self) -> datetime:
        """When the provider was asked for the last time about the last attempt, at the latest."""
        attempt = self.last_attempt
        return (attempt.action_expire_time or attempt.submit_time) + ENQUIRIES_END_AFTER

    @property
    def last_attempt(self) -> Attempt:
        """The newest attempt; ValueError before the first."""
        if not self.attempts:
            raise ValueError(f"{self.name} was never tried")
        return self.attempts[-1]


ENQUIRIES_END_AFTER: Final = sum(_LATER_ENQUIRIES, timedelta(0))
"""How long after the submission the provider is asked for the last time, at the latest."""


def next_enquiry(round_number: int) -> timedelta | None:
    """How long after enquiry `round_number` (1, 2, …) the provider is asked again; None: no more."""
    index = round_number - 1
    return _LATER_ENQUIRIES[index] if index < len(_LATER_ENQUIRIES) else None


def due(order: Order, *, payment_id: str, provider: str, now: datetime) -> Payment | None:
    """The payment that a confirmed order owes now; None where nothing is to be charged.

    It refuses to exist before the confirmation (ValueError): nothing can be charged before it.
    """
    if order.confirm_time is None:
        raise ValueError(f"{order.name} is not confirmed")
    if order.payment_state is not PaymentState.PENDING:
        return None
    return new(
        order.name,
        Purpose.ORDER_TOTAL,
        order.total,
        payment_id=payment_id,
        parties=(order.seller, order.buyer),
        provider=provider,
        token=order.payment_token,
        now=now,
    )


def new(
    owner: str,
    purpose: Purpose,
    amount: Money,
    *,
    payment_id: str,
    parties: tuple[str, str],
    provider: str,
    token: str,
    now: datetime,
    sequence: int = 0,
) -> Payment:
    """A payment that is due now; `parties` are its seller and its buyer. ValueError for a zero amount."""
    if not amount.is_positive:
        raise ValueError(f"{owner} owes nothing")
    seller, buyer = parties
    return Payment(
        id=payment_id,
        owner=owner,
        seller=seller,
        buyer=buyer,
        version=1,
        purpose=purpose,
        sequence=sequence,
        amount=amount,
        state=State.CREATED,
        provider=provider,
        token=token,
        create_time=now,
        update_time=now,
        # The buyer follows his order, but nobody waits for him when a period begins.
        is_attended=purpose is Purpose.ORDER_TOTAL,
    )


def submit(payment: Payment, *, now: datetime) -> Payment:
    """A new attempt under a new key. It is to be stored before the provider is asked."""
    state = MACHINE.move(payment.state, "submit", Actor.TIMER, name=payment.name)
    number = len(payment.attempts) + 1
    attempt = Attempt(number, f"{payment.id}-{number}", payment.token, now)
    return replace(next_version(payment, now), state=state, attempts=(*payment.attempts, attempt))


def resubmit(payment: Payment, *, now: datetime) -> Payment:
    """The same attempt again, under the same key."""
    state = MACHINE.move(payment.state, "resubmit", Actor.TIMER, name=payment.name)
    return replace(next_version(payment, now), state=state)


def lose(payment: Payment, number: int, *, now: datetime) -> Payment:
    """The answer to attempt `number` was lost. Changes nothing where it is known meanwhile, or while the
    buyer has time to act.
    """
    attempt = open_attempt(payment, number)
    if attempt is None or payment.state in (State.UNKNOWN, State.VOIDED):
        return payment
    if payment.state is State.REQUIRES_ACTION and not is_action_over(payment, now=now):
        return payment
    state = MACHINE.move(payment.state, "lose", Actor.TIMER, name=payment.name)
    return with_attempt(next_version(payment, now), replace(attempt, outcome=Outcome.UNKNOWN), state)


def is_action_over(payment: Payment, *, now: datetime) -> bool:
    """Whether nobody can be expected to act any more: a charge that waits for it is to be called off."""
    expire_time = payment.last_attempt.action_expire_time
    return not payment.is_attended or (expire_time is not None and now >= expire_time)


def resolve(payment: Payment, number: int, charge: Charge, *, now: datetime) -> Payment:
    """The answer to attempt `number`, for good. Changes nothing where it is already known."""
    attempt = open_attempt(payment, number)
    if attempt is None:
        return payment
    captured = charge.outcome is Outcome.CAPTURED
    state = MACHINE.move(payment.state, "capture" if captured else "decline", Actor.TIMER, name=payment.name)
    known = replace(
        attempt,
        outcome=charge.outcome,
        decline_code=charge.decline_code,
        resolve_time=now,
        reference=charge.reference or attempt.reference,
        action=None,
        action_expire_time=None,
    )
    changed = with_attempt(next_version(payment, now), known, state)
    return replace(changed, capture_time=now) if captured else changed


def retry(
    payment: Payment, order: Order, *, actor: Actor, token: str, now: datetime
) -> tuple[Payment, Order, events.OrderPaymentRetried]:
    """Due again, by the same means after a soft decline, by another one after a hard decline."""
    renewed = renew(payment, order, actor=actor, token=token, now=now)
    moved(order, "retryPayment", actor)
    changed = replace(next_order(order, now), payment_state=PaymentState.PENDING)
    return renewed, changed, events.OrderPaymentRetried(changed, payment.name)


def renew(payment: Payment, order: Order, *, actor: Actor, token: str, now: datetime) -> Payment:
    """The payment, due again. Refusals TRANSITION_FORBIDDEN and PAYMENT_MEANS_REFUSED."""
    if not _can_retry(payment, order, actor):
        # An actor who never retries is refused here as DENIED.
        if MACHINE.can(State.DECLINED, "retry", actor):
            raise refusals.transition_forbidden(payment.name, payment.state.value, "retry", ())
        MACHINE.move(payment.state, "retry", actor, name=payment.name)
    return due_again(payment, actor=actor, token=token, now=now)


def due_again(payment: Payment, *, actor: Actor, token: str, now: datetime) -> Payment:
    """A declined payment, due again; whether its owner still owes it was decided before.

    Refusals TRANSITION_FORBIDDEN, and PAYMENT_MEANS_REFUSED where only another means can work.
    """
    event = "renew" if actor is Actor.TIMER else "retry"
    state = MACHINE.move(payment.state, event, actor, name=payment.name)
    last = payment.last_attempt
    if last.outcome is Outcome.HARD_DECLINE and token in {"", last.token}:
        raise refusals.payment_means_refused(payment.name, last.decline_code)
    return replace(
        next_version(payment, now),
        state=state,
        token=token or payment.token,
        is_attended=actor is Actor.BUYER or payment.purpose is Purpose.ORDER_TOTAL,
    )


def void(payment: Payment, *, actor: Actor, now: datetime) -> Payment:
    """Not charged any more, because its order is cancelled."""
    state = MACHINE.move(payment.state, "void", actor, name=payment.name)
    return replace(next_version(payment, now), state=state)


def settled(
    order: Order, payment: Payment, *, now: datetime
) -> tuple[Order, events.OrderPaid | events.OrderPaymentFailed]:
    """The order after its payment was captured or declined."""
    outcome = payment.last_attempt.outcome
    assert outcome is not None
    if payment.state is State.CAPTURED:
        moved(order, "paid", Actor.TIMER)
        paid = replace(next_order(order, now), payment_state=PaymentState.PAID)
        return paid, events.OrderPaid(paid, payment.name, outcome)
    moved(order, "paymentFailed", Actor.TIMER)
    is_cancelled = order.state is OrderState.CANCELLED
    state = PaymentState.VOIDED if is_cancelled else PaymentState.FAILED
    later = next_order(order, now, by=None if is_cancelled else Actor.TIMER)
    failed = replace(later, payment_state=state)
    return failed, events.OrderPaymentFailed(failed, payment.name, outcome)


def explain_payment(payment: Payment, order: Order | None, actor: Actor) -> tuple[ActionState, ...]:
    """The methods of a payment that `actor` can ever call, with the reason for each that is closed now.

    `order` is None for a payment of a subscription, whose retries follow a schedule.
    """
    possible = {}
    if order is not None and MACHINE.can(State.DECLINED, "retry", actor):
        possible["retry"] = _can_retry(payment, order, actor)
    if MACHINE.can(State.REQUIRES_ACTION, "resume", actor):
        possible["resume"] = payment.state is State.REQUIRES_ACTION
    if MACHINE.can(State.CAPTURED, "refund", actor):
        possible["refund"] = payment.refundable.is_positive
    return tuple(
        ActionState(action, allowed, "" if allowed else "TRANSITION_FORBIDDEN")
        for action, allowed in possible.items()
    )


def _can_retry(payment: Payment, order: Order, actor: Actor) -> bool:
    still_owed = order.payment_state is PaymentState.FAILED or (
        # Within one change of the payment method the order is already due again.
        order.payment_state is PaymentState.PENDING and payment.state is State.DECLINED
    )
    online = order.payment_method is PaymentMethod.ONLINE
    return online and still_owed and MACHINE.can(payment.state, "retry", actor)


def open_attempt(payment: Payment, number: int) -> Attempt | None:
    """Attempt `number`; None where its answer is known, or where there is none."""
    found = next((attempt for attempt in payment.attempts if attempt.number == number), None)
    return None if found is None or found.is_resolved else found


def with_attempt(payment: Payment, attempt: Attempt, state: State) -> Payment:
    """The payment in `state`, with the attempt in place of the one of its number."""
    attempts = tuple(attempt if one.number == attempt.number else one for one in payment.attempts)
    return replace(payment, attempts=attempts, state=state)


def next_version(payment: Payment, now: datetime) -> Payment:
    """The same payment, one version later."""
    return replace(payment, version=payment.version + 1, update_time=now)
