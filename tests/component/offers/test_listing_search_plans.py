"""How PostgreSQL searches listings: no further than a page and its candidates, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chassis.db import Transaction
from chassis.kernel.page import PageRequest
from services.offers.adapters.repository import listing_search
from services.offers.adapters.repository.listing_search import search_listings
from services.offers.domain.listing import Intake, ListingKind, ListingState
from services.offers.domain.search import ListingOrder, ListingSearch
from tests.component.offers.scene import Scene

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]

ROWS = 10_000
PAGE = 50
CANDIDATES = 200
SELLER = "sellers/big"

# One listing in twenty is by quote, one in ten unpublished, one in twenty-five has a plan. A word is in
# all, one in a tenth, one in a hundredth; the facets and the words of a tenth never meet, or always.
LISTINGS = """
INSERT INTO listing (seller, listing_id, title, description, intake, published, packages, version,
                     create_time, update_time, state, has_plan, currency, lowest_price)
SELECT :seller, 'l' || lpad(n::text, 7, '0'), 'x', 'x',
       CASE WHEN n % 20 = 3 THEN 'BY_QUOTE' ELSE 'INSTANT' END, n % 10 <> 7, '[{}]', 1,
       timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-01-01',
       CASE WHEN n % 10 = 7 THEN 'UNPUBLISHED' ELSE 'PUBLISHED' END, n % 25 = 4, 'EUR',
       n::bigint * 7919 % 1000003
FROM generate_series(1, :rows) AS n
"""
WORDS = """
INSERT INTO listing_word (seller, word, listing_id, state, intake, has_plan, create_time, currency,
                          lowest_price)
SELECT seller, word, listing_id, state, intake, has_plan, create_time, currency, lowest_price
FROM listing, LATERAL (SELECT substr(listing_id, 2)::int AS n) AS numbered,
     LATERAL unnest(ARRAY['all', 'ten' || n % 10, 'hundred' || n % 100]) AS word
WHERE seller = :seller
"""


class Explaining:
    """A transaction that also says how it answers."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.plans: list[dict[str, Any]] = []

    async def fetch_all(self, statement: sa.Select[Any]) -> Any:
        literal = statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True})
        escaped = str(literal).replace(":", r"\:")
        rows = await self.tx.fetch_all(sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) {escaped}"))
        found = rows[0][0]
        self.plans.append((json.loads(found) if isinstance(found, str) else found)[0]["Plan"])
        return await self.tx.fetch_all(statement)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def rows_read(plan: dict[str, Any]) -> int:
    """How many rows the tables and indexes of a plan gave, those that did not fit included."""
    total = 0
    for node in nodes(plan):
        if "Relation Name" in node:
            removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            total += (node["Actual Rows"] + removed) * node["Actual Loops"]
    return round(total)


@pytest.fixture
async def filled(scene: Scene) -> Scene:
    async def work(tx: Transaction) -> None:
        await tx.execute(sa.text(LISTINGS), {"seller": SELLER, "rows": ROWS})
        await tx.execute(sa.text(WORDS), {"seller": SELLER})

    await scene.service.host.database.transact(work)
    async with scene.service.host.database.connection() as connection:
        await connection.execute("VACUUM (ANALYZE) listing, listing_word")
    return scene


NAME, NEWEST = ListingOrder.NAME, ListingOrder.NEWEST_FIRST
CHEAPEST, DEAREST = ListingOrder.PRICE_ASCENDING, ListingOrder.PRICE_DESCENDING
TEAM = (ListingState.PUBLISHED, ListingState.UNPUBLISHED, ListingState.RETIRED)
WALKED: list[dict[str, Any]] = [
    {"order": order, "words": words, "currency": "EUR" if order in (CHEAPEST, DEAREST) else "", **facets}
    for order in ListingOrder
    for words in ((), ("all",), ("ten3",), ("hundred3",))
    for facets in ({}, {"intake": Intake.BY_QUOTE})
]
# Beside each, whether a page of it is full although there are more candidates than are looked at.
LOOKED_UP: list[tuple[dict[str, Any], bool]] = [
    ({"words": ("all", "ten3")}, True),
    ({"words": ("ten3", "all"), "order": NEWEST}, True),
    ({"words": ("all", "hundred3"), "order": CHEAPEST, "currency": "EUR"}, True),
    ({"words": ("hundred3", "ten3", "all"), "order": NEWEST}, True),
    ({"words": ("ten3", "ten4")}, False),
    ({"words": ("all", "ten4"), "order": NEWEST, "has_plan": True}, True),
    ({"currency": "EUR", "min_price": 1}, True),
    ({"currency": "EUR", "min_price": 999_999, "order": NEWEST}, False),
    ({"currency": "USD", "words": ("ten3",)}, False),
]


async def explained(scene: Scene, search: dict[str, Any], states: Any = TEAM) -> tuple[Any, list[Any]]:
    async def work(tx: Transaction) -> Any:
        explaining: Any = Explaining(tx)
        found = await search_listings(
            explaining, seller=SELLER, states=states, search=ListingSearch(**search), page=PageRequest(PAGE)
        )
        return found, explaining.plans

    result: tuple[Any, list[Any]] = await scene.service.host.database.read(work)
    return result


def check(plan: dict[str, Any], most: int) -> None:
    text = json.dumps(plan, indent=1)
    assert all(node["Node Type"] != "Seq Scan" for node in nodes(plan)), text
    assert rows_read(plan) <= most, text


async def test_a_search_costs_its_page_and_its_candidates(
    filled: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_search, "CANDIDATES_LIMIT", CANDIDATES)
    parts = len(TEAM) * len(Intake) * 2 * len(ListingKind)
    for search in WALKED:
        found, (plan,) = await explained(filled, search)
        assert len(found.rows) == PAGE + 1 or "ten3" not in search["words"], search
        check(plan, (parts + 1) * (PAGE + 1))
    for search, is_full in LOOKED_UP:
        found, plans = await explained(filled, search)
        assert (len(found.rows) == PAGE + 1, found.behind is None) == (is_full, is_full), search
        # In two steps, of which each asks every word for its candidates, and looks up those of one.
        assert len(plans) <= 2 * (max(1, len(search.get("words", ()))) + 1)
        for plan in plans:
            check(plan, parts * (CANDIDATES + 1))
    # All listings of this word are unpublished, which costs a public search nothing.
    for order in (NAME, NEWEST):
        public = (ListingState.PUBLISHED,)
        found, (plan,) = await explained(filled, {"words": ("ten7",), "order": order}, states=public)
        assert not found.rows
        check(plan, 0)
