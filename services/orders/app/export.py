"""A seller's orders as a table, page by page, so that neither memory nor transactions grow with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.money import Money
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import invalid
from chassis.paging import all_pages
from services.orders.domain.commerce import LineItem
from services.orders.domain.order import State

PAGE_ROWS: Final = 500


@dataclass(frozen=True, slots=True)
class ExportOrders:
    """The orders of `seller` that were placed in a time and are in one of `states` (any if empty)."""

    seller: str
    start: datetime | None
    end: datetime | None
    states: tuple[State, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedOrder:
    """What the table tells of an order: no text of a party, no contact data, nothing of the team."""

    name: str
    buyer: str
    package: str
    intake: str
    kind: str
    state: str
    create_time: datetime
    confirm_time: datetime | None
    total: Money
    refunded: Money
    payment_method: str
    payment_state: str
    line_items: tuple[LineItem, ...]
    start_time: datetime | None
    delivery_due_time: datetime | None
    complete_time: datetime | None
    cancel_time: datetime | None
    cancel_reason: str
    cancelled_by: str
    decline_reason: str
    price_agreed_elsewhere: bool
    offer: str
    order_request: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some lines of the table; the first piece has the headings."""

    orders: tuple[ExportedOrder, ...]
    is_first: bool


class ExportedOrders(Protocol):
    """The orders, in the order in which they were placed."""

    async def page(self, tx: Transaction, query: ExportOrders, request: PageRequest) -> Page[ExportedOrder]:
        """A page of orders, oldest first."""
        ...


class OrderExport:
    """The table."""

    def __init__(self, database: Database, orders: ExportedOrders, *, clock: Clock) -> None:
        self._database = database
        self._orders = orders
        self._clock = clock

    async def export(self, _call: Call, query: ExportOrders) -> AsyncIterator[Piece]:
        """The pieces still to come. Orders that are placed meanwhile are not in them."""
        now = self._clock.now()
        end = now if query.end is None else min(query.end, now)
        if query.start is not None and query.start >= end:
            raise invalid("start_time", "must lie before the end, which is never later than now")
        return self._pieces(ExportOrders(query.seller, query.start, end, query.states))

    async def _pieces(self, query: ExportOrders) -> AsyncIterator[Piece]:
        is_first = True
        async for page in all_pages(partial(self._page, query), size=PAGE_ROWS):
            yield Piece(page.items, is_first)
            is_first = False

    async def _page(self, query: ExportOrders, request: PageRequest) -> Page[ExportedOrder]:
        return await self._database.read(lambda tx: self._orders.page(tx, query, request))
