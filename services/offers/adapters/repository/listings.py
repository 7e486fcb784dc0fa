"""Listings in PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.offers.adapters import tables
from services.offers.adapters.documents import packages_document, read_packages
from services.offers.adapters.repository.lost_update import LostUpdate
from services.offers.domain.listing import Intake, Listing, ListingContent

_L: Final = tables.listing.c

_FIND_LISTING: Final = sa.select(tables.listing).where(
    _L.seller == sa.bindparam("of_seller"), _L.listing_id == sa.bindparam("of_listing_id")
)
_LOCK_LISTING: Final = _FIND_LISTING.with_for_update()
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
            for name in ("title", "description", "intake", "published", "packages", "version", "update_time")
        }
    )
)


class ListingRepository:
    """The port `Listings`."""

    async def find(self, tx: Transaction, name: str) -> Listing | None:
        """The listing of that name, if there is one."""
        return _listing_or_none(await tx.fetch_one(_FIND_LISTING, _listing_key(name)))

    async def find_for_update(self, tx: Transaction, name: str) -> Listing | None:
        """The same, locked until the transaction ends."""
        return _listing_or_none(await tx.fetch_one(_LOCK_LISTING, _listing_key(name)))

    async def add(self, tx: Transaction, listing: Listing) -> bool:
        """Adds it; False where the name is taken."""
        row = {
            **_content_values(listing),
            "seller": listing.seller,
            "listing_id": listing.listing_id,
            "create_time": listing.create_time,
        }
        return (await tx.execute(_ADD_LISTING, row)).rowcount == 1

    async def save(self, tx: Transaction, listing: Listing, *, expected: int) -> None:
        """Stores the state after version `expected`."""
        values = {f"new_{name}": value for name, value in _content_values(listing).items()}
        key = {"of_seller": listing.seller, "of_listing_id": listing.listing_id, "expected": expected}
        if (await tx.execute(_SAVE_LISTING, values | key)).rowcount != 1:
            raise LostUpdate(listing.name)

    async def list_of(
        self, tx: Transaction, *, seller: str, published_only: bool, page: PageRequest
    ) -> Page[Listing]:
        """The listings of a seller by name."""
        statement = sa.select(tables.listing).where(_L.seller == seller)
        if published_only:
            statement = statement.where(_L.published)
        rows = await tx.fetch_all(keyset(statement, (_L.listing_id,), page))
        return page_of([_listing(row) for row in rows], page, lambda listing: cursor_of(listing.listing_id))


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
    }


def _listing_or_none(row: Row[Any] | None) -> Listing | None:
    return None if row is None else _listing(row)


def _listing(row: Row[Any]) -> Listing:
    content = ListingContent(
        title=row.title,
        description=row.description,
        intake=Intake(row.intake),
        published=row.published,
        packages=read_packages(row.packages),
    )
    return Listing(row.seller, row.listing_id, content, row.version, row.create_time, row.update_time)
