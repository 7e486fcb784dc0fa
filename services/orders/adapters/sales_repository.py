"""What sellers sold, added up in PostgreSQL.

Triggers tell each change of an order to `sales_change`; folding moves changes into the sums. A question reads
the sums and the changes that are not folded yet in one statement, so that folding is never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from chassis.db import Transaction
from chassis.kernel.money import Money
from chassis.kernel.page import Cursor, Page, page_of
from chassis.paging import cursor_of, keyset
from services.orders.adapters.subscription_tables import subscription
from services.orders.adapters.tables import (
    SALES_MEASURES,
    orders,
    payment,
    sales_change,
    sales_day,
    sales_quarter,
)
from services.orders.app.analytics import ListSalesOrders, Sums
from services.orders.domain.sales import (
    MAX_LISTINGS,
    RENEWALS,
    Exclusion,
    Measure,
    SalesOrder,
    Span,
    Sum,
    exclusion_of,
)

FOLDED_AT_ONCE: Final = 5_000
SELLERS_AT_ONCE: Final = 1_000
_DAY: Final = timedelta(days=1)

_OF_ORDERS: Final = SALES_MEASURES[:8]
_OF_RENEWALS: Final = SALES_MEASURES[8:]
_PARTS: Final = {
    "key": "seller, listing, currency, slot, reason",
    "names": ", ".join(SALES_MEASURES),
    "added": ", ".join(f"sum({name}) AS {name}" for name in SALES_MEASURES),
    "add": ", ".join(f"{name} = held.{name} + excluded.{name}" for name in SALES_MEASURES),
    "renewals": ", ".join(_OF_RENEWALS),
    "no orders": ", ".join("0::bigint" for _ in _OF_ORDERS),
    "no renewals": ", ".join(f"0::bigint AS {name}" for name in _OF_RENEWALS),
    "folded at once": str(FOLDED_AT_ONCE),
    "sellers at once": str(SELLERS_AT_ONCE),
    "listings": str(MAX_LISTINGS),
    "epoch": "'2000-01-01 00:00:00+00'",
}


def _filled(text: str, **parts: str) -> str:
    """A statement whose `<parts>` are filled in; whatever a caller says stays a parameter."""
    for name, part in (*parts.items(), *_PARTS.items()):
        text = text.replace(f"<{name}>", part)
    return text


# Always in the same order, so that two who fold wait for each other and never block.
_FOLD_BOTH: Final = _filled("""
quarters AS (
    INSERT INTO sales_quarter AS held (<key>, <names>)
    SELECT <key>, <added> FROM fresh GROUP BY <key>
    UNION ALL
    SELECT seller, '*', currency, slot, reason, <added> FROM fresh GROUP BY seller, currency, slot, reason
    ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (seller, listing, slot, currency, reason) DO UPDATE SET <add>
),
days AS (
    INSERT INTO sales_day AS held (<key>, <names>)
    SELECT seller, listing, currency, date_bin('1 day', slot, <epoch>), reason, <added>
    FROM fresh GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (seller, slot, listing, currency, reason) DO UPDATE SET <add>
)
SELECT count(*) FROM fresh
""")
_FOLD: Final = sa.text(
    _filled(
        """
WITH chosen AS (
    SELECT seller, id FROM sales_change ORDER BY seller, id LIMIT <folded at once> FOR UPDATE SKIP LOCKED
),
fresh AS (
    DELETE FROM sales_change USING chosen
    WHERE sales_change.seller = chosen.seller AND sales_change.id = chosen.id
    RETURNING sales_change.*
),
<both>
""",
        both=_FOLD_BOTH,
    )
)
_FORGET: Final = tuple(
    sa.delete(table).where(table.c.seller == sa.bindparam("whose"))
    for table in (sales_change, sales_quarter, sales_day)
)
_ADD_UP: Final = sa.text(
    _filled(
        """
WITH fresh AS (
    SELECT sale.*, <no renewals> FROM orders, LATERAL sale_of(orders) AS sale WHERE orders.seller = :whose
    UNION ALL
    SELECT renewal.seller, listing, renewal.currency, slot, reason, <no orders>, <renewals>
    FROM payment, LATERAL renewal_of(payment) AS renewal
    WHERE payment.seller = :whose AND payment.subscription_id IS NOT NULL
),
<both>
""",
        both=_FOLD_BOTH,
    )
)
_SELLERS: Final = sa.text(
    _filled("""
SELECT seller FROM (
    SELECT DISTINCT seller FROM orders WHERE seller > :after
    UNION SELECT DISTINCT seller FROM sales_day WHERE seller > :after
    UNION SELECT DISTINCT seller FROM sales_change WHERE seller > :after
) AS known ORDER BY seller LIMIT <sellers at once>
""")
)

_BY_PERIOD: Final = _filled("""
SELECT width_bucket(slot, CAST(:starts AS timestamptz[])) AS period, CAST(NULL AS text) AS listing,
    currency, reason, <added>
FROM (
    SELECT slot, currency, reason, <names> FROM sales_quarter
    WHERE seller = :seller AND listing = :scope AND slot >= :start AND slot < :end
    UNION ALL
    SELECT slot, currency, reason, <names> FROM sales_change
    WHERE seller = :seller AND (:scope = '*' OR listing = :scope) AND slot >= :start AND slot < :end
) AS found GROUP BY 1, currency, reason
""")
# Whole days of UTC from their sums, what lies before and after them from those of quarters.
_BY_LISTING: Final = _filled("""
SELECT CAST(NULL AS int) AS period, listing, currency, reason, <added>
FROM (
    SELECT listing, currency, reason, <names> FROM sales_day
    WHERE seller = :seller AND slot >= :first_day AND slot < :last_day
    UNION ALL
    SELECT listing, currency, reason, <names> FROM sales_quarter
    WHERE seller = :seller AND listing <> '*'
        AND (slot >= :start AND slot < :first_day OR slot >= :last_day AND slot < :end)
    UNION ALL
    SELECT listing, currency, reason, <names> FROM sales_change
    WHERE seller = :seller AND slot >= :start AND slot < :end
) AS found WHERE reason = '' GROUP BY listing, currency, reason
""")
_SUMS_OF_LISTING: Final = sa.text(_BY_PERIOD)
_SUMS_OF_SELLER: Final = sa.text(
    _filled(
        """
WITH sold AS (<by listing>),
best AS (
    SELECT listing FROM sold GROUP BY listing ORDER BY sum(orders) DESC, listing LIMIT <listings>
)
<by period>
UNION ALL
SELECT sold.* FROM sold JOIN best USING (listing)
""",
        **{"by listing": _BY_LISTING, "by period": _BY_PERIOD},
    )
)

_count_time = sa.func.coalesce(orders.c.confirm_time, orders.c.create_time)
_COUNTS: Final = sa.and_(orders.c.confirm_time.is_not(None), sa.not_(orders.c.price_agreed_elsewhere))
_BEHIND: Final = {
    Measure.ORDERS: _COUNTS,
    Measure.CANCELLED: sa.and_(
        orders.c.state == sa.literal_column("'CANCELLED'"), sa.not_(orders.c.price_agreed_elsewhere)
    ),
    Measure.PAID: sa.and_(_COUNTS, orders.c.payment_state == "PAID"),
    Measure.REFUNDED: sa.and_(
        orders.c.refunded > sa.literal_column("0"), sa.not_(orders.c.price_agreed_elsewhere)
    ),
    Measure.EXCLUDED: sa.or_(orders.c.confirm_time.is_(None), orders.c.price_agreed_elsewhere),
}


# Of subscriptions, and not called off before anything was taken: see `renewal_of` in the migrations.
_RENEWAL: Final = sa.select(payment, subscription.c.package).join(
    subscription, subscription.c.id == payment.c.subscription_id
)
_IS_DUE: Final = payment.c.state != sa.literal_column("'VOIDED'")
_BEHIND_RENEWALS: Final = {
    Measure.RENEWALS: _IS_DUE,
    Measure.PAID_RENEWALS: payment.c.state == sa.literal_column("'CAPTURED'"),
    Measure.REFUNDED_RENEWALS: sa.and_(_IS_DUE, payment.c.refunded > sa.literal_column("0")),
}


class SalesRepository:
    """Implements the ports `Sales` and `SalesUpkeep`."""

    async def sums(self, tx: Transaction, seller: str, listing: str, periods: Sequence[Span]) -> Sums:
        """The sums of consecutive periods, in one statement."""
        start, end = periods[0].start, periods[-1].end
        asked: dict[str, Any] = {
            "seller": seller,
            "scope": listing or "*",
            "start": start,
            "end": end,
            "starts": [one.start for one in periods],
        }
        if listing:
            rows = await tx.fetch_all(_SUMS_OF_LISTING, asked)
        else:
            first_day, last_day = _whole_days(start, end)
            whole = {"first_day": first_day, "last_day": last_day}
            rows = await tx.fetch_all(_SUMS_OF_SELLER, {**asked, **whole})
        by_period: dict[int, list[Sum]] = {}
        by_listing: dict[str, list[Sum]] = {}
        for row in rows:
            if row.period is not None:
                by_period.setdefault(row.period - 1, []).append(_sum(row))
            else:
                by_listing.setdefault(row.listing, []).append(_sum(row))
        return Sums(by_period, by_listing)

    async def orders(self, tx: Transaction, query: ListSalesOrders) -> Page[SalesOrder]:
        """The orders behind a number, or the charges of their subscriptions, oldest first."""
        if query.measure in RENEWALS:
            return await self._renewals(tx, query)
        statement = sa.select(orders, _count_time.label("time")).where(
            orders.c.seller == query.seller,
            _count_time >= query.start,
            _count_time < query.end,
            _BEHIND[query.measure],
        )
        if query.listing:
            statement = statement.where(orders.c.package.startswith(f"{query.listing}/", autoescape=True))
        if query.currency:
            statement = statement.where(orders.c.currency == query.currency)
        rows = await tx.fetch_all(keyset(statement, (_count_time, orders.c.id), query.page))
        return page_of([_order(row) for row in rows], query.page, _cursor)

    async def _renewals(self, tx: Transaction, query: ListSalesOrders) -> Page[SalesOrder]:
        statement = _RENEWAL.where(
            payment.c.seller == query.seller,
            payment.c.create_time >= query.start,
            payment.c.create_time < query.end,
            _BEHIND_RENEWALS[query.measure],
        )
        if query.listing:
            statement = statement.where(
                subscription.c.package.startswith(f"{query.listing}/", autoescape=True)
            )
        if query.currency:
            statement = statement.where(payment.c.currency == query.currency)
        rows = await tx.fetch_all(keyset(statement, (payment.c.create_time, payment.c.id), query.page))
        return page_of([_renewal(row) for row in rows], query.page, _cursor)

    async def fold(self, tx: Transaction) -> int:
        """Adds up to `FOLDED_AT_ONCE` changes to the sums."""
        return int(await tx.scalar(_FOLD))

    async def sellers(self, tx: Transaction, after: str) -> Sequence[str]:
        """The next sellers, by name."""
        return [row.seller for row in await tx.fetch_all(_SELLERS, {"after": after})]

    async def rebuild(self, tx: Transaction, seller: str) -> None:
        """Adds a seller's orders up anew."""
        for statement in _FORGET:
            await tx.execute(statement, {"whose": seller})
        await tx.fetch_all(_ADD_UP, {"whose": seller})


def _whole_days(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The days of UTC that lie wholly in the time: from the first to before the second."""
    first = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if first < start:
        first += _DAY
    last = end.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (first, last) if first <= last else (end, end)


def _sum(row: Any) -> Sum:
    reason = Exclusion(row.reason) if row.reason else None
    return Sum(row.currency, reason, *(int(getattr(row, name)) for name in SALES_MEASURES))


def _order(row: Any) -> SalesOrder:
    total = Money(row.currency, row.total)
    return SalesOrder(
        f"orders/{row.id}",
        row.package.partition("/packages/")[0],
        row.time,
        total,
        row.state == "CANCELLED",
        total if row.payment_state == "PAID" else None,
        Money(row.currency, row.refunded) if row.refunded else None,
        exclusion_of(
            state=row.state,
            is_confirmed=row.confirm_time is not None,
            price_agreed_elsewhere=row.price_agreed_elsewhere,
        ),
    )


def _renewal(row: Any) -> SalesOrder:
    amount = Money(row.currency, row.amount)
    return SalesOrder(
        f"orders/{row.subscription_id}",
        row.package.partition("/packages/")[0],
        row.create_time,
        amount,
        is_cancelled=False,
        paid=amount if row.state == "CAPTURED" else None,
        refunded=Money(row.currency, row.refunded) if row.refunded else None,
        exclusion=None,
        payment=f"subscriptions/{row.subscription_id}/payments/{row.id}",
    )


def _cursor(order: SalesOrder) -> Cursor:
    return cursor_of(order.time, (order.payment or order.name).rpartition("/")[2])
