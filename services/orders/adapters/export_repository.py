"""The orders of a seller in the order in which they were placed, with the columns of the table alone."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from chassis.db import Transaction
from chassis.kernel.money import Money
from chassis.kernel.page import Cursor, Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.orders.adapters import encoding
from services.orders.adapters.tables import orders
from services.orders.app.export import ExportedOrder, ExportOrders

_AGE: Final = (orders.c.create_time, orders.c.id)
_PLAIN: Final = (
    "buyer",
    "package",
    "intake",
    "kind",
    "state",
    "create_time",
    "confirm_time",
    "payment_method",
    "payment_state",
    "start_time",
    "delivery_due_time",
    "complete_time",
    "cancel_time",
    "price_agreed_elsewhere",
    "offer",
    "order_request",
)
_MAYBE: Final = ("cancel_reason", "cancelled_by", "decline_reason")
_TABLE: Final = sa.select(
    orders.c.id,
    orders.c.currency,
    orders.c.total,
    orders.c.refunded,
    orders.c.line_items,
    *(orders.c[name] for name in (*_PLAIN, *_MAYBE)),
)


class ExportRepository:
    """Implements the port `ExportedOrders`."""

    async def page(self, tx: Transaction, query: ExportOrders, request: PageRequest) -> Page[ExportedOrder]:
        """A page of orders, oldest first."""
        statement = _TABLE.where(orders.c.seller == query.seller)
        if query.start is not None:
            statement = statement.where(orders.c.create_time >= query.start)
        if query.end is not None:
            statement = statement.where(orders.c.create_time < query.end)
        if query.states:
            statement = statement.where(orders.c.state.in_([state.value for state in query.states]))
        rows = await tx.fetch_all(keyset(statement, _AGE, request))
        return page_of([_read(row) for row in rows], request, _cursor)


def _cursor(order: ExportedOrder) -> Cursor:
    return cursor_of(order.create_time, order.name.removeprefix("orders/"))


def _read(row: Any) -> ExportedOrder:
    plain: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
    maybe: dict[str, Any] = {name: getattr(row, name) or "" for name in _MAYBE}
    return ExportedOrder(
        name=f"orders/{row.id}",
        total=Money(row.currency, row.total),
        refunded=Money(row.currency, row.refunded),
        line_items=encoding.read_line_items(row.line_items),
        **plain,
        **maybe,
    )
