"""What gating keeps of the facts of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from chassis.db import Transaction
from services.gating.adapters.documents import package_document, package_of
from services.gating.adapters.repository.metrics import fact_row
from services.gating.adapters.tables import confirmed_order, known_order, listing, offer, offered_package
from services.gating.app.ports import OrderFact
from services.gating.domain.buyer_history import ConfirmedOrders
from services.gating.domain.catalogue import Intake, Listing
from services.gating.domain.facts import Fact
from services.gating.domain.gate import BuyerFacts, HeldOffer
from services.gating.domain.request_offers import OfferFact, OfferState

HELD_OFFERS_LIMIT: Final = 500
"""Offers of one seller to one buyer that the gate looks at: open ones first, then the newest."""


def _newer(table: sa.Table) -> Any:
    """Inserts a row or replaces an older version of it."""
    added = insert(table)
    changes = {c.name: added.excluded[c.name] for c in table.c if not c.primary_key}
    return added.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_=changes,
        where=table.c.version < added.excluded.version,
    )


_LISTING = sa.select(listing).where(listing.c.name == sa.bindparam("name"))
_STORE_LISTING = _newer(listing)
_STORE_OFFER = _newer(offer)
_STORE_OFFERED_PACKAGE = insert(offered_package).on_conflict_do_nothing()
# Events come in any order: the placement may be told after the confirmation, and is then still taken in.
_STORE_ORDER = sa.text(
    "WITH fact AS (INSERT INTO metric_fact "
    "(source, version, kind, about, seller, listing, buyer, time, detail) "
    "VALUES (:fact_source, :fact_version, :fact_kind, :fact_about, :fact_seller, :fact_listing, :fact_buyer, "
    ":fact_time, :fact_detail) ON CONFLICT DO NOTHING), "
    "confirmed AS (INSERT INTO confirmed_order (name, buyer, seller, confirm_time) "
    "SELECT :name, :buyer, :seller, CAST(:confirm_time AS timestamptz) "
    "WHERE CAST(:confirm_time AS timestamptz) IS NOT NULL ON CONFLICT DO NOTHING RETURNING name), "
    "kept AS (INSERT INTO known_order AS known "
    "(name, version, seller, buyer, package, intake, place_time, is_open, confirm_time, close_time) "
    "VALUES (:name, :version, :seller, :buyer, :package, :intake, :place_time, :is_open, "
    "CAST(:confirm_time AS timestamptz), :close_time) "
    "ON CONFLICT (name) DO UPDATE SET version = greatest(known.version, excluded.version), "
    "package = excluded.package, intake = excluded.intake, "
    "place_time = coalesce(known.place_time, excluded.place_time), "
    "confirm_time = coalesce(known.confirm_time, excluded.confirm_time), "
    "is_open = CASE WHEN known.version < excluded.version THEN excluded.is_open ELSE known.is_open END, "
    "close_time = CASE WHEN known.version < excluded.version "
    "THEN excluded.close_time ELSE known.close_time END "
    "WHERE known.version < excluded.version "
    "OR (known.place_time IS NULL AND excluded.place_time IS NOT NULL) RETURNING name) "
    "SELECT (SELECT count(*) FROM confirmed) + (SELECT count(*) FROM kept)"
).bindparams(sa.bindparam("fact_detail", type_=JSONB))
_ORDER_FIELDS = tuple(field.name for field in fields(OrderFact))
_OPEN_ORDERS = (
    sa.select(sa.func.count())
    .select_from(known_order)
    .where(known_order.c.seller == sa.bindparam("seller"), known_order.c.is_open)
)
_OFFERS_FOR = sa.select(offer).where(offer.c.order_request == sa.bindparam("order_request"))
_IS_OPEN = (
    (offer.c.state == OfferState.OPEN.value)
    & offer.c.by_seller
    & (offer.c.package == offered_package.c.package)
).label("is_open")
_HELD_OFFERS = (
    sa.select(offer.c.name, offered_package.c.package, _IS_OPEN, offer.c.expire_time)
    .join_from(offered_package, offer, offer.c.name == offered_package.c.offer)
    .where(
        offered_package.c.buyer == sa.bindparam("buyer"), offered_package.c.seller == sa.bindparam("seller")
    )
    .order_by(_IS_OPEN.desc(), offer.c.name.desc())
    .limit(HELD_OFFERS_LIMIT)
)
_CONFIRMED_ORDERS = sa.select(
    sa.func.count().label("number"), sa.func.min(confirmed_order.c.confirm_time).label("first_time")
).where(confirmed_order.c.buyer == sa.bindparam("buyer"), confirmed_order.c.seller == sa.bindparam("seller"))
_HAS_CONFIRMED_ORDER = sa.select(
    sa.exists().where(
        confirmed_order.c.buyer == sa.bindparam("buyer"), confirmed_order.c.seller == sa.bindparam("seller")
    )
)


class ProjectionsRepository:
    """Listings, offers and confirmed orders, as far as the gate needs them."""

    async def listing(self, tx: Transaction, name: str) -> Listing | None:
        """A listing, published or not; None when nothing is known of it."""
        row = await tx.fetch_one(_LISTING, {"name": name})
        if row is None:
            return None
        packages = tuple(package_of(document) for document in row.packages)
        return Listing(row.name, row.title, Intake(row.intake), row.published, packages, row.version)

    async def store_listing(self, tx: Transaction, listing: Listing) -> None:
        """Keeps a listing unless a newer version is kept."""
        await tx.execute(
            _STORE_LISTING,
            {
                "name": listing.name,
                "version": listing.version,
                "title": listing.title,
                "intake": listing.intake.value,
                "published": listing.published,
                "packages": [package_document(package) for package in listing.packages],
            },
        )

    async def buyer_facts(self, tx: Transaction, buyer: str, seller: str) -> BuyerFacts:
        """What is known of a buyer towards a seller."""
        parties = {"buyer": buyer, "seller": seller}
        has_confirmed_order = bool(await tx.scalar(_HAS_CONFIRMED_ORDER, parties))
        rows = await tx.fetch_all(_HELD_OFFERS, parties)
        offers = tuple(HeldOffer(row.name, row.package, row.is_open, row.expire_time) for row in rows)
        return BuyerFacts(has_confirmed_order, offers)

    async def store_offer(self, tx: Transaction, offer: OfferFact, *, time: datetime) -> None:
        """Keeps the facts of an offer, which hold since `time`, unless newer ones are kept, and since when it
        is made for which packages.
        """
        await tx.execute(
            _STORE_OFFER,
            {
                "name": offer.name,
                "version": offer.version,
                "seller": offer.seller,
                "buyer": offer.buyer,
                "order_request": offer.order_request,
                "order_name": offer.order,
                "package": offer.package,
                "state": offer.state.value,
                "by_seller": offer.by_seller,
                "expire_time": offer.expire_time,
                "change_time": time,
            },
        )
        if offer.package and offer.by_seller:
            made_for = {"offer": offer.name, "package": offer.package}
            await tx.execute(
                _STORE_OFFERED_PACKAGE,
                {**made_for, "buyer": offer.buyer, "seller": offer.seller, "offer_time": time},
            )

    async def offers_for(self, tx: Transaction, order_request: str) -> Sequence[OfferFact]:
        """Every offer that answers a request."""
        rows = await tx.fetch_all(_OFFERS_FOR, {"order_request": order_request})
        return [
            OfferFact(
                name=row.name,
                version=row.version,
                seller=row.seller,
                buyer=row.buyer,
                order_request=row.order_request,
                order=row.order_name,
                package=row.package,
                state=OfferState(row.state),
                by_seller=row.by_seller,
                expire_time=row.expire_time,
            )
            for row in rows
        ]

    async def store_order(self, tx: Transaction, order: OrderFact, fact: Fact) -> bool:
        """Keeps what is known of an order, in whatever order the facts come, and the fact that told it, by
        one statement; answers whether anything about the order was news.
        """
        row = {name: getattr(order, name) for name in _ORDER_FIELDS}
        for name, value in fact_row(fact).items():
            row[f"fact_{name}"] = value
        return bool(await tx.scalar(_STORE_ORDER, row))

    async def open_orders(self, tx: Transaction, seller: str) -> int:
        """How many orders of a seller are open."""
        return int(await tx.scalar(_OPEN_ORDERS, {"seller": seller}))

    async def confirmed_orders(self, tx: Transaction, buyer: str, seller: str) -> ConfirmedOrders:
        """How many orders of a buyer a seller has had confirmed, and since when."""
        rows = await tx.fetch_all(_CONFIRMED_ORDERS, {"buyer": buyer, "seller": seller})
        return ConfirmedOrders(rows[0].number, rows[0].first_time)
