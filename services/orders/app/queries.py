"""What callers can read."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.machine import Actor
from chassis.kernel.page import Cursor, PageRequest, page_of
from chassis.kernel.refusal import invalid, not_found
from services.orders.app.ports import OrderFilter, Repository
from services.orders.app.views import OrdersView, OrderView, PaymentsView
from services.orders.domain import desk
from services.orders.domain.note import NoteFilter
from services.orders.domain.order import Folder, Order, State
from services.orders.domain.payment import Payment


@dataclass(frozen=True, slots=True)
class ListOrders:
    """The orders of a team, or (without `seller`) of the caller; `folder`, `labels` and `note` need it."""

    page: PageRequest
    seller: str = ""
    folder: Folder | None = None
    states: tuple[State, ...] = ()
    labels: tuple[str, ...] = ()
    note: NoteFilter | None = None


@dataclass(frozen=True, slots=True)
class ListPayments:
    """The payments of the order `parent`."""

    parent: str
    page: PageRequest


class OrderQueries:
    """The reads. Nothing is marked as read by reading."""

    def __init__(self, database: Database, repository: Repository) -> None:
        self._database = database
        self._repository = repository

    async def get(self, call: Call, name: str) -> OrderView:
        """One order, for its parties."""

        async def work(tx: Transaction) -> OrderView:
            order, actor = await self._load(tx, call, name)
            return OrderView(order, actor)

        return await self._database.read(work)

    async def list(self, call: Call, query: ListOrders) -> OrdersView:
        """Orders, newest first. A team that the caller does not belong to is NOT_FOUND."""
        if query.folder is not None and not query.seller:
            raise invalid("folder", "needs `seller`: a buyer's orders lie in no folders")
        if (query.labels or query.note is not None) and call.caller.role_in(query.seller) is None:
            raise invalid("seller", "labels and notes are looked for among the orders of one's own team")
        actor, wanted = self._scope(call, query)
        call.scoped()

        async def work(tx: Transaction) -> OrdersView:
            return OrdersView(await self._repository.page(tx, wanted, query.page), actor)

        return await self._database.read(work)

    def _scope(self, call: Call, query: ListOrders) -> tuple[Actor, OrderFilter]:
        caller = call.caller
        lanes = desk.lanes(query.folder, query.states)
        if not query.seller:
            return Actor.BUYER, OrderFilter(buyer=caller.user, lanes=lanes)
        if caller.role_in(query.seller) is not None:
            actor = Actor.SELLER
        elif caller.is_operator:
            actor = Actor.OPERATOR
        else:
            raise not_found(query.seller)
        return actor, OrderFilter(query.seller, lanes=lanes, labels=query.labels, note=query.note)

    async def list_payments(self, call: Call, query: ListPayments) -> PaymentsView:
        """The payments of an order, oldest first, for its parties. There are few: one for each purpose."""

        async def work(tx: Transaction) -> PaymentsView:
            order, actor = await self._load(tx, call, query.parent)
            found = await self._repository.payments_of(tx, query.parent)
            after = [one for one in found if query.page.cursor is None or _key(one) > query.page.cursor]
            return PaymentsView(page_of(after, query.page, _key), order, actor)

        return await self._database.read(work)

    async def _load(self, tx: Transaction, call: Call, name: str) -> tuple[Order, Actor]:
        order = await self._repository.load(tx, name)
        if order is None:
            raise not_found(name)
        return order, call.party(buyer=order.buyer, seller=order.seller, name=name)


def _key(payment: Payment) -> Cursor:
    return payment.create_time.isoformat(), payment.id
