"""The figures of a seller with many requests and orders: others are served between what is read of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from chassis.db import Transaction
from parley.gating.v1.gate_metrics_pb2 import MetricCount
from services.gating.adapters.repository.metrics import PORTION
from services.gating.domain.metrics import NAMED_IDS
from services.gating.wire import metrics as wire
from tests.component.gating.conftest import LISTING, SELLER, World
from tests.component.gating.test_metrics import metrics

ROWS = 2 * PORTION + 300

# Four at each instant, so that a portion ends between two of the same; one in five has the listing of the
# request that it came from.
REQUESTS = """
INSERT INTO metric_request (name, seller, listing, buyer, gate_reason, submit_time, response_time)
SELECT 'orderRequests/' || md5(n::text), :seller, :listing, '', 'ALWAYS', time, time + n * interval '1 second'
FROM (SELECT n, CAST(:now AS timestamptz) - (1 + n / 4) * interval '1 minute' AS time
    FROM generate_series(0, :rows - 1) AS n) AS made
"""
ORDERS = """
INSERT INTO metric_order (name, seller, listing, buyer, order_request, place_time, confirm_time, cancel_time)
SELECT 'orders/' || md5(n::text), :seller, CASE WHEN n % 5 > 0 THEN :listing ELSE '' END, '',
    CASE WHEN n % 5 = 0 THEN 'orderRequests/' || md5(n::text) ELSE '' END, time, time,
    CASE WHEN n % 10 = 0 THEN time END
FROM (SELECT n, CAST(:now AS timestamptz) - (1 + n / 4) * interval '1 minute' AS time
    FROM generate_series(0, :rows - 1) AS n) AS made
"""


async def fill(world: World) -> None:
    async def work(tx: Transaction) -> None:
        given = {"seller": SELLER, "listing": LISTING, "now": world.clock.now(), "rows": ROWS}
        for statement in (REQUESTS, ORDERS):
            await tx.execute(sa.text(statement), given)

    await world.service.host.database.transact(work)


def noted(read: list[int]) -> Callable[..., Awaitable[list[Any]]]:
    """A `fetch_all` that notes how much each statement brings: rows, or values in their longest column."""
    fetch_all = Transaction.fetch_all

    async def fetch(tx: Transaction, *arguments: Any) -> list[Any]:
        rows: list[Any] = await fetch_all(tx, *arguments)
        columns = [len(each) for row in rows for each in row if isinstance(each, list)]
        read.append(max(len(rows), *columns, 0))
        return rows

    return fetch


async def newest(world: World, table: str, time: str) -> list[str]:
    found = await world.rows(f"SELECT name, {time} AS time FROM {table}")
    moments: list[tuple[datetime, str]] = sorted(((row.time, row.name) for row in found), reverse=True)
    return [name for _, name in moments]


def is_named(count: MetricCount, names: list[str]) -> bool:
    return (count.value, [*count.ids]) == (len(names), names[:NAMED_IDS]) and count.ids_truncated


async def test_many_are_counted_in_portions(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(world)
    requests = await newest(world, "metric_request", "submit_time")
    orders = await newest(world, "metric_order", "place_time")
    read: list[int] = []
    monkeypatch.setattr(Transaction, "fetch_all", noted(read))
    found = await metrics(world, include_ids=True)
    # No statement brings more than can be counted in one turn, and none is left out.
    assert (max(read), read.count(PORTION), read.count(ROWS % PORTION)) == (NAMED_IDS, 4, 2), read
    period = found.period
    assert is_named(period.funnel.requests, requests)
    assert is_named(period.response_time.sample, requests)
    assert is_named(period.orders, orders)
    assert is_named(found.response_rate.share.sample, requests)
    assert found.response_rate.share.part.value == ROWS
    assert period.response_time.median.ToTimedelta() == timedelta(seconds=(ROWS - 1) / 2)
    assert (period.direct_orders.value, period.cancellation_rate.part.value) == (ROWS * 4 // 5, ROWS // 10)
    (rule,) = period.rules
    assert (rule.cancellation_rate.part.value, rule.cancellation_rate.sample.value) == (ROWS // 10, ROWS // 5)
    (listing,) = found.listings
    assert (listing.listing, listing.orders.value) == (LISTING, ROWS)
    narrowed = await metrics(world, include_ids=True, listing=LISTING)
    assert narrowed.period == period


async def test_an_answer_names_so_many_in_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(world)
    whole = await metrics(world, include_ids=True)
    monkeypatch.setattr(wire, "ANSWERED_IDS", 2 * NAMED_IDS + 10)
    found = await metrics(world, include_ids=True)
    assert str(whole).count("ids: ") > str(found).count("ids: ") == 2 * NAMED_IDS + 10
    # The period comes first, and every number stays what it is.
    assert found.period.funnel.requests == whole.period.funnel.requests
    (listing,) = found.listings
    assert (listing.orders.value, [*listing.orders.ids], listing.orders.ids_truncated) == (ROWS, [], True)
