"""Subscriptions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert

from chassis.db import Transaction
from chassis.kernel.machine import Actor
from chassis.kernel.money import Money
from chassis.kernel.page import Cursor, Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.orders.adapters import encoding
from services.orders.adapters.payment_repository import LostUpdate
from services.orders.adapters.subscription_tables import seller_zone, subscription
from services.orders.app.subscription_ports import SubscriptionFilter
from services.orders.domain.commerce import PaymentMethod, Plan
from services.orders.domain.subscription.facts import EndReason, Subscription

_FIND: Final = sa.select(subscription).where(subscription.c.id == sa.bindparam("id"))
_LOCK: Final = _FIND.with_for_update()
# In one order, so that two who lock several wait for each other and never block.
_LOCK_ALL: Final = (
    sa.select(subscription)
    .where(subscription.c.id == sa.any_(sa.bindparam("ids", type_=ARRAY(sa.Text))))
    .order_by(subscription.c.id)
    .with_for_update()
)
_SAVE: Final = (
    sa.update(subscription)
    .where(subscription.c.id == sa.bindparam("key"), subscription.c.version == sa.bindparam("expected"))
    .returning(subscription.c.id)
)
_ZONE: Final = sa.select(seller_zone.c.time_zone).where(seller_zone.c.seller == sa.bindparam("seller"))
_ADD_ZONE: Final = insert(seller_zone)
_KEEP_ZONE: Final = _ADD_ZONE.on_conflict_do_update(
    index_elements=["seller"],
    set_={"version": _ADD_ZONE.excluded.version, "time_zone": _ADD_ZONE.excluded.time_zone},
    where=seller_zone.c.version < _ADD_ZONE.excluded.version,
)

_COLUMNS: Final = (
    "id",
    "version",
    "seller",
    "buyer",
    "package",
    "order_request",
    "origin_conversation",
    "time_zone",
    "payment_token",
    "create_time",
    "update_time",
    "start_time",
    "activate_time",
    "number",
    "period_begin",
    "period_end",
    "anchor_day",
    "worth_from",
    "changes",
    "cancel_at",
    "pause_at",
    "paused_since",
    "resume_at",
    "charging",
    "past_due_since",
    "retries",
    "retry_at",
    "grace_until",
    "ended_at",
)
"""Facts that are stored as they are."""


class SubscriptionRepository:
    """The rows of subscriptions. A row is saved only over the version that it was read at."""

    async def load(self, tx: Transaction, name: str, *, for_update: bool = False) -> Subscription | None:
        """The subscription of that name, locked until the end of the transaction if wanted."""
        row = await tx.fetch_one(_LOCK if for_update else _FIND, {"id": name.removeprefix("subscriptions/")})
        return None if row is None else _read(row)

    async def load_all(self, tx: Transaction, names: Sequence[str]) -> Mapping[str, Subscription]:
        """Subscriptions by name, those that exist, locked until the end of the transaction."""
        ids = [name.removeprefix("subscriptions/") for name in names]
        rows = await tx.fetch_all(_LOCK_ALL, {"ids": ids})
        return {one.name: one for one in map(_read, rows)}

    async def add(self, tx: Transaction, new: Subscription) -> None:
        """Stores a new subscription. ConstraintError for a second one of an order."""
        await tx.execute(sa.insert(subscription), _row(new))

    def inserts(self, new: Subscription) -> tuple[sa.Table, Mapping[str, Any]]:
        """The row of a new subscription, for a command that is a single statement."""
        return subscription, _row(new)

    async def save(self, tx: Transaction, changed: Subscription, *, expected: int) -> None:
        """Replaces the subscription at version `expected`, when the work of the transaction is done."""
        row = {**_row(changed), "key": changed.id, "expected": expected}
        tx.postpone(_SAVE, row, lost=LostUpdate(changed.name))

    async def page(
        self, tx: Transaction, wanted: SubscriptionFilter, request: PageRequest
    ) -> Page[Subscription]:
        """Subscriptions by descending time of creation."""
        table = subscription.c
        conditions = [table.seller == wanted.seller] if wanted.seller else [table.buyer == wanted.buyer]
        if wanted.bucket is not None:
            conditions.append(table.bucket == wanted.bucket.value)
        statement = sa.select(subscription).where(*conditions)
        newest_first = keyset(statement, (table.create_time, table.id), request, descending=True)
        rows = await tx.fetch_all(newest_first)
        return page_of([_read(row) for row in rows], request, _cursor)

    async def zone_of(self, tx: Transaction, seller: str) -> str:
        """The time zone of a seller's account; empty where it is not known."""
        return await tx.scalar(_ZONE, {"seller": seller}) or ""

    async def keep_zone(self, tx: Transaction, seller: str, time_zone: str, version: int) -> None:
        """Stores the zone of a newer version of a seller's settings."""
        await tx.execute(_KEEP_ZONE, {"seller": seller, "time_zone": time_zone, "version": version})


def _cursor(one: Subscription) -> Cursor:
    return cursor_of(one.create_time, one.id)


def _row(one: Subscription) -> dict[str, Any]:
    return {
        **{name: getattr(one, name) for name in _COLUMNS},
        "plan": encoding.write_plan(one.plan),
        "next_plan": encoding.write_plan(one.next_plan),
        "payment_method": one.payment_method.value,
        "currency": one.worth.currency,
        "worth": one.worth.amount,
        "balance": one.balance.amount,
        "unpaid": list(one.unpaid),
        "cancelled_by": one.cancelled_by.name if one.cancelled_by else None,
        "end_reason": one.end_reason.value if one.end_reason else None,
    }


def _read(row: Any) -> Subscription:
    return Subscription(
        **{name: getattr(row, name) for name in _COLUMNS},
        plan=_read_plan(row.plan),
        next_plan=encoding.read_plan(row.next_plan),
        payment_method=PaymentMethod(row.payment_method),
        worth=Money(row.currency, row.worth),
        balance=Money(row.currency, row.balance),
        unpaid=tuple(row.unpaid),
        cancelled_by=Actor[row.cancelled_by] if row.cancelled_by else None,
        end_reason=EndReason(row.end_reason) if row.end_reason else None,
    )


def _read_plan(value: Mapping[str, Any]) -> Plan:
    plan = encoding.read_plan(value)
    assert plan is not None
    return plan
