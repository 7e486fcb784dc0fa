"""The books: what moved, between whom, in entries that always balance.

A transaction is written together with the payment or refund that it records, and never changes afterwards:
what was wrong is taken back by another one. Its id follows from what it records, so nothing is booked twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.kernel.money import Money
from services.orders.domain.payment import Payment
from services.orders.domain.refund import Refund


class Account(StrEnum):
    """Where money is, or who is owed it.

    PROVIDER_CLEARING: what the payment provider holds. SELLER_PAYABLE: what the seller is owed. REFUNDS: what
    was given back at the seller's expense. OFFLINE_RECEIPTS: what the seller got from the buyer himself.
    """

    PROVIDER_CLEARING = "PROVIDER_CLEARING"
    SELLER_PAYABLE = "SELLER_PAYABLE"
    REFUNDS = "REFUNDS"
    OFFLINE_RECEIPTS = "OFFLINE_RECEIPTS"


class Kind(StrEnum):
    """What a transaction records."""

    CAPTURE = "CAPTURE"
    REFUND = "REFUND"
    OFFLINE_PAYMENT = "OFFLINE_PAYMENT"
    OFFLINE_REVERSAL = "OFFLINE_REVERSAL"


class Side(StrEnum):
    """Which side of an account."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line; `amount` is positive. `party` is whose account it is: a provider or a seller."""

    account: Account
    party: str
    side: Side
    amount: Money

    @property
    def signed(self) -> int:
        """Minor units, debits positive."""
        return self.amount.amount if self.side is Side.DEBIT else -self.amount.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTransaction:
    """Entries that were written together. ValueError where they do not balance in every currency."""

    id: str
    kind: Kind
    payment: str
    seller: str
    buyer: str
    create_time: datetime
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        sums: dict[str, int] = {}
        for entry in self.entries:
            if not entry.amount.is_positive:
                raise ValueError("an entry needs a positive amount")
            sums[entry.amount.currency] = sums.get(entry.amount.currency, 0) + entry.signed
        if len(self.entries) < 2 or any(sums.values()):
            raise ValueError(f"{self.id} is not balanced")


def captured(payment: Payment) -> LedgerTransaction:
    """The provider took the buyer's money, and the seller is owed it. ValueError before the capture."""
    if payment.capture_time is None:
        raise ValueError(f"{payment.name} is not captured")
    return _transaction(
        payment,
        f"{payment.id}-capture",
        Kind.CAPTURE,
        payment.capture_time,
        debit=(Account.PROVIDER_CLEARING, payment.provider),
        credit=(Account.SELLER_PAYABLE, payment.seller),
        amount=payment.amount,
    )


def refunded(payment: Payment, refund: Refund) -> LedgerTransaction:
    """The provider gave money back, at the seller's expense. ValueError before it did."""
    if not refund.is_successful or refund.resolve_time is None:
        raise ValueError(f"{refund.key} did not succeed")
    return _transaction(
        payment,
        refund.key,
        Kind.REFUND,
        refund.resolve_time,
        debit=(Account.REFUNDS, payment.seller),
        credit=(Account.PROVIDER_CLEARING, payment.provider),
        amount=refund.amount,
    )


def received(payment: Payment) -> LedgerTransaction:
    """The seller got the buyer's money himself. ValueError before he said so."""
    if payment.capture_time is None:
        raise ValueError(f"{payment.name} is not marked as paid")
    return _transaction(
        payment,
        f"{payment.id}-received-{payment.version}",
        Kind.OFFLINE_PAYMENT,
        payment.capture_time,
        debit=(Account.OFFLINE_RECEIPTS, payment.seller),
        credit=(Account.SELLER_PAYABLE, payment.seller),
        amount=payment.amount,
    )


def taken_back(payment: Payment) -> LedgerTransaction:
    """What `received` booked, the other way round."""
    return _transaction(
        payment,
        f"{payment.id}-reversed-{payment.version}",
        Kind.OFFLINE_REVERSAL,
        payment.update_time,
        debit=(Account.SELLER_PAYABLE, payment.seller),
        credit=(Account.OFFLINE_RECEIPTS, payment.seller),
        amount=payment.amount,
    )


def _transaction(
    payment: Payment,
    identity: str,
    kind: Kind,
    time: datetime,
    *,
    debit: tuple[Account, str],
    credit: tuple[Account, str],
    amount: Money,
) -> LedgerTransaction:
    return LedgerTransaction(
        id=identity,
        kind=kind,
        payment=payment.name,
        seller=payment.seller,
        buyer=payment.buyer,
        create_time=time,
        entries=(Entry(*debit, Side.DEBIT, amount), Entry(*credit, Side.CREDIT, amount)),
    )
