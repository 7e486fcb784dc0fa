"""What happened to a subscription: each event carries it after the change, one for each version."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chassis.kernel.machine import Actor
from chassis.kernel.money import Money

if TYPE_CHECKING:
    from services.orders.domain.subscription.facts import Subscription


@dataclass(frozen=True, slots=True)
class SubscriptionEvent:
    """A fact about `subscription`."""

    subscription: Subscription


class SubscriptionCreated(SubscriptionEvent):
    """Its order was confirmed."""


class SubscriptionActivated(SubscriptionEvent):
    """Its start came."""


@dataclass(frozen=True, slots=True)
class SubscriptionRenewed(SubscriptionEvent):
    """A period began; `payment` is empty where the balance covers it."""

    amount: Money
    payment: str


@dataclass(frozen=True, slots=True)
class SubscriptionPaid(SubscriptionEvent):
    """A payment was collected, or received offline; others may still be unpaid."""

    payment: str
    amount: Money


@dataclass(frozen=True, slots=True)
class SubscriptionRecovered(SubscriptionEvent):
    """A payment was collected after one had failed, and nothing is unpaid any more."""

    payment: str
    amount: Money


@dataclass(frozen=True, slots=True)
class SubscriptionPaymentFailed(SubscriptionEvent):
    """A payment was declined; `hard` where no retry will follow by itself."""

    payment: str
    amount: Money
    hard: bool


@dataclass(frozen=True, slots=True)
class SubscriptionPaymentRetried(SubscriptionEvent):
    """A declined payment is tried again, by the schedule or by a party."""

    payment: str
    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionRefunded(SubscriptionEvent):
    """Money of a payment went back, or, where it did not succeed, the provider refused."""

    payment: str
    amount: Money
    succeeded: bool


@dataclass(frozen=True, slots=True)
class SubscriptionPaymentUnmarked(SubscriptionEvent):
    """The seller took back that he received a payment."""

    payment: str
    amount: Money


@dataclass(frozen=True, slots=True)
class SubscriptionPaymentMeansChanged(SubscriptionEvent):
    """Later charges are made by another means of payment."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionCancellationRevoked(SubscriptionEvent):
    """A scheduled cancellation was taken back."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionPlanChanged(SubscriptionEvent):
    """Another plan holds now; `amount` is due for it at once."""

    amount: Money
    payment: str


@dataclass(frozen=True, slots=True)
class SubscriptionPlanChangeScheduled(SubscriptionEvent):
    """Another plan will hold from the next period on."""

    effective_time: datetime


@dataclass(frozen=True, slots=True)
class SubscriptionCancellationScheduled(SubscriptionEvent):
    """It will end with the present period."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionPauseScheduled(SubscriptionEvent):
    """A pause, or the end of one, was set or moved."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionPauseRevoked(SubscriptionEvent):
    """A scheduled pause was taken back."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionPaused(SubscriptionEvent):
    """Its days stand still."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionResumed(SubscriptionEvent):
    """Its days go on."""

    actor: Actor


@dataclass(frozen=True, slots=True)
class SubscriptionEnded(SubscriptionEvent):
    """It is over; the reason is among its facts."""

    actor: Actor
