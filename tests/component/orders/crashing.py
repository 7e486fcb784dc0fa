"""The handlers of payments and refunds on a real PostgreSQL, beside a process that may crash at any step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from chassis.call import Call
from chassis.db import Database
from chassis.kernel.caller import Caller, Relation, Role, Rule
from chassis.kernel.clock import ManualClock
from chassis.kernel.ids import UuidV7
from chassis.kernel.money import Money
from chassis.testing.service import Backends
from chassis.timers import LEASE, Handler, TimerRunner
from services.orders.adapters.listing_catalog import ListingCatalog
from services.orders.adapters.repository import Repository
from services.orders.adapters.sandbox import SandboxProvider
from services.orders.adapters.subscription_repository import SubscriptionRepository
from services.orders.app.actions import ActionCommands, ResumePayment
from services.orders.app.charges import ChargeErrand
from services.orders.app.commands import OrderCommands
from services.orders.app.errand import Errand
from services.orders.app.errand_timers import ErrandTimers, Patience
from services.orders.app.fulfilment import CancelOrder, FulfilmentCommands
from services.orders.app.loading import ChangeOrder
from services.orders.app.payment_owners import AllOwners, OrderOwners
from services.orders.app.refunds import RefundCommands, RefundErrand, RefundPayment
from services.orders.app.subscription_book import SubscriptionBook
from services.orders.domain.attempt import Charge
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.order import Order, PaymentState
from services.orders.domain.order import State as OrderState
from services.orders.domain.payment import UNRESOLVED, Payment, State
from services.orders.domain.refund import ChargeReference, RefundAnswer, RefundReason
from services.orders.domain.work import CancelReason
from services.orders.wire.events import event_record
from tests.component.orders.market import REVIEWED, FakeGate, FakeOffers
from tests.unit.orders.purchases import wish

STEPS = (
    "before the attempt is committed",
    "before the provider is asked",
    "in the provider, before it books",
    "in the provider, after it booked",
    "before the answer is committed",
)
TOKENS = ("sandbox_success", "sandbox_decline_soft", "sandbox_decline_hard", "sandbox_timeout_after_charge")
ACTION_TOKENS = ("sandbox_requires_action", "sandbox_action_fails", "sandbox_action_never_done")
REFUND_TOKENS = ("sandbox_refund_fails", "sandbox_timeout_after_refund")
PARTY = Rule(Relation.PARTY, frozenset(Role))
BUYER = Caller("users/ana", is_buyer=True)
SELLER = Caller("users/s", teams={"sellers/acme": Role.SELLER_OWNER})


class Crash(BaseException):
    """The process is gone: nothing catches this."""


@dataclass
class Crasher:
    """Crashes once at the step it is armed with."""

    step: str = ""

    def at(self, step: str) -> None:
        if self.step == step:
            self.step = ""
            raise Crash(step)


class CrashingDatabase(Database):
    """The service's own connection to its database; the provider has another one."""

    crasher: Crasher

    async def fire(self, timer: Any, work: Any) -> bool:
        async def crashing(tx: Any) -> None:
            await work(tx)
            self.crasher.at(STEPS[0])

        return await super().fire(timer, crashing)

    async def transact(self, work: Any, *, serializable: bool = False) -> Any:
        self.crasher.at(STEPS[4])
        return await super().transact(work, serializable=serializable)


@dataclass
class CrashingProvider:
    """The sandbox provider at the far end of a connection that may break."""

    inner: SandboxProvider
    crasher: Crasher
    name: str = "sandbox"

    async def charge(
        self, key: str, amount: Money, token: str, *, attended: bool, payment: str = ""
    ) -> Charge:
        self.crasher.at(STEPS[1])
        self.crasher.at(STEPS[2])
        try:
            return await self.inner.charge(key, amount, token, attended=attended, payment=payment)
        finally:
            self.crasher.at(STEPS[3])

    async def lookup(self, key: str, reference: str = "") -> Charge | None:
        self.crasher.at(STEPS[2])
        found = await self.inner.lookup(key)
        self.crasher.at(STEPS[3])
        return found

    async def call_off(self, key: str, reference: str) -> Charge:
        self.crasher.at(STEPS[1])
        try:
            return await self.inner.call_off(key, reference)
        finally:
            self.crasher.at(STEPS[3])

    async def refund(self, key: str, charge: ChargeReference, amount: Money) -> RefundAnswer:
        self.crasher.at(STEPS[1])
        self.crasher.at(STEPS[2])
        try:
            return await self.inner.refund(key, charge, amount)
        finally:
            self.crasher.at(STEPS[3])

    async def lookup_refund(self, key: str, charge: ChargeReference) -> RefundAnswer | None:
        self.crasher.at(STEPS[2])
        found = await self.inner.lookup_refund(key, charge)
        self.crasher.at(STEPS[3])
        return found


@dataclass
class World:
    """The service's handlers, without network around them."""

    clock: ManualClock
    database: CrashingDatabase
    remote: Database
    crasher: Crasher = field(default_factory=Crasher)

    def __post_init__(self) -> None:
        self.database.crasher = self.crasher
        self.repository = Repository()
        self.ids = UuidV7(self.clock)
        self.provider = CrashingProvider(SandboxProvider(self.remote, self.clock), self.crasher)
        listings = ListingCatalog(self.remote, self.clock, FakeOffers().listing)
        book = SubscriptionBook(
            self.repository, SubscriptionRepository(), provider="sandbox", clock=self.clock
        )
        self.commands = OrderCommands(
            self.database,
            self.repository,
            listings=listings,
            gate=FakeGate(),
            book=book,
            provider="sandbox",
            clock=self.clock,
            ids=self.ids,
        )
        self.work = FulfilmentCommands(
            self.database, self.repository, book=book, clock=self.clock, patience=timedelta(hours=72)
        )
        self.owners = AllOwners({"orders": OrderOwners(self.repository)})
        self.actions = ActionCommands(self.database, self.repository, clock=self.clock)
        self.refunds = RefundCommands(self.database, self.repository, owners=self.owners, clock=self.clock)

    def call(self, caller: Caller) -> Call:
        return Call("/parley.orders.v1.OrdersService/Test", PARTY, caller=caller)

    async def run(self) -> None:
        """A fresh process does everything that is due; it may crash."""
        patience = Patience(timedelta(seconds=5), timedelta(minutes=5))
        handlers: dict[str, Handler] = {}
        errands: tuple[type[Errand[Any]], ...] = (ChargeErrand, RefundErrand)
        for errand in errands:
            timers = ErrandTimers(
                errand,
                self.database,
                self.repository,
                self.provider,
                self.clock,
                owners=self.owners,
                patience=patience,
            )
            handlers |= timers.handlers
        runner = TimerRunner(self.remote, self.clock, handlers)
        try:
            await runner.run_due()
        except Crash:
            # What the process had claimed comes free when its claim lapses.
            self.clock.advance(LEASE)

    async def place(self, token: str) -> Order:
        asked = wish(package=REVIEWED, payment_method=PaymentMethod.ONLINE, payment_token=token)
        return (await self.commands.place(self.call(BUYER), asked)).order

    async def confirm(self, order: Order) -> None:
        await self.commands.confirm(self.call(SELLER), ChangeOrder(order.name))

    async def resume(self, payment: Payment, *, give_up: bool = False) -> None:
        await self.actions.resume(self.call(BUYER), ResumePayment(payment.name, give_up))

    async def cancel(self, order: Order) -> None:
        command = CancelOrder(order.name, CancelReason.OTHER)
        await self.work.cancel(self.call(BUYER), command)

    async def refund(self, payment: Payment, amount: Money | None = None) -> None:
        command = RefundPayment(payment.name, RefundReason.OTHER, amount)
        await self.refunds.refund(self.call(SELLER), command)

    async def ledger(self, payment: Payment) -> dict[tuple[str, str], int]:
        """What the books say of a payment: the balance of each account, by currency."""
        async with self.remote.connection() as connection:
            rows = await connection.fetch(
                "SELECT account, currency, sum(CASE side WHEN 'DEBIT' THEN amount ELSE -amount END)::bigint "
                "AS balance FROM ledger_entry WHERE transaction_id IN "
                "(SELECT id FROM ledger_transaction WHERE payment_id = $1) GROUP BY account, currency",
                payment.id,
            )
        return {(row["account"], row["currency"]): row["balance"] for row in rows}

    async def check_ledger(self, order: Order, payment: Payment) -> None:
        """The books agree with the payment, at every moment."""
        currency = payment.amount.currency
        taken = payment.amount.amount if payment.state is State.CAPTURED else 0
        back = payment.refunded.amount
        wanted = {
            ("PROVIDER_CLEARING", currency): taken - back,
            ("SELLER_PAYABLE", currency): -taken,
            ("REFUNDS", currency): back,
        }
        balances = await self.ledger(payment)
        assert {key: one for key, one in balances.items() if one} == {
            key: one for key, one in wanted.items() if one
        }
        assert payment.reserved <= payment.amount
        assert (order.refunded or Money(currency, 0)) == payment.refunded

    async def returned(self, payment: Payment) -> list[Any]:
        """What the provider knows of the refunds of a payment."""
        async with self.remote.connection() as connection:
            rows = await connection.fetch(
                "SELECT * FROM sandbox_refund WHERE starts_with(key, $1) ORDER BY create_time, key",
                payment.id,
            )
            return list(rows)

    async def order(self, name: str) -> Order:
        found = await self.remote.read(lambda tx: self.repository.load(tx, name))
        assert found is not None
        return found

    async def payment(self, name: str) -> Payment | None:
        found = await self.remote.read(lambda tx: self.repository.payments_of(tx, name))
        return found[0] if found else None

    async def books(self, payment: Payment | None) -> list[Any]:
        """What the provider knows of a payment: its keys begin with the payment's id."""
        if payment is None:
            return []
        async with self.remote.connection() as connection:
            rows = await connection.fetch(
                "SELECT * FROM sandbox_charge WHERE starts_with(key, $1) ORDER BY key", payment.id
            )
            return list(rows)

    async def check(self, name: str) -> None:
        """What must hold at every moment."""
        order, payment = await self.order(name), await self.payment(name)
        books = await self.books(payment)
        captured = [one for one in books if one["outcome"] == "CAPTURED"]
        assert len(captured) <= 1
        if order.confirm_time is None:
            assert payment is None
            return
        if payment is None:
            assert order.payment_state is PaymentState.OFFLINE
            return
        assert order.confirm_time is not None
        assert all(one["create_time"] >= order.confirm_time for one in books)
        assert all(one["amount"] == order.total.amount for one in books)
        keys = [attempt.key for attempt in payment.attempts]
        assert len(set(keys)) == len(keys)
        assert {one["key"] for one in books} <= set(keys)
        assert all(attempt.is_resolved for attempt in payment.attempts[:-1])
        assert (payment.state is State.CAPTURED) <= bool(captured)
        await self.check_ledger(order, payment)
        returned = await self.returned(payment)
        assert {one["key"] for one in returned} <= {refund.key for refund in payment.refunds}
        back = sum(one["amount"] for one in returned if one["outcome"] == "SUCCEEDED")
        assert payment.refunded.amount <= back <= payment.reserved.amount

    async def check_resolved(self, name: str) -> None:
        """What must hold once nothing crashes any more."""
        order, payment = await self.order(name), await self.payment(name)
        if payment is None:
            return
        books = await self.books(payment)
        assert payment.state not in (*UNRESOLVED, State.CREATED)
        assert [attempt.outcome for attempt in payment.attempts] == [one["outcome"] for one in books]
        returned = {one["key"]: one["outcome"] for one in await self.returned(payment)}
        assert {refund.key: refund.state.value for refund in payment.refunds} == returned
        if order.state is OrderState.CANCELLED:
            return
        if order.payment_method is PaymentMethod.ONLINE:
            paid = payment.state is State.CAPTURED
            assert order.payment_state is (PaymentState.PAID if paid else PaymentState.FAILED)

    async def calm_down(self, name: str) -> None:
        self.crasher.step = ""
        for pause in (timedelta(0), timedelta(minutes=6), timedelta(hours=2), timedelta(days=2)):
            self.clock.advance(pause)
            await self.run()
            await self.check(name)
        await self.check_resolved(name)


@asynccontextmanager
async def opened(backends: Backends, clock: ManualClock) -> AsyncIterator[World]:
    """A world on a database of its own."""
    dsn = await backends.database("services.orders.migrations")
    encode = partial(event_record, ids=UuidV7(clock))
    database = await CrashingDatabase.open(dsn, clock=clock, encode_event=encode, pool_size=3)
    remote = await Database.open(dsn, clock=clock, encode_event=encode, pool_size=3)
    assert isinstance(database, CrashingDatabase)
    yield World(clock, database, remote)
    await database.close()
    await remote.close()
