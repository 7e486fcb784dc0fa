"""An order: its data, its machine, and what the two parties can do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import ActionState, Actor, Machine, Transition
from chassis.kernel.money import Money
from services.orders.domain import events, refusals
from services.orders.domain.commerce import Address, LineItem, PaymentMethod, Plan
from services.orders.domain.gate import GateDecision
from services.orders.domain.listing import ListingKind
from services.orders.domain.option import ChosenOption
from services.orders.domain.quotes import Quote
from services.orders.domain.work import Cancellation, Delivery


class State(StrEnum):
    """Where an order stands."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    AWAITING_ANSWER = "AWAITING_ANSWER"
    CONFIRMED = "CONFIRMED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    IN_PROGRESS = "IN_PROGRESS"
    DELIVERED = "DELIVERED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class Intake(StrEnum):
    """How an order came into existence."""

    INSTANT = "INSTANT"
    SELLER_REVIEW = "SELLER_REVIEW"
    BY_QUOTE = "BY_QUOTE"
    OFFER = "OFFER"


class Folder(StrEnum):
    """Where the seller's team finds an order."""

    INBOX = "INBOX"
    PROCESSING = "PROCESSING"
    AWAITING_ANSWER = "AWAITING_ANSWER"
    CONFIRMED = "CONFIRMED"
    CLOSED = "CLOSED"
    ALL = "ALL"
    """Every order: to list and to count. No order lies in it."""


class PaymentState(StrEnum):
    """Whether the buyer has paid."""

    NOT_DUE = "NOT_DUE"
    PENDING = "PENDING"
    PAID = "PAID"
    FAILED = "FAILED"
    OFFLINE = "OFFLINE"
    FREE = "FREE"
    VOIDED = "VOIDED"


class DeclineReason(StrEnum):
    """Why a seller declines."""

    NO_CAPACITY = "NO_CAPACITY"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    PRICE = "PRICE"
    POLICY = "POLICY"
    OTHER = "OTHER"


UNDECIDED: Final = (State.PENDING, State.PROCESSING, State.AWAITING_ANSWER)
"""The states before a decision."""

_WAITING_FOR_SELLER: Final = (State.PENDING, State.PROCESSING)

UNDER_WAY: Final = (State.CONFIRMED, State.IN_PROGRESS, State.DELIVERED)
"""The states from the confirmation to the end of the work."""

_OWED: Final = (*UNDER_WAY, State.COMPLETED)
# What a provider says about money is taken in whatever became of the order meanwhile.
_SETTLING: Final = (*_OWED, State.CANCELLED)

DELIVERIES_LIMIT: Final = 50
"""How many deliveries an order may have: their texts are kept with it."""

MACHINE: Final = Machine[State](
    "order",
    (
        Transition((State.PENDING,), "markProcessing", (Actor.SELLER,), State.PROCESSING),
        Transition((State.PROCESSING,), "markProcessing", (Actor.SELLER,)),
        Transition(_WAITING_FOR_SELLER, "confirm", (Actor.SELLER,), State.CONFIRMED),
        Transition(UNDECIDED, "decline", (Actor.SELLER,), State.DECLINED),
        Transition(UNDECIDED, "withdraw", (Actor.BUYER,), State.WITHDRAWN),
        Transition(_WAITING_FOR_SELLER, "changePaymentMethod", (Actor.SELLER, Actor.BUYER)),
        Transition(_OWED, "changePaymentMethod", (Actor.BUYER,)),  # only after a declined charge: see `_can`
        Transition((State.CONFIRMED,), "start", (Actor.SELLER,), State.IN_PROGRESS),
        Transition((State.IN_PROGRESS,), "deliver", (Actor.SELLER,), State.DELIVERED),
        Transition((State.DELIVERED,), "requestChanges", (Actor.BUYER,), State.IN_PROGRESS),
        Transition((State.DELIVERED,), "complete", (Actor.BUYER,), State.COMPLETED),
        Transition(UNDER_WAY, "cancel", (Actor.SELLER, Actor.BUYER, Actor.OPERATOR), State.CANCELLED),
        Transition((State.CONFIRMED,), "startCame", (Actor.TIMER,), State.IN_PROGRESS),
        Transition((State.DELIVERED,), "timeRanOut", (Actor.TIMER,), State.COMPLETED),
        Transition((State.PENDING,), "sellerWrote", (Actor.SERVICE,), State.PROCESSING),
        Transition(_WAITING_FOR_SELLER, "quoteSent", (Actor.SERVICE,), State.AWAITING_ANSWER),
        Transition((State.AWAITING_ANSWER,), "quoteSent", (Actor.SERVICE,)),
        Transition(UNDECIDED, "quoteAnswered", (Actor.SERVICE,), State.PROCESSING),
        Transition(_SETTLING, "paid", (Actor.TIMER,)),
        Transition(_SETTLING, "paymentFailed", (Actor.TIMER,)),
        Transition(_OWED, "paymentActionRequired", (Actor.TIMER,)),
        Transition((State.CANCELLED,), "paymentVoided", (Actor.TIMER,)),
        Transition(_SETTLING, "refunded", (Actor.TIMER,)),
        Transition(_SETTLING, "refundFailed", (Actor.TIMER,)),
        Transition(_OWED, "retryPayment", (Actor.SELLER, Actor.BUYER)),
        # Only what is paid without a provider: see `_can`.
        Transition(_OWED, "markPaid", (Actor.SELLER,)),
        Transition(_SETTLING, "unmarkPaid", (Actor.SELLER,)),
    ),
)

ACTIONS: Final = frozenset(
    {
        "markProcessing",
        "confirm",
        "decline",
        "withdraw",
        "changePaymentMethod",
        "start",
        "deliver",
        "requestChanges",
        "complete",
        "cancel",
        "markPaid",
        "unmarkPaid",
    }
)
"""The events that are methods of an order; the others are caused by payments, offers, messages and time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A purchase. `quotes`, `unread` and `labels` are the seller's own affair, `buyer_unread` the buyer's."""

    id: str
    version: int
    seller: str
    buyer: str
    package: str
    intake: Intake
    state: State
    line_items: tuple[LineItem, ...]
    total: Money
    plan: Plan | None
    payment_method: PaymentMethod
    payment_token: str
    payment_state: PaymentState
    delivery_days: int
    create_time: datetime
    update_time: datetime
    kind: ListingKind = ListingKind.SERVICE
    start_time: datetime | None = None
    clock_start_time: datetime | None = None
    delivery_due_time: datetime | None = None
    confirm_time: datetime | None = None
    decision: GateDecision | None = None
    offer: str = ""
    order_request: str = ""
    origin_conversation: str = ""
    quotes: tuple[Quote, ...] = ()
    quote_accepted: bool = False
    requirements: str = ""
    price_agreed_elsewhere: bool = False
    decline_reason: DeclineReason | None = None
    decline_text: str = ""
    billing_address: Address | None = None
    delivery_address: Address | None = None
    unread: int = 0
    buyer_unread: int = 0
    begin_time: datetime | None = None
    deliveries: tuple[Delivery, ...] = ()
    auto_complete_time: datetime | None = None
    complete_time: datetime | None = None
    cancellation: Cancellation | None = None
    options: tuple[ChosenOption, ...] = ()
    refunded: Money | None = None
    labels: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`orders/{order}`."""
        return f"orders/{self.id}"

    @property
    def conversation(self) -> str:
        """Where the two talk about it; it has the id of the order."""
        return f"conversations/{self.id}"

    @property
    def etag(self) -> str:
        """The version, as callers see it."""
        return f"v{self.version}"

    @property
    def subscription(self) -> str:
        """What a confirmed order with a plan leads to; it has the id of the order."""
        return f"subscriptions/{self.id}" if self.plan is not None and self.confirm_time is not None else ""

    @property
    def automatic_start_time(self) -> datetime | None:
        """When the work begins by itself: only where a start was agreed, and until it begins otherwise."""
        agreed = self.start_time is not None and self.state is State.CONFIRMED
        return self.clock_start_time if agreed else None

    @property
    def refund_due(self) -> Money | None:
        """What was taken although the order is cancelled, and did not go back."""
        was_taken = self.payment_state is PaymentState.PAID and self.payment_method is PaymentMethod.ONLINE
        if self.state is not State.CANCELLED or not was_taken:
            return None
        left = self.total if self.refunded is None else self.total - self.refunded
        return left if left.is_positive else None

    @property
    def folder(self) -> Folder:
        """A view of state and unread: nothing is ever moved into a folder."""
        if self.state is State.PROCESSING:
            return Folder.INBOX if self.unread else Folder.PROCESSING
        return _FOLDERS[self.state]


_FOLDERS: Final[Mapping[State, Folder]] = {
    State.PENDING: Folder.INBOX,
    State.AWAITING_ANSWER: Folder.AWAITING_ANSWER,
    State.CONFIRMED: Folder.CONFIRMED,
    State.DECLINED: Folder.CLOSED,
    State.WITHDRAWN: Folder.CLOSED,
    State.IN_PROGRESS: Folder.CONFIRMED,
    State.DELIVERED: Folder.CONFIRMED,
    State.COMPLETED: Folder.CLOSED,
    State.CANCELLED: Folder.CLOSED,
}


# ---------------------------------------------------------------------------------------------- actions


def explain(order: Order, actor: Actor) -> tuple[ActionState, ...]:
    """Every method that `actor` can ever call on it, with the reason for each that is closed now."""
    return tuple(
        one
        if not one.allowed or _can(order, one.action, actor)
        else ActionState(one.action, False, "TRANSITION_FORBIDDEN")
        for one in MACHINE.explain(order.state, actor)
        if one.action in ACTIONS
    )


def allowed_actions(order: Order, actor: Actor) -> tuple[str, ...]:
    """The methods that `actor` can call now, in the order of the table."""
    return tuple(one.action for one in explain(order, actor) if one.allowed)


def _can(order: Order, event: str, actor: Actor) -> bool:
    if not MACHINE.can(order.state, event, actor):
        return False
    if order.state in _OWED and event in {"changePaymentMethod", "retryPayment"}:
        return order.payment_state is PaymentState.FAILED
    if event in {"markPaid", "unmarkPaid"}:
        state = PaymentState.OFFLINE if event == "markPaid" else PaymentState.PAID
        return order.payment_method is PaymentMethod.OFFLINE and order.payment_state is state
    if event == "requestChanges":
        return len(order.deliveries) < DELIVERIES_LIMIT
    return True


def moved(order: Order, event: str, actor: Actor) -> State:
    """The state after `event`; Refusal PERMISSION_DENIED or TRANSITION_FORBIDDEN, both naming the order."""
    if _can(order, event, actor):
        return MACHINE.move(order.state, event, actor)
    if MACHINE.can(order.state, event, actor) or any(
        actor in one.actors for one in MACHINE.transitions if one.event == event
    ):
        allowed = allowed_actions(order, actor)
        raise refusals.transition_forbidden(order.name, order.state.value, event, allowed)
    return MACHINE.move(order.state, event, actor, name=order.name)


def next_version(order: Order, now: datetime, *, by: Actor | None = None) -> Order:
    """The same order, one version later. Whoever did it (`by`) has read everything, and the other side has
    something to read; nobody has where `by` is None.
    """
    later = replace(order, version=order.version + 1, update_time=now)
    if by is None:
        return later
    return replace(
        later,
        unread=0 if by is Actor.SELLER else order.unread + 1,
        buyer_unread=0 if by is Actor.BUYER else order.buyer_unread + 1,
    )


def mark_processing(
    order: Order, *, actor: Actor, now: datetime
) -> tuple[Order, events.OrderProcessingStarted | None]:
    """The seller looks at it: processing, and nothing is unread any more. Repeating changes nothing."""
    state = moved(order, "markProcessing", actor)
    if state is order.state and not order.unread:
        return order, None
    changed = replace(next_version(order, now), state=state, unread=0)
    return changed, events.OrderProcessingStarted(changed)


def seller_wrote(order: Order, *, now: datetime) -> tuple[Order, events.OrderProcessingStarted | None]:
    """The seller's first public message: a pending order is in processing. Later messages change nothing."""
    if order.state is not State.PENDING:
        return order, None
    state = moved(order, "sellerWrote", Actor.SERVICE)
    changed = replace(next_version(order, now), state=state, unread=0)
    return changed, events.OrderProcessingStarted(changed)


def confirm(order: Order, *, actor: Actor, now: datetime) -> tuple[Order, events.OrderConfirmed]:
    """The seller confirms; a by-quote order without an accepted quote is flagged."""
    state = moved(order, "confirm", actor)
    elsewhere = order.intake is Intake.BY_QUOTE and not order.quote_accepted
    later = next_version(order, now, by=actor)
    changed = replace(later, state=state, price_agreed_elsewhere=elsewhere)
    changed = with_confirmation(changed, at=now)
    return changed, events.OrderConfirmed(changed)


def decline(
    order: Order, *, actor: Actor, reason: DeclineReason, text: str, now: datetime
) -> tuple[Order, events.OrderDeclined]:
    """The seller declines. Not a cancellation."""
    state = moved(order, "decline", actor)
    changed = replace(
        next_version(order, now, by=actor), state=state, decline_reason=reason, decline_text=text
    )
    return changed, events.OrderDeclined(changed)


def withdraw(order: Order, *, actor: Actor, now: datetime) -> tuple[Order, events.OrderWithdrawn]:
    """The buyer takes it back before it is confirmed."""
    state = moved(order, "withdraw", actor)
    changed = replace(next_version(order, now, by=actor), state=state)
    return changed, events.OrderWithdrawn(changed)


def change_payment_method(
    order: Order, *, actor: Actor, method: PaymentMethod, token: str, now: datetime
) -> tuple[Order, events.OrderPaymentMethodChanged | None]:
    """How it is paid; after a declined charge too, which makes the payment due again (or settled offline).

    Going offline forgets the means of payment: only a new one, given by a party, can be charged later.
    """
    moved(order, "changePaymentMethod", actor)
    confirmed = order.state in _OWED
    online = method is PaymentMethod.ONLINE
    means = token or (order.payment_token if order.payment_method is method and not confirmed else "")
    if online and (order.total.is_positive or order.plan) and not means:
        raise refusals.payment_token_required()
    means = means if online else ""
    if not confirmed and (method, means) == (order.payment_method, order.payment_token):
        return order, None
    changed = replace(next_version(order, now, by=actor), payment_method=method, payment_token=means)
    if confirmed:
        changed = replace(changed, payment_state=due_state(changed))
    return changed, events.OrderPaymentMethodChanged(changed)


# ------------------------------------------------------------------------------------------ confirmation


def due_state(order: Order) -> PaymentState:
    """What a confirmed order owes at first."""
    if order.total.is_zero:
        return PaymentState.FREE
    return PaymentState.PENDING if order.payment_method is PaymentMethod.ONLINE else PaymentState.OFFLINE


def with_confirmation(order: Order, *, at: datetime) -> Order:
    """The order, confirmed at `at`: delivery counts from then, or from the agreed start if that is later."""
    begin = max(at, order.start_time) if order.start_time is not None else at
    return replace(
        order,
        state=State.CONFIRMED,
        confirm_time=at,
        clock_start_time=begin,
        delivery_due_time=begin + timedelta(days=order.delivery_days),
        payment_state=due_state(order),
    )
