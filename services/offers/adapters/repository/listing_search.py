"""Finding listings, at a cost that does not grow with their number.

A search walks along an index, that of the listings or that of the listings that contain a word, in the
order of the list. There is a walk for each combination of the facets that fit, and the short walks are
merged: whatever a search leaves open, no walk meets a row that does not fit.

What no index can tell, that is a second word or a price in another order than by price, is looked up for one
candidate at a time. Of several words, the one whose candidates lie furthest apart leads. A page looks at so
many candidates and no more; where they do not fill it, it is short, and the next one goes on behind them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.page import Cursor, PageRequest
from chassis.paging import Facets, cursor_of, walks
from services.offers.adapters import tables
from services.offers.domain.listing import Intake, Listing, ListingKind, ListingState
from services.offers.domain.search import BY_PRICE, ListingOrder, ListingSearch

CANDIDATES_LIMIT: Final = 500
"""How many listings are looked at for a page of a search by price; at least twice as many as it has.

Of several words it is twice as many in any case: those of the word that leads lie far apart already.
"""

_L: Final = tables.listing.c
_W: Final = tables.listing_word.c
_DESCENDING: Final = frozenset({ListingOrder.NEWEST_FIRST, ListingOrder.PRICE_DESCENDING})


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a page, and one to spare if there is a next one; `behind` is where that one begins if the
    page could not be filled.
    """

    rows: Sequence[Row[Any]]
    behind: Cursor | None = None


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The next candidates of a walk; `is_last` where it ends with them."""

    rows: Sequence[Row[Any]]
    is_last: bool


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a search is about."""

    seller: str
    states: Collection[ListingState]
    search: ListingSearch

    @property
    def descending(self) -> bool:
        """Whether the order is a descending one."""
        return self.search.order in _DESCENDING

    @property
    def looks_up_prices(self) -> bool:
        """Whether there is a condition on prices that no walk can keep."""
        return bool(self.search.currency) and self.search.order not in BY_PRICE


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
) -> Found:
    """What is found, from behind the page's cursor on."""
    scope = _Scope(seller, states, search)
    if len(search.words) > 1 or scope.looks_up_prices:
        return await _look_up(tx, scope, page)
    word = search.words[0] if search.words else ""
    return Found(await tx.fetch_all(_page(scope, word, page)))


async def _look_up(tx: Transaction, scope: _Scope, page: PageRequest) -> Found:
    found: list[Row[Any]] = []
    cursor, size = page.cursor, 2 * page.size
    left = size if len(scope.search.words) > 1 else max(CANDIDATES_LIMIT, size)
    while True:
        leader, chunk = await _leading(tx, scope, PageRequest(size, cursor))
        if not chunk.rows:
            return Found(found)
        others = [word for word in scope.search.words if word != leader]
        wanted = page.size + 1 - len(found)
        found += await tx.fetch_all(_fitting(scope, chunk.rows, others, limit=wanted))
        cursor, left = cursor_of(*_key_of(scope, chunk.rows[-1])), left - len(chunk.rows)
        if chunk.is_last or len(found) > page.size:
            return Found(found)
        if left <= 0:
            return Found(found, behind=cursor)
        size = left


async def _leading(tx: Transaction, scope: _Scope, page: PageRequest) -> tuple[str, _Chunk]:
    """The word that leads from here on, and its candidates; all listings are those of no word."""
    leader: tuple[str, _Chunk] | None = None
    for word in scope.search.words or ("",):
        rows = await tx.fetch_all(_candidates(scope, word, page))
        chunk = _Chunk(rows[: page.size], is_last=len(rows) <= page.size)
        if leader is None or _is_further(scope, chunk, leader[1]):
            leader = word, chunk
    assert leader is not None
    return leader


def _is_further(scope: _Scope, one: _Chunk, other: _Chunk) -> bool:
    """Whether the candidates of `one` reach further than as many of `other`."""
    if one.is_last or other.is_last:
        return one.is_last and (not other.is_last or len(one.rows) < len(other.rows))
    mine, others = _key_of(scope, one.rows[-1]), _key_of(scope, other.rows[-1])
    return mine < others if scope.descending else mine > others


def _key_of(scope: _Scope, row: Row[Any]) -> tuple[Any, ...]:
    return tuple(row[: 1 if scope.search.order is ListingOrder.NAME else 2])


def _page(scope: _Scope, word: str, page: PageRequest) -> sa.Select[Any]:
    """The listings of a page that a walk finds by itself. Only these are read from the table."""
    merged = _candidates(scope, word, page).subquery("merged")
    on_page = sa.and_(_L.seller == scope.seller, _L.listing_id == merged.c.listing_id)
    keys = _keys(merged.c, scope.search.order)
    return (
        sa.select(tables.listing)
        .select_from(merged.join(tables.listing, on_page))
        .order_by(*(key.desc() if scope.descending else key for key in keys))
    )


def _candidates(scope: _Scope, word: str, page: PageRequest) -> sa.Select[Any]:
    """A short walk for each combination of facets, merged: keys and facets, in the order of the list."""
    search, table = scope.search, tables.listing_word if word else tables.listing
    at: Any = table.c
    keys = _keys(at, search.order)
    matches = sa.select(*keys).where(
        at.seller == scope.seller,
        *((at.word == word,) if word else ()),
        *(_price_conditions(at, search) if search.order in BY_PRICE else ()),
    )
    facets: Facets = {
        "state": (at.state, sorted(scope.states)),
        "intake": (at.intake, sorted(Intake) if search.intake is None else [search.intake]),
        "has_plan": (at.has_plan, [False, True] if search.has_plan is None else [search.has_plan]),
        "kind": (at.kind, sorted(ListingKind) if search.kind is None else [search.kind]),
    }
    return walks(matches, facets, keys, page, descending=scope.descending)


def _fitting(
    scope: _Scope, candidates: Sequence[Row[Any]], words: Sequence[str], *, limit: int
) -> sa.Select[Any]:
    """The first of the candidates that have these words and prices, in their order.

    The limit of one holds the planner to looking up each listing in turn. Facets are compared again, because
    a listing may have changed since it became a candidate.
    """
    arrays = (
        sa.literal([row.listing_id for row in candidates], sa.ARRAY(sa.Text)),
        sa.literal([row.state for row in candidates], sa.ARRAY(sa.Text)),
        sa.literal([row.intake for row in candidates], sa.ARRAY(sa.Text)),
        sa.literal([row.has_plan for row in candidates], sa.ARRAY(sa.Boolean)),
        sa.literal([row.kind for row in candidates], sa.ARRAY(sa.Text)),
    )
    given = (
        sa.func.unnest(*arrays)
        .table_valued(
            sa.column("listing_id", sa.Text),
            sa.column("state", sa.Text),
            sa.column("intake", sa.Text),
            sa.column("has_plan", sa.Boolean),
            sa.column("kind", sa.Text),
            with_ordinality="place",
        )
        .render_derived("given")
    )
    listing = (
        sa.select(tables.listing)
        .where(
            _L.seller == scope.seller,
            _L.listing_id == given.c.listing_id,
            _L.state == given.c.state,
            _L.intake == given.c.intake,
            _L.has_plan == given.c.has_plan,
            _L.kind == given.c.kind,
            *_price_conditions(_L, scope.search),
            *(_contains(scope.seller, word) for word in words),
        )
        .limit(1)
        .correlate(given)
        .lateral("found")
    )
    return (
        sa.select(*listing.c)
        .select_from(given.join(listing, sa.true()))
        .order_by(given.c.place)
        .limit(sa.literal(limit, literal_execute=True))
    )


def _keys(columns: Any, order: ListingOrder) -> tuple[sa.ColumnElement[Any], ...]:
    if order is ListingOrder.NAME:
        return (columns.listing_id,)
    first = columns.lowest_price if order in BY_PRICE else columns.create_time
    return (first, columns.listing_id)


def _price_conditions(columns: Any, search: ListingSearch) -> list[sa.ColumnElement[bool]]:
    conditions = []
    if search.currency:
        conditions.append(columns.currency == search.currency)
    if search.min_price is not None:
        conditions.append(columns.lowest_price >= search.min_price)
    if search.max_price is not None:
        conditions.append(columns.lowest_price <= search.max_price)
    return conditions


def _contains(seller: str, word: str) -> sa.ColumnElement[bool]:
    """Looked up for one listing at a time: EXISTS would be joined, and all listings of the word be read."""
    return (
        sa.select(_W.word)
        .where(
            _W.seller == seller,
            _W.word == word,
            _W.state == _L.state,
            _W.intake == _L.intake,
            _W.has_plan == _L.has_plan,
            _W.kind == _L.kind,
            _W.listing_id == _L.listing_id,
        )
        .correlate(tables.listing)
        .scalar_subquery()
        .is_not(None)
    )
