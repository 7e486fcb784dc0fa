"""Listings in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from services.offers.adapters import tables
from services.offers.adapters.documents import packages_document, read_packages
from services.offers.adapters.repository.listing_search import position_in, search_listings
from services.offers.adapters.repository.lost_update import LostUpdate
from services.offers.domain.listing import Intake, Listing, ListingContent, ListingKind, ListingState
from services.offers.domain.search import ListingSearch, listing_words

_L: Final = tables.listing.c

_FIND_LISTING: Final = sa.select(tables.listing).where(
    _L.seller == sa.bindparam("of_seller"), _L.listing_id == sa.bindparam("of_listing_id")
)
_LOCK_LISTING: Final = _FIND_LISTING.with_for_update()
_HOLD_LISTING: Final = _FIND_LISTING.with_for_update(read=True)
_ADD_LISTING: Final = insert(tables.listing).on_conflict_do_nothing()
_SAVE_LISTING: Final = (
    sa.update(tables.listing)
    .where(
        _L.seller == sa.bindparam("of_seller"),
        _L.listing_id == sa.bindparam("of_listing_id"),
        _L.version == sa.bindparam("expected"),
    )
    .values(
        {
            name: sa.bindparam(f"new_{name}")
            for name in (
                "title",
                "description",
                "intake",
                "published",
                "packages",
                "version",
                "update_time",
                "state",
                "has_plan",
                "currency",
                "lowest_price",
                "retired",
                "retire_time",
                "kind",
            )
        }
    )
)
_THESE: Final = sa.bindparam("these", type_=sa.ARRAY(sa.Text))
_SEARCHED: Final = ("state", "intake", "has_plan", "kind", "create_time", "currency", "lowest_price")
# What a list is filtered and ordered by is copied from the listing, which is locked.
_ADD_WORDS: Final = insert(tables.listing_word).from_select(
    ["seller", "listing_id", *_SEARCHED, "word"],
    sa.select(_L.seller, _L.listing_id, *(_L[name] for name in _SEARCHED), sa.func.unnest(_THESE)).where(
        _L.seller == sa.bindparam("of_seller"), _L.listing_id == sa.bindparam("of_listing_id")
    ),
)
_W: Final = tables.listing_word.c
# The facets are those that the words stand under, because the primary key begins with them.
_REMOVE_WORDS: Final = sa.delete(tables.listing_word).where(
    _W.seller == sa.bindparam("of_seller"),
    _W.word == sa.any_(_THESE),
    _W.state == sa.bindparam("of_state"),
    _W.intake == sa.bindparam("of_intake"),
    _W.has_plan == sa.bindparam("of_plan"),
    _W.kind == sa.bindparam("of_kind"),
    _W.listing_id == sa.bindparam("of_listing_id"),
)


class ListingRepository:
    """The port `Listings`."""

    async def find(self, tx: Transaction, name: str) -> Listing | None:
        """The listing of that name, if there is one."""
        return _listing_or_none(await tx.fetch_one(_FIND_LISTING, _listing_key(name)))

    async def find_for_update(self, tx: Transaction, name: str) -> Listing | None:
        """The same, locked until the transaction ends."""
        return _listing_or_none(await tx.fetch_one(_LOCK_LISTING, _listing_key(name)))

    async def find_and_hold(self, tx: Transaction, name: str) -> Listing | None:
        """The same, and nobody changes it until the transaction ends."""
        return _listing_or_none(await tx.fetch_one(_HOLD_LISTING, _listing_key(name)))

    async def add(self, tx: Transaction, listing: Listing) -> bool:
        """Adds it; False where the name is taken."""
        row = {
            **_content_values(listing),
            "seller": listing.seller,
            "listing_id": listing.listing_id,
            "create_time": listing.create_time,
        }
        if (await tx.execute(_ADD_LISTING, row)).rowcount != 1:
            return False
        words = {"these": sorted(listing_words(listing))}
        await tx.execute(_ADD_WORDS, _listing_key(listing.name) | words)
        return True

    async def save(self, tx: Transaction, listing: Listing, *, before: Listing) -> None:
        """Stores what followed on `before`."""
        values = {f"new_{name}": value for name, value in _content_values(listing).items()}
        key = _listing_key(listing.name)
        if (await tx.execute(_SAVE_LISTING, values | key | {"expected": before.version})).rowcount != 1:
            raise LostUpdate(listing.name)
        old, new = listing_words(before), listing_words(listing)
        if _searched(before) == _searched(listing):
            gone, added = old - new, new - old
        else:
            gone, added = old, new
        if gone:
            await tx.execute(_REMOVE_WORDS, key | _facets(before) | {"these": sorted(gone)})
        if added:
            await tx.execute(_ADD_WORDS, key | {"these": sorted(added)})

    async def search(
        self,
        tx: Transaction,
        *,
        seller: str,
        states: Collection[ListingState],
        search: ListingSearch,
        page: PageRequest,
    ) -> Page[Listing]:
        """The listings of a seller that are in one of these states and fit `search`, in its order."""
        found = await search_listings(tx, seller=seller, states=states, search=search, page=page)
        listings = tuple(_listing(row) for row in found.rows)
        if found.behind is not None:
            return Page(listings, found.behind)
        return page_of(listings, page, partial(position_in, search.order))


def _listing_key(name: str) -> dict[str, str]:
    seller, _, listing_id = name.partition("/listings/")
    return {"of_seller": seller, "of_listing_id": listing_id}


def _content_values(listing: Listing) -> dict[str, Any]:
    content = listing.content
    return {
        "title": content.title,
        "description": content.description,
        "intake": content.intake.value,
        "published": content.published,
        "packages": packages_document(content.packages),
        "version": listing.version,
        "update_time": listing.update_time,
        "state": listing.state.value,
        "has_plan": listing.has_plan,
        "currency": listing.lowest_price.currency,
        "lowest_price": listing.lowest_price.amount,
        "retired": packages_document(listing.retired),
        "retire_time": listing.retire_time,
        "kind": content.kind.value,
    }


def _facets(listing: Listing) -> dict[str, Any]:
    return {
        "of_state": listing.state.value,
        "of_intake": listing.content.intake.value,
        "of_plan": listing.has_plan,
        "of_kind": listing.content.kind.value,
    }


def _searched(listing: Listing) -> tuple[Any, ...]:
    """What its words repeat of it, as far as it can change."""
    content = listing.content
    return (listing.state, content.intake, listing.has_plan, content.kind, listing.lowest_price)


def _listing_or_none(row: Row[Any] | None) -> Listing | None:
    return None if row is None else _listing(row)


def _listing(row: Row[Any]) -> Listing:
    content = ListingContent(
        title=row.title,
        description=row.description,
        intake=Intake(row.intake),
        published=row.published,
        packages=read_packages(row.packages),
        kind=ListingKind(row.kind),
    )
    return Listing(
        seller=row.seller,
        listing_id=row.listing_id,
        content=content,
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        retired=read_packages(row.retired),
        retire_time=row.retire_time,
    )
