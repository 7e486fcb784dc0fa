"""What callers can do to orders: one method for each RPC that changes something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from chassis.call import Call
from chassis.db import Database, Single, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Kind, Refusal, not_found, stale_etag
from services.orders.app.charges import charge_timer, schedule_charge
from services.orders.app.fulfilment import schedule_start, start_timers
from services.orders.app.loading import ChangeOrder, load_for_change
from services.orders.app.ports import Gate, Listings, Repository
from services.orders.app.subscription_book import SubscriptionBook, due_timers
from services.orders.app.views import OrderView, PaymentView
from services.orders.domain import order as orders
from services.orders.domain import payment as payments
from services.orders.domain import placement
from services.orders.domain.commerce import PaymentMethod
from services.orders.domain.events import OrderEvent
from services.orders.domain.gate import GateDecision
from services.orders.domain.listing import Listing, ListingIntake, listing_of
from services.orders.domain.order import DeclineReason, Order, PaymentState
from services.orders.domain.payment import Payment
from services.orders.domain.placement import PlaceOrder

AGREED_ELSEWHERE: Final = (
    "The order was confirmed without an accepted quote: its price is unclear to the buyer, "
    "and it is left out of analytics."
)

Decision = Callable[[Order, Actor, datetime], tuple[Order, OrderEvent | None]]


@dataclass(frozen=True, slots=True)
class DeclineOrder:
    """An order that the seller declines."""

    name: str
    reason: DeclineReason
    text: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ChangePaymentMethod:
    """How an order shall be paid."""

    name: str
    method: PaymentMethod
    token: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class RetryPayment:
    """A payment that shall be tried again, by another means if `token` names one."""

    name: str
    token: str = ""
    etag: str = ""


class OrderCommands:
    """The commands of orders and their payments."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        *,
        listings: Listings,
        gate: Gate,
        book: SubscriptionBook,
        provider: str,
        clock: Clock,
        ids: Ids,
    ) -> None:
        """`provider` is the name of the payment provider that new payments go to."""
        self._book = book
        self._database = database
        self._repository = repository
        self._listings = listings
        self._gate = gate
        self._provider = provider
        self._clock = clock
        self._ids = ids

    async def place(self, call: Call, wish: PlaceOrder) -> OrderView:
        """Places an order; one round trip to the database once listing and gate have agreed."""
        try:
            order, event = await self._prepare(call, wish)
        except Refusal as refusal:
            await self._refuse(call, refusal)
        payment = self._payment_of(order)
        subscription, begun = self._book.begun(order)
        now = self._clock.now()
        single = Single(
            OrderView(order, Actor.BUYER),
            (*self._repository.inserts(order, payment), *self._book.inserts(subscription)),
            events=(event, *begun),
            timers=(
                *start_timers(order),
                *due_timers(subscription),
                *((charge_timer(payment, now),) if payment is not None else ()),
            ),
        )
        return await self._database.command_single(call, single)

    async def _prepare(self, call: Call, wish: PlaceOrder) -> tuple[Order, OrderEvent]:
        found = await self._listings.find(listing_of(wish.package))
        in_team = found is not None and call.caller.role_in(found.seller) is not None
        listing, package = placement.check(wish, found, in_team=in_team, now=self._clock.now())
        decision = await self._decide(listing, package.name, call.caller.user)
        return placement.place(
            wish,
            listing,
            package,
            order_id=self._ids.new(),
            buyer=call.caller.user,
            decision=decision,
            now=self._clock.now(),
        )

    async def _decide(self, listing: Listing, package: str, buyer: str) -> GateDecision | None:
        try:
            return await self._gate.evaluate(package, buyer)
        except Refusal as refusal:
            # The seller decides on these orders anyway; an instant one is never accepted without the gate.
            if listing.intake is ListingIntake.INSTANT or refusal.kind is not Kind.UNAVAILABLE:
                raise
            return None

    async def _refuse(self, call: Call, refusal: Refusal) -> NoReturn:
        """Raises `refusal`, unless the call was answered before: then the first answer counts, even where the
        price or the gate changed meanwhile.
        """

        async def work(_: Transaction) -> NoReturn:
            raise refusal

        if call.idempotency is None:
            raise refusal
        await self._database.command(call, work)
        raise AssertionError("the work always refuses")

    async def mark_processing(self, call: Call, command: ChangeOrder) -> OrderView:
        """The seller works on the decision; repeating changes nothing."""
        return await self._change(
            call,
            command,
            lambda order, actor, now: orders.mark_processing(order, actor=actor, now=now),
        )

    async def confirm(self, call: Call, command: ChangeOrder) -> OrderView:
        """Confirms, and makes the payment due in the same transaction."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await self._load(tx, call, command.name, command.etag)
            now = self._clock.now()
            confirmed, event = orders.confirm(order, actor=actor, now=now)
            await self._repository.save(tx, confirmed, expected=order.version)
            payment = self._payment_of(confirmed)
            if payment is not None:
                await self._repository.add_payment(tx, payment)
                schedule_charge(tx, payment, now)
            schedule_start(tx, confirmed)
            await self._book.begin(tx, confirmed)
            tx.record(event)
            warnings = (AGREED_ELSEWHERE,) if confirmed.price_agreed_elsewhere else ()
            return OrderView(confirmed, actor, warnings)

        return await self._database.command(call, work)

    async def decline(self, call: Call, command: DeclineOrder) -> OrderView:
        """The seller declines with a reason."""
        return await self._change(
            call,
            ChangeOrder(command.name, command.etag),
            lambda order, actor, now: orders.decline(
                order, actor=actor, reason=command.reason, text=command.text, now=now
            ),
        )

    async def withdraw(self, call: Call, command: ChangeOrder) -> OrderView:
        """The buyer takes the order back."""
        return await self._change(
            call, command, lambda order, actor, now: orders.withdraw(order, actor=actor, now=now)
        )

    async def change_payment_method(self, call: Call, command: ChangePaymentMethod) -> OrderView:
        """How it is paid. After a declined charge, paying online again makes the payment due again."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await self._load(tx, call, command.name, command.etag)
            now = self._clock.now()
            changed, event = orders.change_payment_method(
                order, actor=actor, method=command.method, token=command.token, now=now
            )
            if event is None:
                return OrderView(order, actor)
            if changed.payment_state is PaymentState.PENDING:
                (payment,) = await self._repository.payments_of(tx, order.name)
                renewed = payments.renew(payment, changed, actor=actor, token=command.token, now=now)
                await self._repository.save_payment(tx, renewed, expected=payment.version)
                schedule_charge(tx, renewed, now)
            await self._repository.save(tx, changed, expected=order.version)
            tx.record(event)
            return OrderView(changed, actor)

        return await self._database.command(call, work)

    async def retry_payment(self, call: Call, command: RetryPayment) -> PaymentView:
        """Tries a declined payment again."""

        async def work(tx: Transaction) -> PaymentView:
            order, actor, payment = await self._load_payment(tx, call, command)
            now = self._clock.now()
            renewed, changed, event = payments.retry(
                payment, order, actor=actor, token=command.token, now=now
            )
            await self._repository.save_payment(tx, renewed, expected=payment.version)
            await self._repository.save(tx, changed, expected=order.version)
            schedule_charge(tx, renewed, now)
            tx.record(event)
            return PaymentView(renewed, changed, actor)

        return await self._database.command(call, work)

    async def _change(self, call: Call, command: ChangeOrder, decide: Decision) -> OrderView:
        async def work(tx: Transaction) -> OrderView:
            order, actor = await self._load(tx, call, command.name, command.etag)
            changed, event = decide(order, actor, self._clock.now())
            if event is not None:
                await self._repository.save(tx, changed, expected=order.version)
                tx.record(event)
            return OrderView(changed, actor)

        return await self._database.command(call, work)

    async def _load(self, tx: Transaction, call: Call, name: str, etag: str) -> tuple[Order, Actor]:
        return await load_for_change(self._repository, tx, call, name=name, etag=etag)

    async def _load_payment(
        self, tx: Transaction, call: Call, command: RetryPayment
    ) -> tuple[Order, Actor, Payment]:
        parent = command.name.partition("/payments/")[0]
        order = await self._repository.load(tx, parent, for_update=True)
        payment = await self._repository.load_payment(tx, command.name) if order is not None else None
        if order is None or payment is None:
            raise not_found(command.name)
        actor = call.party(buyer=order.buyer, seller=order.seller, name=command.name)
        if command.etag and command.etag != payment.etag:
            raise stale_etag(command.name, command.etag, payment.etag)
        return order, actor, payment

    def _payment_of(self, order: Order) -> Payment | None:
        if order.confirm_time is None:
            return None
        return payments.due(order, payment_id=self._ids.new(), provider=self._provider, now=self._clock.now())
