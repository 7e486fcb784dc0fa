"""The order requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.gating.adapters.documents import (
    decision_document,
    decision_of,
    inquiries_document,
    inquiries_of,
    needs_document,
    needs_of,
    snapshot_document,
    snapshot_of,
)
from services.gating.adapters.tables import order_request as table
from services.gating.domain.order_request import OPEN_STATES, DeclineReason, OrderRequest, State
from services.gating.domain.request_rules import ReofferPolicy, RequestRules

_FIXED = (
    "id",
    "seller",
    "buyer",
    "package",
    "snapshot",
    "needs",
    "decision",
    "ttl",
    "reminder_points",
    "reoffer_policy",
    "create_time",
)

_FIND = sa.select(table).where(table.c.id == sa.bindparam("key"))
_LOCK = _FIND.with_for_update()
_FIND_OPEN = (
    sa.select(table)
    .where(
        table.c.buyer == sa.bindparam("buyer"),
        table.c.package == sa.bindparam("package"),
        table.c.state.in_([state.value for state in OPEN_STATES]),
    )
    .with_for_update()
)
_ADD = insert(table).on_conflict_do_nothing()
_SAVE = (
    sa.update(table)
    .where(table.c.id == sa.bindparam("key"), table.c.version == sa.bindparam("before", type_=sa.BigInteger))
    .values({c.name: sa.bindparam(f"new_{c.name}", type_=c.type) for c in table.c if c.name not in _FIXED})
)
_AGE = (table.c.create_time, table.c.id)


class OrderRequestsRepository:
    """Requests by id, by buyer and by seller."""

    async def find(self, tx: Transaction, request_id: str, *, lock: bool = False) -> OrderRequest | None:
        """A request; None for an id that nobody knows."""
        row = await tx.fetch_one(_LOCK if lock else _FIND, {"key": request_id})
        return None if row is None else _request(row)

    async def find_open(self, tx: Transaction, buyer: str, package: str) -> OrderRequest | None:
        """The open request of a buyer for a package, locked."""
        row = await tx.fetch_one(_FIND_OPEN, {"buyer": buyer, "package": package})
        return None if row is None else _request(row)

    async def add(self, tx: Transaction, request: OrderRequest) -> bool:
        """Stores a new request; False where the buyer has an open one for the package."""
        result = await tx.execute(_ADD, _row(request))
        return result.rowcount == 1

    async def save(self, tx: Transaction, request: OrderRequest) -> None:
        """Stores the next version of a locked request."""
        row = {f"new_{name}": value for name, value in _row(request).items() if name not in _FIXED}
        result = await tx.execute(_SAVE, {"key": request.id, "before": request.version - 1, **row})
        assert result.rowcount == 1

    async def page(
        self, tx: Transaction, *, buyer: str, seller: str, states: Sequence[State], page: PageRequest
    ) -> Page[OrderRequest]:
        """Requests of a buyer, or to a seller, newest first."""
        owner = table.c.seller == seller if seller else table.c.buyer == buyer
        statement = sa.select(table).where(owner)
        if states:
            statement = statement.where(table.c.state.in_([state.value for state in states]))
        rows = await tx.fetch_all(keyset(statement, _AGE, page, descending=True))
        return page_of([_request(row) for row in rows], page, lambda r: cursor_of(r.create_time, r.id))


def _row(request: OrderRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "version": request.version,
        "seller": request.seller,
        "buyer": request.buyer,
        "package": request.package,
        "state": request.state.value,
        "snapshot": snapshot_document(request.snapshot),
        "needs": needs_document(request.needs),
        "decision": decision_document(request.decision),
        "inquiries": inquiries_document(request.inquiries),
        "decline_reason": None if request.decline_reason is None else request.decline_reason.value,
        "decline_text": request.decline_text,
        "offer": request.offer,
        "order_name": request.order,
        "ttl": request.rules.ttl,
        "reminder_points": list(request.rules.reminder_points),
        "reoffer_policy": request.rules.reoffer_policy.value,
        "remaining": request.remaining,
        "reminders": request.reminders,
        "expire_time": request.expire_time,
        "first_response_time": request.first_response_time,
        "create_time": request.create_time,
        "update_time": request.update_time,
    }


def _request(row: Any) -> OrderRequest:
    return OrderRequest(
        id=row.id,
        seller=row.seller,
        buyer=row.buyer,
        snapshot=snapshot_of(row.snapshot),
        needs=needs_of(row.needs),
        decision=decision_of(row.decision),
        rules=RequestRules(row.ttl, tuple(row.reminder_points), ReofferPolicy(row.reoffer_policy)),
        create_time=row.create_time,
        update_time=row.update_time,
        state=State(row.state),
        inquiries=inquiries_of(row.inquiries),
        decline_reason=None if row.decline_reason is None else DeclineReason(row.decline_reason),
        decline_text=row.decline_text,
        offer=row.offer,
        order=row.order_name,
        expire_time=row.expire_time,
        remaining=row.remaining,
        reminders=row.reminders,
        first_response_time=row.first_response_time,
        version=row.version,
    )
