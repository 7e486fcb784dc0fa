"""What becomes of a confirmed order: deliveries, or a cancellation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery; `changes_text` is what the buyer wants changed, where he sent it back."""

    number: int
    text: str
    deliver_time: datetime
    changes_text: str = ""
    changes_time: datetime | None = None


class CancelReason(StrEnum):
    """Why an order is cancelled."""

    NO_CAPACITY = "NO_CAPACITY"
    NOT_NEEDED = "NOT_NEEDED"
    NOT_DELIVERED = "NOT_DELIVERED"
    NOT_AS_AGREED = "NOT_AS_AGREED"
    NOT_PAID = "NOT_PAID"
    MUTUAL_AGREEMENT = "MUTUAL_AGREEMENT"
    POLICY = "POLICY"
    OTHER = "OTHER"


class Party(StrEnum):
    """Who cancels."""

    BUYER = "BUYER"
    SELLER = "SELLER"
    OPERATOR = "OPERATOR"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Who cancelled, when and why."""

    reason: CancelReason
    cancelled_by: Party
    text: str
    cancel_time: datetime
