"""What happened to an order: each event carries the order after the change.

The wire publishes its public facts only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chassis.kernel.money import Money
    from services.orders.domain.attempt import Outcome
    from services.orders.domain.order import Order
    from services.orders.domain.work import CancelReason, Party


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """A fact about `order`; exactly one for each version of it."""

    order: Order


class OrderPlaced(OrderEvent):
    """It came into existence: placed, or made by an accepted offer."""


class OrderProcessingStarted(OrderEvent):
    """The seller began to work on the decision."""


class OrderQuoteSent(OrderEvent):
    """A quote waits for the buyer's answer."""


class OrderQuoteAnswered(OrderEvent):
    """The quote was accepted, declined, withdrawn or expired."""


class OrderPaymentMethodChanged(OrderEvent):
    """It is paid in another way."""


class OrderConfirmed(OrderEvent):
    """The seller confirmed."""


class OrderDeclined(OrderEvent):
    """The seller declined."""


class OrderWithdrawn(OrderEvent):
    """The buyer withdrew."""


@dataclass(frozen=True, slots=True)
class OrderPaymentRetried(OrderEvent):
    """A declined charge is tried again."""

    payment: str


@dataclass(frozen=True, slots=True)
class OrderPaid(OrderEvent):
    """The money was taken."""

    payment: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class OrderPaymentFailed(OrderEvent):
    """The charge was declined."""

    payment: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class OrderPaymentActionRequired(OrderEvent):
    """The provider wants something of the buyer before it takes the money."""

    payment: str


@dataclass(frozen=True, slots=True)
class OrderPaymentVoided(OrderEvent):
    """The order is cancelled, and its charge never reached the provider."""

    payment: str


@dataclass(frozen=True, slots=True)
class OrderPaymentUnmarked(OrderEvent):
    """The seller takes back that he was paid."""

    payment: str


@dataclass(frozen=True, slots=True)
class OrderRefunded(OrderEvent):
    """Money went back to the buyer."""

    payment: str
    refund_number: int
    amount: Money


@dataclass(frozen=True, slots=True)
class OrderRefundFailed(OrderEvent):
    """The provider refused to give money back."""

    payment: str
    refund_number: int
    amount: Money


@dataclass(frozen=True, slots=True)
class OrderStarted(OrderEvent):
    """The work began; `automatic` where the agreed start came."""

    automatic: bool


@dataclass(frozen=True, slots=True)
class OrderDelivered(OrderEvent):
    """The work was delivered."""

    delivery_number: int
    auto_complete_time: datetime


@dataclass(frozen=True, slots=True)
class OrderChangesRequested(OrderEvent):
    """The buyer sent a delivery back."""

    delivery_number: int


@dataclass(frozen=True, slots=True)
class OrderCompleted(OrderEvent):
    """The delivery was accepted; `automatic` where its time ran out."""

    automatic: bool


@dataclass(frozen=True, slots=True)
class OrderCancelled(OrderEvent):
    """The order was cancelled after its confirmation."""

    reason: CancelReason
    cancelled_by: Party
