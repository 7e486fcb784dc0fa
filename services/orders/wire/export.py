"""The table of a seller's orders: CSV by RFC 4180, in pieces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from chassis import spreadsheet
from chassis.kernel.money import Money
from chassis.spreadsheet import time_cell
from chassis.wire import optional_instant
from parley.orders.v1 import export_pb2, order_pb2
from services.orders.app.export import ExportedOrder, ExportOrders, Piece
from services.orders.domain.order import State

FILENAME: Final = "orders.csv"

_STATES = {order_pb2.Order.State.Value(f"STATE_{one.value}"): one for one in State}


def export_orders_query(request: export_pb2.ExportOrdersRequest) -> ExportOrders:
    """Whose orders, and which."""
    return ExportOrders(
        request.seller,
        optional_instant(request, "start_time"),
        optional_instant(request, "end_time"),
        tuple(_STATES[state] for state in request.states),
    )


def table_piece(piece: Piece) -> HttpBody:
    """Some lines; the first piece has the headings and says how the file is called."""
    lines = [[cell(order) for cell in COLUMNS.values()] for order in piece.orders]
    if piece.is_first:
        return spreadsheet.first_piece(FILENAME, tuple(COLUMNS), lines)
    return spreadsheet.piece(lines)


def _amount(money: Money) -> str:
    return str(money).partition(" ")[0]


def _items(order: ExportedOrder) -> str:
    return "; ".join(f"{item.quantity} x {item.title}" for item in order.line_items)


COLUMNS: Final[Mapping[str, Callable[[ExportedOrder], str]]] = {
    "order": lambda order: order.name,
    "buyer": lambda order: order.buyer,
    "package": lambda order: order.package,
    "items": _items,
    "intake": lambda order: order.intake,
    "state": lambda order: order.state,
    "place_time": lambda order: time_cell(order.create_time),
    "confirm_time": lambda order: time_cell(order.confirm_time),
    "currency": lambda order: order.total.currency,
    "total": lambda order: _amount(order.total),
    "payment_method": lambda order: order.payment_method,
    "payment_state": lambda order: order.payment_state,
    "refunded": lambda order: _amount(order.refunded),
    "price_agreed_elsewhere": lambda order: str(order.price_agreed_elsewhere).lower(),
    "start_time": lambda order: time_cell(order.start_time),
    "delivery_due_time": lambda order: time_cell(order.delivery_due_time),
    "complete_time": lambda order: time_cell(order.complete_time),
    "cancel_time": lambda order: time_cell(order.cancel_time),
    "cancel_reason": lambda order: order.cancel_reason,
    "cancelled_by": lambda order: order.cancelled_by,
    "decline_reason": lambda order: order.decline_reason,
    "offer": lambda order: order.offer,
    "order_request": lambda order: order.order_request,
    "kind": lambda order: order.kind,
}
"""The headings, and what stands below them. Names are those of the contract, without prefixes of enums."""
