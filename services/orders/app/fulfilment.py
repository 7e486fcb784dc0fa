"""What callers and time do to a confirmed order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from chassis.call import Call
from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from services.orders.app.charges import ChargeErrand
from services.orders.app.errand import schedule_look
from services.orders.app.loading import ChangeOrder, load_for_change
from services.orders.app.ports import Repository
from services.orders.app.subscription_book import SubscriptionBook
from services.orders.app.views import OrderView
from services.orders.domain import fulfilment
from services.orders.domain.events import OrderEvent
from services.orders.domain.order import Order
from services.orders.domain.payment import State as PaymentState
from services.orders.domain.work import CancelReason

START: Final = "order.start"
ACCEPT: Final = "order.accept"

Decision = Callable[[Order, Actor, datetime], tuple[Order, OrderEvent]]
TimedDecision = Callable[[Order, datetime], tuple[Order, OrderEvent | None]]


@dataclass(frozen=True, slots=True)
class DeliverOrder:
    """An order whose work is delivered."""

    name: str
    text: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class RequestChanges:
    """An order whose delivery is sent back."""

    name: str
    text: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """A confirmed order that is not carried out."""

    name: str
    reason: CancelReason
    text: str = ""
    etag: str = ""


def start_timers(order: Order) -> tuple[tuple[str, str, datetime, Mapping[str, Any]], ...]:
    """The timer that begins the work at the agreed start, where one was agreed."""
    due = order.automatic_start_time
    return () if due is None else ((START, order.id, due, {"order": order.name}),)


def schedule_start(tx: Transaction, order: Order) -> None:
    """Begins the work of a confirmed order at the agreed start."""
    for timer in start_timers(order):
        tx.schedule(*timer)


class FulfilmentCommands:
    """The commands from the confirmation to the end."""

    def __init__(
        self,
        database: Database,
        repository: Repository,
        *,
        book: SubscriptionBook,
        clock: Clock,
        patience: timedelta,
    ) -> None:
        """`patience` is how long after a delivery it counts as accepted."""
        self._book = book
        self._database = database
        self._repository = repository
        self._clock = clock
        self._patience = patience

    async def start(self, call: Call, command: ChangeOrder) -> OrderView:
        """The seller begins."""
        return await self._change(
            call, command, lambda order, actor, now: fulfilment.start(order, actor=actor, now=now)
        )

    async def deliver(self, call: Call, command: DeliverOrder) -> OrderView:
        """The seller delivers."""
        return await self._change(
            call,
            ChangeOrder(command.name, command.etag),
            lambda order, actor, now: fulfilment.deliver(
                order, actor=actor, text=command.text, now=now, patience=self._patience
            ),
        )

    async def request_changes(self, call: Call, command: RequestChanges) -> OrderView:
        """The buyer sends a delivery back."""
        return await self._change(
            call,
            ChangeOrder(command.name, command.etag),
            lambda order, actor, now: fulfilment.request_changes(
                order, actor=actor, text=command.text, now=now
            ),
        )

    async def complete(self, call: Call, command: ChangeOrder) -> OrderView:
        """The buyer accepts the delivery."""
        return await self._change(
            call, command, lambda order, actor, now: fulfilment.complete(order, actor=actor, now=now)
        )

    async def cancel(self, call: Call, command: CancelOrder) -> OrderView:
        """Ends a confirmed order, and with it a charge that was not tried yet."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await load_for_change(
                self._repository, tx, call, name=command.name, etag=command.etag
            )
            payment = next(iter(await self._repository.payments_of(tx, order.name)), None)
            changed, voided, event = fulfilment.cancel(
                order,
                payment,
                actor=actor,
                reason=command.reason,
                text=command.text,
                now=self._clock.now(),
            )
            if payment is not None and voided is not None and voided is not payment:
                await self._repository.save_payment(tx, voided, expected=payment.version)
            if payment is not None and payment.state is PaymentState.REQUIRES_ACTION:
                schedule_look(tx, ChargeErrand.of(payment, {}), self._clock.now(), end=True)
            await self._keep(tx, order, changed, event)
            await self._book.order_cancelled(tx, changed, actor)
            return OrderView(changed, actor)

        return await self._database.command(call, work)

    async def _change(self, call: Call, command: ChangeOrder, decide: Decision) -> OrderView:
        async def work(tx: Transaction) -> OrderView:
            order, actor = await load_for_change(
                self._repository, tx, call, name=command.name, etag=command.etag
            )
            changed, event = decide(order, actor, self._clock.now())
            await self._keep(tx, order, changed, event)
            return OrderView(changed, actor)

        return await self._database.command(call, work)

    async def _keep(self, tx: Transaction, before: Order, order: Order, event: OrderEvent) -> None:
        await self._repository.save(tx, order, expected=before.version)
        # Timers that lost their point stay: they do nothing when they fire, and removing them here would take
        # the locks of order and timer in the opposite order of a timer that fires at this moment.
        if order.auto_complete_time is not None:
            tx.schedule(ACCEPT, order.id, order.auto_complete_time, {"order": order.name})
        tx.record(event)


class FulfilmentTimers:
    """What time does. A timer that comes too late for its order does nothing."""

    def __init__(self, database: Database, repository: Repository, clock: Clock) -> None:
        self._database = database
        self._repository = repository
        self._clock = clock

    async def start(self, timer: DueTimer) -> None:
        """The agreed start came."""
        await self._fire(timer, lambda order, now: fulfilment.start_came(order, now=now))

    async def accept(self, timer: DueTimer) -> None:
        """The buyer said nothing to a delivery."""
        await self._fire(timer, lambda order, now: fulfilment.time_ran_out(order, now=now))

    async def _fire(self, timer: DueTimer, decide: TimedDecision) -> None:
        async def work(tx: Transaction) -> None:
            order = await self._repository.load(tx, str(timer.payload["order"]), for_update=True)
            if order is None:
                raise LookupError(f"{timer.payload['order']} does not exist")
            changed, event = decide(order, self._clock.now())
            if event is not None:
                await self._repository.save(tx, changed, expected=order.version)
                tx.record(event)

        await self._database.fire(timer, work)
