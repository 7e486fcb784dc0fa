"""How PostgreSQL reads a page of each list: no further than the page, however long the list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chassis.db import Transaction
from chassis.kernel.page import PageRequest
from services.gating.adapters.repository.order_requests import OrderRequestsRepository
from services.gating.adapters.repository.placements import PlacementsRepository
from services.gating.domain.catalogue import Intake
from services.gating.domain.interval import Interval
from services.gating.domain.order_request import State
from services.gating.domain.simulation import Placement
from tests.component.gating.conftest import World, at

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

ROWS = 20_000
PAGE = 50
SELLER = "sellers/big"
BUYER = "users/b7"

# A list as it grows old: nearly all has ended, and nearly all of that is dismissed, the newest above all.
GENERATE = """
INSERT INTO order_request (id, version, seller, buyer, package, state, snapshot, needs, decision, inquiries,
    decline_reason, decline_text, offer, order_name, ttl, reminder_points, reoffer_policy, reminders,
    dismissed, expire_time, remaining, create_time, update_time)
SELECT lpad(n::text, 36, '0'), 1, :seller, 'users/b' || n % 10, 'sellers/big/listings/l/packages/p' || n,
    state, '{}', '{}', '{"outcome": "REQUEST_REQUIRED"}', '[]',
    CASE WHEN state = 'declined' THEN 'OTHER' END, '',
    CASE WHEN state IN ('offered', 'converted') THEN 'offers/' || n ELSE '' END, '', interval '7 days', '[]',
    'ALLOW', 0, state NOT IN ('pending', 'info_requested', 'offered') AND (n > :rows / 10 OR n % 10 > 0),
    CASE WHEN state = 'pending' THEN timestamptz '2030-01-01' END,
    CASE WHEN state = 'info_requested' THEN interval '1 day' END,
    timestamptz '2026-01-01' + n / 3 * interval '1 second', timestamptz '2026-01-01'
FROM (SELECT n, CASE WHEN n % 997 = 0 THEN 'pending' WHEN n % 991 = 0 THEN 'info_requested'
    WHEN n % 983 = 0 THEN 'offered'
    ELSE (ARRAY['converted', 'declined', 'withdrawn', 'expired', 'closed'])[1 + n % 5] END AS state
    FROM generate_series(1, :rows) AS n) AS made
"""


class Explaining:
    """A transaction that says how it would be answered."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.plan: dict[str, Any] = {}

    async def fetch_all(self, statement: sa.Select[Any]) -> list[Any]:
        literal = statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
        escaped = str(literal).replace(":", r"\:")
        rows = await self.tx.fetch_all(sa.text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {escaped}"))
        found = rows[0][0]
        self.plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
        return []

    async def fetch_one(self, statement: sa.TextClause, parameters: dict[str, Any]) -> None:
        rows = await self.tx.fetch_all(
            sa.text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"), parameters
        )
        found = rows[0][0]
        self.plan = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.fixture
async def filled(world: World) -> World:
    async def work(tx: Transaction) -> None:
        await tx.execute(sa.text(GENERATE), {"seller": SELLER, "rows": ROWS})

    await world.service.host.database.transact(work)
    await world.rows("ANALYZE order_request")
    return world


DEEP = ("2026-01-01T00:30:00+00:00", f"{ROWS // 4:036d}")
"""A place far down the list."""

SHOWN = {
    "all": (),
    "one state": (State.PENDING,),
    "a common state": (State.DECLINED,),
    "open states": (State.PENDING, State.INFO_REQUESTED, State.OFFERED),
    "all states": tuple(State),
}


PLACES = (None, DEEP)


async def test_a_page_of_a_sellers_list_costs_a_page(filled: World) -> None:
    for states, show_dismissed, cursor in product(SHOWN, (False, True), PLACES):
        chosen = SHOWN[states]

        async def work(
            tx: Transaction, chosen: Any = chosen, show: bool = show_dismissed, at: Any = cursor
        ) -> Any:
            explaining: Any = Explaining(tx)
            page = PageRequest(PAGE, at)
            await OrderRequestsRepository().page_of_seller(
                explaining, SELLER, states=chosen, show_dismissed=show, page=page
            )
            return explaining.plan

        check(await filled.service.host.database.read(work), max(len(chosen), 1) * (1 + show_dismissed))


async def test_a_page_of_a_buyers_list_costs_a_page(filled: World) -> None:
    for states, cursor in product(SHOWN.values(), PLACES):

        async def work(tx: Transaction, chosen: Any = states, at: Any = cursor) -> Any:
            explaining: Any = Explaining(tx)
            page = PageRequest(PAGE, at)
            await OrderRequestsRepository().page_of_buyer(explaining, BUYER, states=chosen, page=page)
            return explaining.plan

        check(await filled.service.host.database.read(work), max(len(states), 1))


async def test_a_portion_of_a_simulation_costs_a_portion(filled: World) -> None:
    start = at("2026-01-01T00:00")
    period = Interval(start, start + timedelta(days=30))
    far = Placement("orderRequests/" + DEEP[1], "", BUYER, Intake.INSTANT, at(DEEP[0]))
    for after in (None, far):

        async def work(tx: Transaction, after: Placement | None = after) -> Any:
            explaining: Any = Explaining(tx)
            await PlacementsRepository().portion(explaining, SELLER, period, after=after, limit=PAGE)
            return explaining.plan

        check(await filled.service.host.database.read(work), 3)


def check(plan: dict[str, Any], parts: int) -> None:
    """Nothing is read that is not shown, except where the parts of a list are put together."""
    for node in nodes(plan):
        where = json.dumps(plan, indent=1)
        assert node["Node Type"] != "Seq Scan", where
        assert node.get("Rows Removed by Filter", 0) == 0, where
        assert node["Actual Rows"] <= parts * (PAGE + 1), where
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] <= 20 + 12 * parts + 5 * PAGE
