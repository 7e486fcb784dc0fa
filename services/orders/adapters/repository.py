"""Orders in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.money import Money
from chassis.kernel.page import Cursor, Page, PageRequest, page_of
from chassis.paging import cursor_of
from services.orders.adapters import encoding
from services.orders.adapters.ledger_repository import LedgerRepository
from services.orders.adapters.option_encoding import read_chosen, write_chosen
from services.orders.adapters.order_list import page_statement
from services.orders.adapters.payment_repository import LostUpdate, PaymentRepository, payment_row
from services.orders.adapters.tables import orders, payment
from services.orders.app.ports import OrderFilter
from services.orders.domain import order as order_domain
from services.orders.domain.commerce import Address, PaymentMethod
from services.orders.domain.listing import ListingKind
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment

_ORDER: Final = sa.select(orders).where(orders.c.id == sa.bindparam("id"))
_ORDER_LOCKED: Final = _ORDER.with_for_update()
_ADD_ORDER: Final = insert(orders).on_conflict_do_nothing(index_elements=["id"]).returning(orders.c.id)
_SAVE_ORDER: Final = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("key"), orders.c.version == sa.bindparam("expected"))
    .returning(orders.c.id)
)
_SET_ADDRESSES: Final = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("key"))
    .values(billing_address=sa.bindparam("billing"), delivery_address=sa.bindparam("delivery"))
)


class Repository(PaymentRepository, LedgerRepository):
    """The rows of orders and payments. A row is saved only over the version that it was read at."""

    async def load(self, tx: Transaction, name: str, *, for_update: bool = False) -> Order | None:
        """The order of that name, locked until the end of the transaction if wanted."""
        statement = _ORDER_LOCKED if for_update else _ORDER
        row = await tx.fetch_one(statement, {"id": name.removeprefix("orders/")})
        return None if row is None else _read_order(row)

    async def add(self, tx: Transaction, order: Order, payment_of_it: Payment | None) -> bool:
        """Stores a new order with its payment; False, with nothing stored, if the order exists already."""
        if await tx.fetch_one(_ADD_ORDER, _order_row(order)) is None:
            return False
        if payment_of_it is not None:
            await self.add_payment(tx, payment_of_it)
        return True

    def inserts(
        self, order: Order, payment_of_it: Payment | None
    ) -> Sequence[tuple[sa.Table, Mapping[str, Any]]]:
        """The rows of a new order, for a command that is a single statement."""
        rows: list[tuple[sa.Table, Mapping[str, Any]]] = [(orders, _order_row(order))]
        if payment_of_it is not None:
            rows.append((payment, payment_row(payment_of_it)))
        return rows

    async def save(self, tx: Transaction, order: Order, *, expected: int) -> None:
        """Replaces the order at version `expected`."""
        row = {**_order_row(order), "key": order.id, "expected": expected}
        if await tx.fetch_one(_SAVE_ORDER, row) is None:
            raise LostUpdate(order.name)

    async def set_addresses(
        self, tx: Transaction, name: str, billing: Address | None, delivery: Address | None
    ) -> None:
        """Completes an order by the addresses that were captured with it."""
        values = {
            "key": name.removeprefix("orders/"),
            "billing": encoding.write_address(billing),
            "delivery": encoding.write_address(delivery),
        }
        await tx.execute(_SET_ADDRESSES, values)

    async def page(self, tx: Transaction, wanted: OrderFilter, request: PageRequest) -> Page[Order]:
        """Orders by descending time of placement."""
        statement = page_statement(wanted, request)
        rows = [] if statement is None else await tx.fetch_all(statement)
        return page_of([_read_order(row) for row in rows], request, _order_cursor)


def _order_cursor(order: Order) -> Cursor:
    return cursor_of(order.create_time, order.id)


def _order_row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "version": order.version,
        "seller": order.seller,
        "buyer": order.buyer,
        "package": order.package,
        "intake": order.intake.value,
        "kind": order.kind.value,
        "state": order.state.value,
        "line_items": encoding.write_line_items(order.line_items),
        "currency": order.total.currency,
        "total": order.total.amount,
        "plan": encoding.write_plan(order.plan),
        "payment_method": order.payment_method.value,
        "payment_token": order.payment_token,
        "payment_state": order.payment_state.value,
        "delivery_days": order.delivery_days,
        "create_time": order.create_time,
        "update_time": order.update_time,
        "start_time": order.start_time,
        "clock_start_time": order.clock_start_time,
        "delivery_due_time": order.delivery_due_time,
        "confirm_time": order.confirm_time,
        "decision": encoding.write_decision(order.decision),
        "offer": order.offer,
        "order_request": order.order_request,
        "origin_conversation": order.origin_conversation,
        "quotes": encoding.write_quotes(order.quotes),
        "quote_accepted": order.quote_accepted,
        "requirements": order.requirements,
        "price_agreed_elsewhere": order.price_agreed_elsewhere,
        "decline_reason": order.decline_reason.value if order.decline_reason else None,
        "decline_text": order.decline_text,
        "billing_address": encoding.write_address(order.billing_address),
        "delivery_address": encoding.write_address(order.delivery_address),
        "unread": order.unread,
        "buyer_unread": order.buyer_unread,
        "refunded": order.refunded.amount if order.refunded is not None else 0,
        "begin_time": order.begin_time,
        "deliveries": encoding.write_deliveries(order.deliveries),
        "auto_complete_time": order.auto_complete_time,
        "complete_time": order.complete_time,
        **encoding.write_cancellation(order.cancellation),
        "options": write_chosen(order.options),
        "labels": list(order.labels),
    }


def _read_order(row: Any) -> Order:
    return Order(
        id=row.id,
        version=row.version,
        seller=row.seller,
        buyer=row.buyer,
        package=row.package,
        intake=order_domain.Intake(row.intake),
        kind=ListingKind(row.kind),
        state=order_domain.State(row.state),
        line_items=encoding.read_line_items(row.line_items),
        total=Money(row.currency, row.total),
        plan=encoding.read_plan(row.plan),
        payment_method=PaymentMethod(row.payment_method),
        payment_token=row.payment_token,
        payment_state=order_domain.PaymentState(row.payment_state),
        delivery_days=row.delivery_days,
        create_time=row.create_time,
        update_time=row.update_time,
        start_time=row.start_time,
        clock_start_time=row.clock_start_time,
        delivery_due_time=row.delivery_due_time,
        confirm_time=row.confirm_time,
        decision=encoding.read_decision(row.decision),
        offer=row.offer,
        order_request=row.order_request,
        origin_conversation=row.origin_conversation,
        quotes=encoding.read_quotes(row.quotes),
        quote_accepted=row.quote_accepted,
        requirements=row.requirements,
        price_agreed_elsewhere=row.price_agreed_elsewhere,
        decline_reason=order_domain.DeclineReason(row.decline_reason) if row.decline_reason else None,
        decline_text=row.decline_text,
        billing_address=encoding.read_address(row.billing_address),
        delivery_address=encoding.read_address(row.delivery_address),
        unread=row.unread,
        buyer_unread=row.buyer_unread,
        refunded=Money(row.currency, row.refunded) if row.refunded else None,
        begin_time=row.begin_time,
        deliveries=encoding.read_deliveries(row.deliveries),
        auto_complete_time=row.auto_complete_time,
        complete_time=row.complete_time,
        cancellation=encoding.read_cancellation(row),
        options=read_chosen(row.options),
        labels=tuple(row.labels),
    )
