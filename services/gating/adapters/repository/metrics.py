"""The record of facts and visits: how it grows, and what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from chassis.db import Transaction
from chassis.envelope import EventRecord
from chassis.schema import outbox
from services.gating.adapters.tables import metric_fact, metric_order, metric_request, visit
from services.gating.app.ports import Restored
from services.gating.domain.facts import Fact, FactKind, Visit
from services.gating.domain.interval import Interval
from services.gating.domain.metrics import NAMED_IDS, OrderLife, SettingsSave
from services.gating.domain.responses import Declaration, PlannedClosure, RequestLife
from services.gating.wire.stories import kept_content, own_content

RESTORED_EVENTS: Final = 500
SELLERS_AT_ONCE: Final = 1_000
PORTION: Final = 1_000
"""Requests or orders that are read and counted before others get a turn."""

_KEEP: Final = insert(metric_fact).on_conflict_do_nothing()
_ADD_VISIT: Final = insert(visit).on_conflict_do_nothing()

_SELLER: Final = sa.bindparam("seller", type_=sa.Text)
_LISTING: Final = sa.bindparam("listing", type_=sa.Text)
_START: Final = sa.bindparam("start", type_=sa.DateTime(timezone=True))
_END: Final = sa.bindparam("end", type_=sa.DateTime(timezone=True))


def _within(table: sa.Table, time: Any, listing: Any) -> Any:
    """Rows of a seller in an interval, of one listing unless it is empty."""
    mine = (table.c.seller == _SELLER) & (time >= _START) & (time < _END)
    return mine & ((_LISTING == "") | (listing == _LISTING))


# A seller may have more requests and orders than can be made into objects while others wait, so that they
# come in portions, which walk an index along the time and begin behind the last one; and each as one row of
# columns, because a row object for each would cost more than to count it. Names are ordered byte by byte, so
# that every database names the same ids.
_REQUESTS: Final = sa.text(
    "SELECT array_agg(name) AS names, array_agg(listing) AS listings, array_agg(submit_time) AS submitted, "
    "array_agg(coalesce(gate_reason, '')) AS reasons, array_agg(response_time) AS responded, "
    "array_agg(offer_time) AS offered, array_agg(convert_time) AS converted, "
    "array_agg(decline_time) AS declined, array_agg(withdraw_time) AS withdrawn, "
    "array_agg(expire_time) AS expired, array_agg(close_time) AS closed "
    "FROM (SELECT * FROM metric_request WHERE seller = :seller AND submit_time >= :start "
    'AND submit_time <= :end AND (submit_time < :end OR name COLLATE "C" < :before) '
    "AND (CAST(:listing AS text) = '' OR listing = :listing) "
    'ORDER BY submit_time DESC, name COLLATE "C" DESC LIMIT :limit) AS portion'
)
_ORDERS: Final = sa.text(
    "SELECT array_agg(name) AS names, array_agg(sold) AS listings, "
    "array_agg(coalesce(order_request, '')) AS requests, array_agg(place_time) AS placed, "
    "array_agg(confirm_time) AS confirmed, array_agg(cancel_time) AS cancelled "
    "FROM (SELECT made.*, sold FROM metric_order AS made "
    "LEFT JOIN metric_request AS asked ON asked.name = made.order_request "
    "CROSS JOIN LATERAL (SELECT coalesce(nullif(made.listing, ''), asked.listing, '') AS sold) AS told "
    "WHERE made.seller = :seller AND made.place_time >= :start "
    'AND made.place_time <= :end AND (made.place_time < :end OR made.name COLLATE "C" < :before) '
    "AND (CAST(:listing AS text) = '' OR sold = :listing) "
    'ORDER BY made.place_time DESC, made.name COLLATE "C" DESC LIMIT :limit) AS portion'
)
_as_request: Final[Callable[[tuple[Any, ...]], RequestLife]] = partial(tuple.__new__, RequestLife)
_as_order: Final[Callable[[tuple[Any, ...]], OrderLife]] = partial(tuple.__new__, OrderLife)
_FACTS: Final = (
    sa.select(metric_fact)
    .where(
        metric_fact.c.seller == _SELLER,
        metric_fact.c.kind == sa.bindparam("kind"),
        metric_fact.c.time < sa.bindparam("before"),
    )
    .order_by(metric_fact.c.source, metric_fact.c.version)
)
# The last word about each absence: that it was deleted, or else that it was planned.
_ABSENCES: Final = (
    sa.select(metric_fact)
    .ext(distinct_on(metric_fact.c.source))
    .where(
        metric_fact.c.seller == _SELLER,
        metric_fact.c.kind.in_([FactKind.ABSENCE_CREATED.value, FactKind.ABSENCE_DELETED.value]),
        metric_fact.c.time < sa.bindparam("before"),
    )
    .order_by(metric_fact.c.source, metric_fact.c.version.desc())
)
_VISITS: Final = sa.text(
    "SELECT span.position, count(visit.id) AS number "
    "FROM unnest(CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])) "
    "WITH ORDINALITY AS span (start_time, end_time, position) "
    "LEFT JOIN visit ON visit.seller = :seller AND visit.time >= span.start_time "
    "AND visit.time < span.end_time AND (CAST(:listing AS text) = '' OR visit.listing = :listing) "
    "GROUP BY span.position ORDER BY span.position"
)
_VISITED: Final = (
    sa.select(visit.c.listing, sa.func.count().label("number"))
    .where(_within(visit, visit.c.time, visit.c.listing))
    .group_by(visit.c.listing)
)
_VISIT_NAMES: Final = (
    sa.select(visit.c.listing, visit.c.id)
    .where(_within(visit, visit.c.time, visit.c.listing))
    .order_by(visit.c.time.desc(), visit.c.id.desc())
    .limit(NAMED_IDS + 1)
)

_EVENTS: Final = (
    sa.select(
        outbox.c.event_id, outbox.c.aggregate, outbox.c.version, outbox.c.type, outbox.c.time, outbox.c.body
    )
    .where(outbox.c.event_id > sa.bindparam("after"))
    .order_by(outbox.c.event_id)
    .limit(RESTORED_EVENTS)
)
_SELLERS: Final = (
    sa.union(*(sa.select(table.c.seller) for table in (metric_fact, metric_request, metric_order)))
    .subquery("known")
    .select()
    .where(sa.literal_column("known.seller") > sa.bindparam("after", type_=sa.Text))
    .order_by(sa.literal_column("known.seller"))
    .limit(SELLERS_AT_ONCE)
)
_DERIVE: Final = sa.text("SELECT rebuild_metrics(:seller)")


class RecordRepository:
    """Adds what happened; what is there already stays as it is."""

    async def keep(self, tx: Transaction, fact: Fact) -> None:
        """Keeps a fact, in one statement."""
        await tx.execute(_KEEP, fact_row(fact))

    async def add_visit(self, tx: Transaction, found: Visit) -> bool:
        """Keeps a visit, in one statement; False where that buyer's of that day is kept."""
        row = {
            "listing": found.listing,
            "day": found.day,
            "buyer": found.buyer,
            "id": found.id,
            "seller": found.seller,
            "time": found.time,
        }
        return (await tx.execute(_ADD_VISIT, row)).rowcount == 1


class JournalRepository:
    """What was recorded, of one seller."""

    async def requests(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> AsyncIterator[Sequence[RequestLife]]:
        """Requests and inquiries that began in an interval, newest first, in portions."""
        asked = _asked(seller, listing, interval)
        async for columns in _portions(tx, _REQUESTS, asked, time="submitted"):
            yield [*map(_as_request, columns)]

    async def orders(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> AsyncIterator[Sequence[OrderLife]]:
        """Orders that were placed in an interval, newest first, in portions; one from free requirements has
        its request's listing.
        """
        asked = _asked(seller, listing, interval)
        async for columns in _portions(tx, _ORDERS, asked, time="placed"):
            yield [*map(_as_order, columns)]

    async def declarations(self, tx: Transaction, seller: str, *, before: datetime) -> Sequence[Declaration]:
        """Every declaration of availability, those for listings included, oldest first."""
        asked = {"seller": seller, "kind": FactKind.AVAILABILITY_SET.value, "before": before}
        return [
            Declaration(
                row.about,
                row.time,
                not row.detail["available"] and row.detail["messages_closed"],
                datetime.fromisoformat(row.detail["end_time"]) if "end_time" in row.detail else None,
            )
            for row in await tx.fetch_all(_FACTS, asked)
        ]

    async def planned_closures(
        self, tx: Transaction, seller: str, *, before: datetime
    ) -> Sequence[PlannedClosure]:
        """Every absence with messages closed that was planned, those of listings included."""
        return [
            PlannedClosure(
                row.about,
                datetime.fromisoformat(row.detail["start_time"]),
                datetime.fromisoformat(row.detail["end_time"]),
                row.time if row.kind == FactKind.ABSENCE_DELETED.value else None,
            )
            for row in await tx.fetch_all(_ABSENCES, {"seller": seller, "before": before})
            if row.detail["messages_closed"]
        ]

    async def saves(self, tx: Transaction, seller: str, *, before: datetime) -> Sequence[SettingsSave]:
        """Every save of the order settings, oldest first."""
        asked = {"seller": seller, "kind": FactKind.SETTINGS_SAVED.value, "before": before}
        return [SettingsSave(row.version, row.time) for row in await tx.fetch_all(_FACTS, asked)]

    async def visits(
        self, tx: Transaction, seller: str, listing: str, intervals: Sequence[Interval]
    ) -> Sequence[int]:
        """How many visits each of some intervals had."""
        starts = [interval.start for interval in intervals]
        ends = [interval.end for interval in intervals]
        asked = {"seller": seller, "listing": listing, "starts": starts, "ends": ends}
        return [row.number for row in await tx.fetch_all(_VISITS, asked)]

    async def visited_listings(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Mapping[str, int]:
        """How many visits each listing had, where it had any."""
        rows = await tx.fetch_all(_VISITED, _asked(seller, listing, interval))
        return {row.listing: row.number for row in rows}

    async def visit_names(
        self, tx: Transaction, seller: str, listing: str, interval: Interval
    ) -> Sequence[str]:
        """The newest visits, as many as an answer names, and one more."""
        rows = await tx.fetch_all(_VISIT_NAMES, _asked(seller, listing, interval))
        return [f"{row.listing}/visits/{row.id}" for row in rows]


class UpkeepRepository:
    """The record, completed from kept events, and what is derived from it."""

    async def restore(self, tx: Transaction, after: str) -> Restored:
        """Adds the facts that kept events after `after` tell and the record lacks, a batch at a time."""
        rows = await tx.fetch_all(_EVENTS, {"after": after})
        added = 0
        for row in rows:
            content = kept_content(row.type, row.body)
            if content is not None:
                fact = Fact(row.aggregate, row.version, row.time, content)
                added += (await tx.execute(_KEEP, fact_row(fact))).rowcount
        return Restored(added, rows[-1].event_id if len(rows) == RESTORED_EVENTS else "")

    async def sellers(self, tx: Transaction, after: str) -> Sequence[str]:
        """The next sellers of whom anything is recorded or derived, by name; none behind the last one."""
        return [row.seller for row in await tx.fetch_all(_SELLERS, {"after": after})]

    async def derive(self, tx: Transaction, seller: str) -> None:
        """Derives everything of one seller from his facts, and drops what was derived before."""
        await tx.fetch_all(_DERIVE, {"seller": seller})


def _asked(seller: str, listing: str, interval: Interval) -> dict[str, Any]:
    return {"seller": seller, "listing": listing, "start": interval.start, "end": interval.end}


async def _portions(
    tx: Transaction, statement: sa.TextClause, asked: Mapping[str, Any], *, time: str
) -> AsyncIterator[Iterator[tuple[Any, ...]]]:
    """What a statement finds, in portions: each begins behind the last one, whose column `time` says when and
    whose column `names` says at which name of that instant it ended.
    """
    end, before = asked["end"], ""
    while True:
        found = await tx.fetch_one(statement, {**asked, "end": end, "before": before, "limit": PORTION})
        if found is None or found.names is None:
            return
        yield zip(*found, strict=True)
        if len(found.names) < PORTION:
            return
        end, before = getattr(found, time)[-1], found.names[-1]


def with_fact(record: EventRecord) -> EventRecord:
    """The record of an event of gating, with the fact that it tells, if it tells one."""
    content = own_content(record.message)
    if content is None:
        return record
    fact = Fact(record.aggregate, record.version, record.time, content)
    return replace(record, rows=((metric_fact, fact_row(fact)),))


def fact_row(fact: Fact) -> dict[str, Any]:
    """Every column of a fact."""
    content = fact.content
    return {
        "source": fact.source,
        "version": fact.version,
        "kind": content.kind.value,
        "about": content.about,
        "seller": content.seller,
        "listing": content.listing,
        "buyer": content.buyer,
        "time": fact.time,
        "detail": dict(content.detail),
    }
