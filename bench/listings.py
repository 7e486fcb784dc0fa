"""ListListings over a seller with 1,000 listings, and the same seller with 1,000,000."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import asyncpg

from bench import load
from bench.figures import Figure
from bench.rig import Rig
from chassis.kernel.page import Cursor
from chassis.paging import cursor_of, next_page_token
from parley.offers.v1.listing_pb2 import Listing
from parley.offers.v1.offers_service_pb2 import (
    LISTING_ORDER_NEWEST_FIRST,
    LISTING_ORDER_PRICE_ASCENDING,
    ListListingsRequest,
)

SMALL, LARGE = 1_000, 1_000_000
GOAL = 1.5
ROUNDS = 3
SECONDS = 1.0
PAGES = 40
"""Different pages of each list that are asked for, from the first to one near the end."""
LIST = "/parley.offers.v1.OffersService/ListListings"
SELLER = "sellers/bench"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# One listing in twenty is by quote, one in ten unpublished, one in twenty-five has a plan. Every title holds
# one word that all have, one that a tenth has, one that a thousandth has.
_LISTINGS = """
INSERT INTO listing (seller, listing_id, title, description, intake, published, packages, version,
                     create_time, update_time, state, has_plan, currency, lowest_price)
SELECT $1, 'l' || lpad(n::text, 7, '0'), 'Design ten' || n % 10 || ' thousand' || n % 1000, 'What you get',
       CASE WHEN n % 20 = 3 THEN 'BY_QUOTE' ELSE 'INSTANT' END, n % 10 <> 7,
       jsonb_build_array(jsonb_build_object(
           'package_id', 'basic', 'title', 'Basic', 'description', '', 'delivery_days', 7, 'plan', NULL,
           'price', jsonb_build_object('currency', 'EUR', 'amount', price))),
       1, $4::timestamptz + n * interval '1 second', $4::timestamptz,
       CASE WHEN n % 10 = 7 THEN 'UNPUBLISHED' ELSE 'PUBLISHED' END, n % 25 = 4, 'EUR', price
FROM (SELECT n, n::bigint * 7919 % 1000003 AS price FROM generate_series($2::int, $3::int - 1) AS n) AS made
"""
_WORDS = """
INSERT INTO listing_word (seller, word, listing_id)
SELECT $1, word, 'l' || lpad(n::text, 7, '0')
FROM generate_series($2::int, $3::int - 1) AS n,
     LATERAL unnest(ARRAY['design', 'ten' || n % 10, 'thousand' || n % 1000, 'what', 'you', 'get']) AS word
"""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A way to search; `key` makes the place of listing `number` in its order, which a page follows."""

    name: str
    request: ListListingsRequest
    order: str = "name"

    def pages(self, count: int) -> list[str]:
        """Requests for pages that lie all over a catalogue of `count` listings, in hex."""
        made = []
        for page in range(PAGES):
            request = ListListingsRequest()
            request.CopyFrom(self.request)
            request.page_token = next_page_token(request, self._place(page * count // (PAGES + 2)))
            made.append(request.SerializeToString().hex())
        return made

    def _place(self, number: int) -> Cursor:
        name = f"l{number:07}"
        if self.order == "newest":
            return cursor_of(BEGIN + timedelta(seconds=number + 200), name)
        # Prices are spread evenly below 1,000,003.
        return cursor_of(number, "") if self.order == "price" else cursor_of(name)


def _kind(name: str, order: str = "name", **search: object) -> _Kind:
    return _Kind(name, ListListingsRequest(parent=SELLER, **search), order)  # type: ignore[arg-type]


KINDS = (
    _kind("all by name"),
    _kind("newest first", "newest", order_by=LISTING_ORDER_NEWEST_FIRST),
    _kind("cheapest first", "price", order_by=LISTING_ORDER_PRICE_ASCENDING, currency_code="EUR"),
    _kind("unpublished", state=Listing.STATE_UNPUBLISHED),
    _kind("by quote, newest first", "newest", intake=3, order_by=LISTING_ORDER_NEWEST_FIRST),
    _kind("with plan", has_plan=True),
    _kind("a word of all", text="design"),
    _kind("a word of a tenth", text="ten3"),
    _kind("two words", text="design ten3"),
)


def list_listings(rig: Rig) -> Figure:
    """One caller, pages from all over the list, at both sizes; the slowest kind of search decides."""
    token = rig.stack.token("seller", seller="bench")
    asyncio.run(_grow(rig, 0, SMALL))
    small = _measure(rig, token, SMALL)
    asyncio.run(_grow(rig, SMALL, LARGE))
    large = _measure(rig, token, LARGE)
    ratios = {kind.name: large[kind.name] / small[kind.name] for kind in KINDS}
    worst = max(ratios, key=lambda name: ratios[name])
    return Figure(
        name="ListListings at 1,000,000 listings of one seller, p99 in ms",
        measured=f"{large[worst]:.1f} ({worst})",
        floor=f"{small[worst]:.1f} (the same at 1,000)",
        result=f"{ratios[worst]:.2f} times",
        goal=f"at most {GOAL} times, every kind of search",
        reached=ratios[worst] <= GOAL,
        details=tuple(
            f"{kind.name}: p99 {small[kind.name]:.1f} ms at 1,000, {large[kind.name]:.1f} ms at 1,000,000"
            for kind in KINDS
        ),
    )


def _measure(rig: Rig, token: str, count: int) -> dict[str, float]:
    """The p99 of each kind, the median of the rounds."""
    rounds: dict[str, list[float]] = {kind.name: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind in KINDS:
            job = load.Job(rig.stack.grpc["offers"], LIST, kind.pages(count), token, 1, SECONDS)
            rounds[kind.name].append(load.run(job).p99)
    return {name: median(values) for name, values in rounds.items()}


async def _grow(rig: Rig, first: int, end: int) -> None:
    connection = await asyncpg.connect(rig.dsn("offers"))
    try:
        await connection.execute(_LISTINGS, SELLER, first, end, BEGIN, timeout=600)
        await connection.execute(_WORDS, SELLER, first, end, timeout=600)
        # What autovacuum does some minutes later.
        await connection.execute("VACUUM (ANALYZE) listing, listing_word", timeout=600)
    finally:
        await connection.close()
