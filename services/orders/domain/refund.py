"""A refund: money that goes back to the buyer of a captured payment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.kernel.money import Money


class RefundState(StrEnum):
    """Where a refund stands."""

    CREATED = "CREATED"
    SUBMITTING = "SUBMITTING"
    UNKNOWN = "UNKNOWN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class RefundReason(StrEnum):
    """Why money goes back."""

    CANCELLED = "CANCELLED"
    NOT_DELIVERED = "NOT_DELIVERED"
    NOT_AS_AGREED = "NOT_AS_AGREED"
    DUPLICATE = "DUPLICATE"
    FRAUDULENT = "FRAUDULENT"
    GOODWILL = "GOODWILL"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class RefundAnswer:
    """What the provider says of a refund: it succeeded, or it failed with a code."""

    succeeded: bool
    failure_code: str = ""


@dataclass(frozen=True, slots=True)
class ChargeReference:
    """The charge that is given back: our key, and the provider's own name for it (empty if it has none)."""

    key: str
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """One refund and its only attempt. `key` names it at the provider; `requested_by` is a user.

    `note` is why an operator decided what became of it, where the provider never told.
    """

    number: int
    key: str
    amount: Money
    reason: RefundReason
    text: str
    requested_by: str
    state: RefundState
    create_time: datetime
    resolve_time: datetime | None = None
    failure_code: str = ""
    note: str = ""

    @property
    def is_successful(self) -> bool:
        """Whether the money went back."""
        return self.state is RefundState.SUCCEEDED

    @property
    def holds_money(self) -> bool:
        """Whether its amount is gone, or may be."""
        return self.state is not RefundState.FAILED
