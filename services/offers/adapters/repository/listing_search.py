"""Finding listings, at a cost that does not grow with their number.

Without text, an index is walked for each combination of the facets that fit, in the order of the list, and
the short walks are merged: whatever a search leaves open, no walk meets a row that does not fit. With text,
the words lead.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.page import Cursor, PageRequest
from chassis.paging import cursor_of, keyset
from services.offers.adapters import tables
from services.offers.domain.listing import Intake, Listing, ListingState
from services.offers.domain.search import BY_PRICE, ListingOrder, ListingSearch

RARE_WORD_LISTINGS: Final = 1_000
"""A word that is in at most so many listings of a seller leads; these are then sorted in any order."""

_L: Final = tables.listing.c
_W: Final = tables.listing_word.c
_COUNTED: Final = (
    sa.select(sa.literal(1))
    .where(_W.seller == sa.bindparam("of_seller"), _W.word == sa.bindparam("the_word"))
    .limit(RARE_WORD_LISTINGS + 1)
    .subquery()
)
_COUNT: Final = sa.select(sa.func.count()).select_from(_COUNTED)
_DESCENDING: Final = frozenset({ListingOrder.NEWEST_FIRST, ListingOrder.PRICE_DESCENDING})


def position_in(order: ListingOrder, listing: Listing) -> Cursor:
    """Where a listing stands in an order."""
    if order is ListingOrder.NAME:
        return cursor_of(listing.listing_id)
    first = listing.lowest_price.amount if order in BY_PRICE else listing.create_time
    return cursor_of(first, listing.listing_id)


async def search_listings(
    tx: Transaction,
    *,
    seller: str,
    states: Collection[ListingState],
    search: ListingSearch,
    page: PageRequest,
) -> Sequence[Row[Any]]:
    """The rows of a page, and one to spare."""
    words, is_rare = await _rarest_first(tx, seller, search)
    if not words:
        statement = _walk_facets(seller, states, search, words=(), page=page)
    elif search.order is ListingOrder.NAME:
        statement = _walk_word(seller, states, search, words, page)
    elif is_rare:
        statement = _sort_word(seller, states, search, words, page)
    else:
        statement = _walk_facets(seller, states, search, words=words, page=page)
    return await tx.fetch_all(statement)


async def _rarest_first(tx: Transaction, seller: str, search: ListingSearch) -> tuple[tuple[str, ...], bool]:
    """The words, the rarest first, and whether that one is rare. Not counted where it makes no difference."""
    if not search.words or (len(search.words) == 1 and search.order is ListingOrder.NAME):
        return search.words, False
    counts = {word: await tx.scalar(_COUNT, {"of_seller": seller, "the_word": word}) for word in search.words}
    words = tuple(sorted(counts, key=lambda word: (counts[word], word)))
    return words, counts[words[0]] <= RARE_WORD_LISTINGS


def _walk_facets(
    seller: str,
    states: Collection[ListingState],
    search: ListingSearch,
    *,
    words: Sequence[str],
    page: PageRequest,
) -> sa.Select[Any]:
    """A short walk for each combination of facets, merged."""
    intakes = set(Intake) if search.intake is None else {search.intake}
    state = _each("each_state", sa.Text, sorted(states))
    intake = _each("each_intake", sa.Text, sorted(intakes))
    has_plan = _each("each_plan", sa.Boolean, [False, True] if search.has_plan is None else [search.has_plan])
    descending = search.order in _DESCENDING
    matches = sa.select(*_keys(_L, search.order)).where(
        _L.seller == seller,
        _L.state == state.c.value,
        _L.intake == intake.c.value,
        _L.has_plan == has_plan.c.value,
        *_price_conditions(search),
        *(_contains(seller, word) for word in words),
    )
    walk = keyset(matches, _keys(_L, search.order), page, descending=descending).lateral("walk")
    walks = state.join(intake, sa.true()).join(has_plan, sa.true()).join(walk, sa.true())
    # Only what is on the page is read from the table.
    merged = keyset(
        sa.select(*walk.c).select_from(walks),
        _keys(walk.c, search.order),
        PageRequest(page.size),
        descending=descending,
    ).subquery("merged")
    on_page = sa.and_(_L.seller == seller, _L.listing_id == merged.c.listing_id)
    return (
        sa.select(tables.listing)
        .select_from(merged.join(tables.listing, on_page))
        .order_by(*(key.desc() if descending else key for key in _keys(merged.c, search.order)))
    )


def _walk_word(
    seller: str,
    states: Collection[ListingState],
    search: ListingSearch,
    words: Sequence[str],
    page: PageRequest,
) -> sa.Select[Any]:
    """One walk along the listings that contain the first word; they stand in the order of their names.

    The limit of one holds the planner to looking up each listing in turn, and so to stopping with the page.
    """
    listing = (
        sa.select(tables.listing)
        .where(
            _L.seller == seller,
            _L.listing_id == _W.listing_id,
            *_facet_conditions(states, search),
            *(_contains(seller, word) for word in words[1:]),
        )
        .limit(1)
        .correlate(tables.listing_word)
        .lateral("found")
    )
    matches = (
        sa.select(*listing.c)
        .select_from(tables.listing_word.join(listing, sa.true()))
        .where(_W.seller == seller, _W.word == words[0])
    )
    return keyset(matches, (_W.listing_id,), page)


def _sort_word(
    seller: str,
    states: Collection[ListingState],
    search: ListingSearch,
    words: Sequence[str],
    page: PageRequest,
) -> sa.Select[Any]:
    """The few listings that contain the first word, sorted. They lead, whatever the planner estimates."""
    few = (
        sa.select(_W.listing_id)
        .where(_W.seller == seller, _W.word == words[0])
        .cte("few")
        .prefix_with("MATERIALIZED")
    )
    matches = (
        sa.select(tables.listing)
        .select_from(few.join(tables.listing, _L.listing_id == few.c.listing_id))
        .where(
            _L.seller == seller,
            *_facet_conditions(states, search),
            *(_contains(seller, word) for word in words[1:]),
        )
    )
    return keyset(matches, _keys(_L, search.order), page, descending=search.order in _DESCENDING)


def _keys(columns: Any, order: ListingOrder) -> tuple[sa.ColumnElement[Any], ...]:
    if order is ListingOrder.NAME:
        return (columns.listing_id,)
    first = columns.lowest_price if order in BY_PRICE else columns.create_time
    return (first, columns.listing_id)


def _facet_conditions(
    states: Collection[ListingState], search: ListingSearch
) -> list[sa.ColumnElement[bool]]:
    conditions = [_L.state.in_(sorted(states)), *_price_conditions(search)]
    if search.intake is not None:
        conditions.append(_L.intake == search.intake.value)
    if search.has_plan is not None:
        conditions.append(_L.has_plan == search.has_plan)
    return conditions


def _price_conditions(search: ListingSearch) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if search.currency:
        conditions.append(_L.currency == search.currency)
    if search.min_price is not None:
        conditions.append(_L.lowest_price >= search.min_price)
    if search.max_price is not None:
        conditions.append(_L.lowest_price <= search.max_price)
    return conditions


def _contains(seller: str, word: str) -> sa.ColumnElement[bool]:
    """Looked up for one listing at a time: EXISTS would be joined, and all listings of the word be read."""
    other = tables.listing_word.alias()
    return (
        sa.select(other.c.word)
        .where(other.c.seller == seller, other.c.word == word, other.c.listing_id == _L.listing_id)
        .correlate_except(other)
        .scalar_subquery()
        .is_not(None)
    )


def _each(name: str, kind: Any, values: Sequence[Any]) -> Any:
    """The values as rows."""
    given = sa.literal(list(values), sa.ARRAY(kind))
    return sa.select(sa.func.unnest(given).label("value")).subquery(name)
