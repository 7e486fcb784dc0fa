"""The order requests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import Facets, cursor_of, merged
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
from services.gating.domain.buyer_history import EarlierRequests
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
_DISMISS = sa.update(table).where(table.c.id == sa.bindparam("key")).values(dismissed=True)
_ends = sa.func.least(table.c.expire_time, table.c.answer_expire_time)
_STATE_NOW = sa.case(
    (_ends <= sa.bindparam("now", type_=table.c.expire_time.type), State.EXPIRED.value),
    else_=table.c.state,
)
_EARLIER = (
    sa.select(
        _STATE_NOW.label("state_now"),
        sa.func.count().label("number"),
        sa.func.min(table.c.create_time).label("first_time"),
    )
    .where(
        table.c.buyer == sa.bindparam("buyer"),
        table.c.seller == sa.bindparam("seller"),
        sa.tuple_(table.c.create_time, table.c.id)
        < sa.tuple_(sa.bindparam("create_time", type_=table.c.create_time.type), sa.bindparam("key")),
    )
    .group_by("state_now")
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

    async def save_dismissal(self, tx: Transaction, request_id: str) -> None:
        """Notes that a locked request was dismissed; its version stays what the buyer saw."""
        await tx.execute(_DISMISS, {"key": request_id})

    async def page_of_buyer(
        self, tx: Transaction, buyer: str, *, states: Sequence[State], page: PageRequest
    ) -> Page[OrderRequest]:
        """Requests of a buyer, newest first."""
        return await _page(tx, table.c.buyer == buyer, _in(states), page)

    async def page_of_seller(
        self,
        tx: Transaction,
        seller: str,
        *,
        states: Sequence[State],
        show_dismissed: bool,
        page: PageRequest,
    ) -> Page[OrderRequest]:
        """Requests to a seller, newest first; dismissed ones only where they are asked for."""
        dismissed = (False, True) if show_dismissed else (False,)
        facets = {**_in(states), "dismissed": (table.c.dismissed, dismissed)}
        return await _page(tx, table.c.seller == seller, facets, page)

    async def earlier(self, tx: Transaction, request: OrderRequest, now: datetime) -> EarlierRequests:
        """What the buyer of a request had asked the same seller before."""
        bound = {
            "buyer": request.buyer,
            "seller": request.seller,
            "create_time": request.create_time,
            "key": request.id,
            "now": now,
        }
        rows = await tx.fetch_all(_EARLIER, bound)
        counts = {State(row.state_now): row.number for row in rows}
        first = min((row.first_time for row in rows), default=None)
        return EarlierRequests(tuple((state, counts[state]) for state in State if state in counts), first)


async def _page(
    tx: Transaction, whose: sa.ColumnElement[bool], facets: Facets, page: PageRequest
) -> Page[OrderRequest]:
    rows = await tx.fetch_all(merged(sa.select(table).where(whose), facets, _AGE, page, descending=True))
    return page_of([_request(row) for row in rows], page, lambda r: cursor_of(r.create_time, r.id))


def _in(states: Sequence[State]) -> Facets:
    """What a list that shows some states is made of; nothing where no state is left out."""
    if not states or set(states) == set(State):
        return {}
    return {"state": (table.c.state, [state.value for state in dict.fromkeys(states)])}


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
        "dismissed": request.dismissed,
        "expire_time": request.expire_time,
        "answer_expire_time": request.answer_expire_time,
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
        answer_expire_time=row.answer_expire_time,
        reminders=row.reminders,
        dismissed=row.dismissed,
        first_response_time=row.first_response_time,
        version=row.version,
    )
