"""What the application needs from outside, in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from chassis.db import Transaction
from chassis.kernel.money import Money
from chassis.kernel.page import Page, PageRequest
from services.orders.domain.attempt import Charge
from services.orders.domain.commerce import Address
from services.orders.domain.gate import GateDecision
from services.orders.domain.ledger import Entry, Kind, LedgerTransaction
from services.orders.domain.listing import Listing
from services.orders.domain.note import NoteFilter
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment
from services.orders.domain.refund import ChargeReference, Refund, RefundAnswer


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which lines of a seller's books: all, or those about one payment."""

    seller: str
    payment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One entry of the ledger and the transaction that it belongs to."""

    id: str
    transaction: str
    kind: Kind
    payment: str
    seller: str
    buyer: str
    create_time: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders: of a seller's team or of a buyer, in some of the lanes of `domain.desk` (any if None),
    with all of `labels`, with a note.
    """

    seller: str = ""
    buyer: str = ""
    lanes: tuple[str, ...] | None = None
    labels: tuple[str, ...] = ()
    note: NoteFilter | None = None


class Repository(Protocol):
    """Orders and payments. A row is saved only over the version that it was read at."""

    async def load(self, tx: Transaction, name: str, *, for_update: bool = False) -> Order | None:
        """The order, locked if wanted."""
        ...

    async def add(self, tx: Transaction, order: Order, payment_of_it: Payment | None) -> bool:
        """Stores a new order and its payment; False if the order exists."""
        ...

    def inserts(self, order: Order, payment_of_it: Payment | None) -> Sequence[tuple[Any, Mapping[str, Any]]]:
        """The rows of a new order, for a command that is a single statement."""
        ...

    async def save(self, tx: Transaction, order: Order, *, expected: int) -> None:
        """Replaces the order at version `expected`."""
        ...

    async def set_addresses(
        self, tx: Transaction, name: str, billing: Address | None, delivery: Address | None
    ) -> None:
        """Completes an order by the addresses that were captured with it."""
        ...

    async def page(self, tx: Transaction, wanted: OrderFilter, request: PageRequest) -> Page[Order]:
        """Orders, newest first."""
        ...

    async def add_payment(self, tx: Transaction, new: Payment) -> None:
        """Stores a new payment, with its attempt if it has one, when the work of the transaction is done."""
        ...

    async def load_payment(self, tx: Transaction, name: str) -> Payment | None:
        """The payment with its attempts. Whoever changes it holds the lock of its owner."""
        ...

    async def payment_by_key(self, tx: Transaction, key: str) -> tuple[str, int, bool] | None:
        """The name of the payment that has an attempt, or (True) a refund, of that key at the provider, and
        which one of it; None for a key that was never given.
        """
        ...

    async def load_payments(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, Payment]:
        """Payments by name, those that exist. Whoever changes them holds the locks of their owners."""
        ...

    async def payments_of(self, tx: Transaction, owner: str) -> tuple[Payment, ...]:
        """Every payment of an order or a subscription, oldest first."""
        ...

    async def page_of_payments(self, tx: Transaction, owner: str, request: PageRequest) -> Page[Payment]:
        """Some of the payments of a subscription, oldest first."""
        ...

    async def save_payment(self, tx: Transaction, changed: Payment, *, expected: int) -> None:
        """Replaces the payment at version `expected`, its last attempt included, when the work of the
        transaction is done.
        """
        ...

    async def save_refund(self, tx: Transaction, changed: Payment, number: int, *, expected: int) -> None:
        """Replaces the payment at version `expected` together with one of its refunds, which may be new."""
        ...

    async def post(self, tx: Transaction, new: LedgerTransaction) -> None:
        """Adds a transaction to the ledger, when the work of the running one is done."""
        ...

    async def ledger_page(
        self, tx: Transaction, wanted: LedgerFilter, request: PageRequest
    ) -> Page[LedgerLine]:
        """The lines of a seller's books, newest first."""
        ...


class Listings(Protocol):
    """What can be bought."""

    async def find(self, name: str) -> Listing | None:
        """The listing, at most a few seconds old; None where there is none that a buyer may know of.

        Refusal UNAVAILABLE when it is known nowhere here and the offers service cannot answer.
        """
        ...

    async def keep(self, tx: Transaction, listing: Listing) -> None:
        """Stores a newer version of a listing."""
        ...

    def remember(self, listing: Listing) -> None:
        """Answers with this version from now on, if it is newer."""
        ...


class Gate(Protocol):
    """The gating service."""

    async def evaluate(self, package: str, buyer: str) -> GateDecision:
        """May this buyer order this package now? Refusals NOT_FOUND, and UNAVAILABLE PEER_UNAVAILABLE."""
        ...


class Offers(Protocol):
    """The offers service."""

    async def listing(self, name: str) -> Listing | None:
        """A published listing; None where there is none. Refusal UNAVAILABLE PEER_UNAVAILABLE."""
        ...

    async def addresses(self, offer: str) -> tuple[Address | None, Address | None]:
        """Where the bill and the delivery of an accepted offer go. Refusal UNAVAILABLE PEER_UNAVAILABLE."""
        ...


class PaymentOwner(Protocol):
    """What a payment is for, locked in the running transaction: an order or a subscription.

    Its row is what has to be locked to change its payments.
    """

    def is_owed(self, payment: Payment) -> bool:
        """Whether a charge that never reached the provider is still to be submitted."""
        ...

    async def action_required(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """Takes in that the provider wants something of the buyer, who is there to do it."""
        ...

    async def settled(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """Takes in that `payment` (as it is stored by the caller) was captured or declined."""
        ...

    async def given_up(self, tx: Transaction, payment: Payment, *, now: datetime) -> None:
        """Takes in that `payment` (as it is stored by the caller) was voided, because it is not owed."""
        ...

    async def refunded(self, tx: Transaction, payment: Payment, refund: Refund, *, now: datetime) -> None:
        """Takes in that money of `payment` (as it is stored by the caller) went back."""
        ...

    async def refund_failed(
        self, tx: Transaction, payment: Payment, refund: Refund, *, now: datetime
    ) -> None:
        """Takes in that the provider refused to give money of `payment` back."""
        ...


class PaymentOwners(Protocol):
    """The orders, or the subscriptions."""

    async def lock(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, PaymentOwner]:
        """The owners of these names, those that exist, locked until the transaction ends."""
        ...


class PaymentProvider(Protocol):
    """Takes money. Everything may fail, and an exception means that nothing is known."""

    @property
    def name(self) -> str:
        """How payments refer to it, for example `sandbox`."""
        ...

    async def charge(
        self, key: str, amount: Money, token: str, *, attended: bool, payment: str = ""
    ) -> Charge:
        """Charges once for each `key`: repeated with the same key it answers the first outcome again.

        Where the buyer is not `attended` to, nothing can be wanted of him: what needs it is declined. Where
        he is sent away to do something, he comes back with the name of the `payment`.
        """
        ...

    async def lookup(self, key: str, reference: str = "") -> Charge | None:
        """What became of `key`, which the provider calls `reference` if known; None where it never saw it."""
        ...

    async def call_off(self, key: str, reference: str) -> Charge:
        """Ends a charge that waits for the buyer: declined from then on, unless he was quicker."""
        ...

    async def refund(self, key: str, charge: ChargeReference, amount: Money) -> RefundAnswer:
        """Gives back once for each `key`: repeated with the same key it answers the first outcome again."""
        ...

    async def lookup_refund(self, key: str, charge: ChargeReference) -> RefundAnswer | None:
        """What became of the refund `key`; None where it was never seen."""
        ...


class ProviderEventReader(Protocol):
    """Tells events of a payment provider from forged ones."""

    @property
    def name(self) -> str:
        """The provider."""
        ...

    def keys(self, event: bytes, signature: str, now: datetime) -> Sequence[str]:
        """The keys at the provider that an event is about. Refusals PROVIDER_EVENTS_NOT_CONFIGURED,
        PROVIDER_SIGNATURE_INVALID and PROVIDER_EVENT_EXPIRED.
        """
        ...
