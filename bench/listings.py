"""The lists of a seller with 1,000 listings beside those of one with 1,000,000."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
from google.type.money_pb2 import Money

from bench.figures import Figure
from bench.growth import Growth, Kind, compare_in_turn
from bench.rig import Rig
from chassis.kernel.page import Cursor
from chassis.paging import cursor_of
from parley.offers.v1.listing_pb2 import Listing
from parley.offers.v1.offers_service_pb2 import (
    LISTING_ORDER_NAME,
    LISTING_ORDER_NEWEST_FIRST,
    LISTING_ORDER_PRICE_ASCENDING,
    ListListingsRequest,
)
from parley.type.v1.commerce_pb2 import LISTING_KIND_PRODUCT

LIST = "/parley.offers.v1.OffersService/ListListings"
SMALL_SELLER, LARGE_SELLER = "bench-small", "bench"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

# One listing in twenty is by quote, one in ten unpublished, one in twenty-five has a plan, one in eight is a
# product. Every title holds
# one word that all have, one that a tenth has, one that a thousandth has.
_LISTINGS = """
INSERT INTO listing (seller, listing_id, title, description, intake, published, packages, version,
                     create_time, update_time, state, has_plan, currency, lowest_price, kind)
SELECT $1, 'l' || lpad(n::text, 7, '0'), 'Design ten' || n % 10 || ' thousand' || n % 1000, 'What you get',
       CASE WHEN n % 20 = 3 THEN 'BY_QUOTE' ELSE 'INSTANT' END, n % 10 <> 7,
       jsonb_build_array(jsonb_build_object(
           'package_id', 'basic', 'title', 'Basic', 'description', '', 'delivery_days', 7, 'plan', NULL,
           'price', jsonb_build_object('currency', 'EUR', 'amount', price))),
       1, $3::timestamptz + n * interval '1 second', $3::timestamptz,
       CASE WHEN n % 10 = 7 THEN 'UNPUBLISHED' ELSE 'PUBLISHED' END, n % 25 = 4, 'EUR', price,
       CASE WHEN n % 8 = 5 THEN 'PRODUCT' ELSE 'SERVICE' END
FROM (SELECT n, n::bigint * 7919 % 1000003 AS price FROM generate_series(0, $2::int - 1) AS n) AS made
"""
_WORDS = """
INSERT INTO listing_word (seller, word, listing_id, state, intake, has_plan, create_time, currency,
                          lowest_price, kind)
SELECT seller, word, listing_id, state, intake, has_plan, create_time, currency, lowest_price, kind
FROM generate_series(0, $2::int - 1) AS n
     JOIN listing ON seller = $1 AND listing_id = 'l' || lpad(n::text, 7, '0'),
     LATERAL unnest(ARRAY['design', 'ten' || n % 10, 'thousand' || n % 1000]) AS word
"""
_WORD_INDEXES = {
    "ix_listing_word_create_time": "create_time",
    "ix_listing_word_price": "currency, lowest_price",
}


def _by_name(number: int) -> Cursor:
    return cursor_of(_id(number))


def _newest_first(number: int) -> Cursor:
    return cursor_of(BEGIN + timedelta(seconds=number + 200), _id(number))


def _cheapest_first(number: int) -> Cursor:
    # Prices are spread evenly below 1,000,003.
    return cursor_of(number, "")


def _id(number: int) -> str:
    return f"l{number:07}"


def _kinds(rig: Rig, seller: str) -> tuple[Kind, ...]:
    token = rig.stack.token("seller", seller=seller)

    def kind(name: str, place: Callable[[int], Cursor] = _by_name, **search: object) -> Kind:
        request = ListListingsRequest(parent=f"sellers/{seller}", **search)  # type: ignore[arg-type]
        return Kind(name, LIST, request, place, token=token)

    return (
        kind("all by name"),
        kind("newest first", _newest_first, order_by=LISTING_ORDER_NEWEST_FIRST),
        kind("cheapest first", _cheapest_first, order_by=LISTING_ORDER_PRICE_ASCENDING, currency_code="EUR"),
        kind("unpublished", state=Listing.STATE_UNPUBLISHED),
        kind("by quote, newest first", _newest_first, intake=3, order_by=LISTING_ORDER_NEWEST_FIRST),
        kind("with plan", has_plan=True),
        kind("products", kind=LISTING_KIND_PRODUCT),
        kind("a word of all", text="design"),
        kind("a word of a tenth", text="ten3"),
        kind("two words", text="design ten3"),
        kind("a word, newest first", _newest_first, text="ten3", order_by=LISTING_ORDER_NEWEST_FIRST),
        kind(
            "a rare word, cheapest first",
            _cheapest_first,
            text="thousand3",
            order_by=LISTING_ORDER_PRICE_ASCENDING,
            currency_code="EUR",
        ),
        kind(
            "two words, newest first", _newest_first, text="design ten3", order_by=LISTING_ORDER_NEWEST_FIRST
        ),
        kind("two words that never meet", text="ten3 ten4"),
        kind("a word that is in no plan", text="ten3", has_plan=True),
        kind("a price, by name", order_by=LISTING_ORDER_NAME, max_price=Money(currency_code="EUR", units=99)),
    )


def list_listings(rig: Rig) -> Figure:
    """One caller, pages from all over the lists of both sellers in turn; the slowest kind decides."""
    growth = Growth(
        name="ListListings at 1,000,000 listings of one seller, p99 in ms",
        service="offers",
        kinds=_kinds(rig, LARGE_SELLER),
        goal="every kind of search",
        grow=_grow,
    )
    return compare_in_turn(rig, rig.stack.token("operator"), growth, _kinds(rig, SMALL_SELLER))


async def _grow(rig: Rig, small: int, large: int) -> None:
    connection = await asyncpg.connect(rig.dsn("offers"))
    try:
        # Built anew after the load, which takes a tenth of the time of keeping them up to date meanwhile.
        for name in _WORD_INDEXES:
            await connection.execute(f"DROP INDEX {name}")
        for seller, count in ((SMALL_SELLER, small), (LARGE_SELLER, large)):
            await connection.execute(_LISTINGS, f"sellers/{seller}", count, BEGIN, timeout=600)
            await connection.execute(_WORDS, f"sellers/{seller}", count, timeout=600)
        for name, order in _WORD_INDEXES.items():
            columns = f"seller, word, state, intake, has_plan, kind, {order}, listing_id"
            await connection.execute(f"CREATE INDEX {name} ON listing_word ({columns})", timeout=600)
        # What autovacuum does some minutes later.
        await connection.execute("VACUUM (ANALYZE) listing, listing_word", timeout=600)
    finally:
        await connection.close()
