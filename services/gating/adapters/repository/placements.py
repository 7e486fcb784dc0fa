"""The placements of a seller's past, and what was known of their buyers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import sqlalchemy as sa

from chassis.db import Transaction
from services.gating.adapters.repository.verifications import verification_of
from services.gating.app.ports import Sample
from services.gating.domain.catalogue import Intake
from services.gating.domain.interval import Interval
from services.gating.domain.simulation import (
    NO_HISTORY,
    BuyerHistory,
    PastOffer,
    Placement,
    Wanted,
    Workload,
    turns,
)
from services.gating.domain.verification import BuyerVerification

# Orders made by accepting an offer are no placements, nor are requests that no settings led to.
_COUNT: Final = sa.text(
    "SELECT placed.total + asked.total AS total, placed.accepted, asked.unavailable "
    "FROM (SELECT count(*) FILTER (WHERE intake <> 'OFFER') AS total, "
    "count(*) FILTER (WHERE intake = 'OFFER') AS accepted FROM known_order WHERE seller = :seller "
    "AND place_time >= :start AND place_time < :end AND package <> '') AS placed, "
    "(SELECT count(*) FILTER (WHERE decision ->> 'outcome' <> 'UNAVAILABLE') AS total, "
    "count(*) FILTER (WHERE decision ->> 'outcome' = 'UNAVAILABLE') AS unavailable FROM order_request "
    "WHERE seller = :seller AND create_time >= :start AND create_time < :end) AS asked"
)
# Every part walks an index along the time, so that a portion costs the same wherever it lies; requests that
# were dismissed are a part of their own. It comes as one row of columns: to make a row object of each
# placement would cost more than to judge it.
_PORTION: Final = sa.text(
    "SELECT array_agg(name) AS names, array_agg(package) AS packages, array_agg(buyer) AS buyers, "
    "array_agg(intake) AS intakes, array_agg(time) AS times, array_agg(is_request) AS are_requests "
    "FROM (SELECT * FROM ((SELECT name, package, buyer, intake, place_time AS time, false AS is_request "
    "FROM known_order WHERE seller = :seller AND place_time >= :start AND place_time < :end "
    "AND (place_time > :start OR name > :after) AND package <> '' AND intake <> 'OFFER' "
    "ORDER BY place_time, name LIMIT :limit) "
    "UNION ALL (SELECT asked.* FROM (VALUES (false), (true)) AS part (dismissed), "
    "LATERAL (SELECT 'orderRequests/' || id, package, buyer, 'INSTANT', create_time, true "
    "FROM order_request WHERE seller = :seller AND order_request.dismissed = part.dismissed "
    "AND create_time >= :start AND create_time < :end "
    "AND (create_time > :start OR 'orderRequests/' || id > :after) "
    "AND decision ->> 'outcome' <> 'UNAVAILABLE' "
    "ORDER BY create_time, id LIMIT :limit) AS asked)) AS placement "
    "ORDER BY time, name LIMIT :limit) AS portion"
)
_FIRST_ORDERS = sa.text(
    "SELECT array_agg(buyer) AS buyers, array_agg(name) AS names, array_agg(confirm_time) AS times "
    "FROM (SELECT DISTINCT ON (buyer) buyer, name, confirm_time FROM confirmed_order WHERE seller = :seller "
    "AND buyer = ANY(CAST(:buyers AS text[])) ORDER BY buyer, confirm_time, name) AS first"
)
_OFFERS = sa.text(
    "SELECT made.buyer, made.package, offer.name, made.offer_time, offer.expire_time, "
    "CASE WHEN offer.state = 'OPEN' AND offer.by_seller AND offer.package = made.package "
    "THEN NULL ELSE offer.change_time END AS until "
    "FROM offered_package AS made JOIN offer ON offer.name = made.offer WHERE made.seller = :seller "
    "AND made.buyer = ANY(CAST(:buyers AS text[])) AND made.offer_time IS NOT NULL ORDER BY offer.name DESC"
)
_VERIFICATIONS = sa.text(
    "SELECT * FROM buyer_verification WHERE buyer = ANY(CAST(:buyers AS text[])) ORDER BY version DESC"
)
# As numbers, because there are many, and only the few at which anything turns become instants.
_WORKLOAD = sa.text(
    "SELECT array_agg(CAST(extract(epoch FROM confirm_time) * 1000000 AS bigint)) AS confirmed, "
    "array_agg(CAST(extract(epoch FROM close_time) * 1000000 AS bigint)) "
    "FILTER (WHERE close_time IS NOT NULL) AS ended "
    "FROM known_order WHERE seller = :seller AND confirm_time < :before"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_as_placement: Final[Callable[[tuple[Any, ...]], Placement]] = partial(tuple.__new__, Placement)


_INTAKES: Final = {"": Intake.SELLER_REVIEW, **{intake.value: intake for intake in Intake}}
"""An order whose intake nobody told is taken for one that waits for the seller."""


class PlacementsRepository:
    """Reads along the time of placement."""

    async def sample(self, tx: Transaction, seller: str, period: Interval) -> Sample:
        """How many placements there are, and how many are none to judge."""
        row = await tx.fetch_one(_COUNT, {"seller": seller, "start": period.start, "end": period.end})
        assert row is not None
        return Sample(row.total, row.accepted, row.unavailable)

    async def portion(
        self, tx: Transaction, seller: str, period: Interval, *, after: Placement | None, limit: int
    ) -> Sequence[Placement]:
        """The placements that follow `after`, in the order of time and name."""
        parameters = {
            "seller": seller,
            "start": period.start if after is None else after.time,
            "end": period.end,
            "after": "" if after is None else after.name,
            "limit": limit,
        }
        found = await tx.fetch_one(_PORTION, parameters)
        if found is None or found.names is None:
            return []
        intakes = [_INTAKES[intake] for intake in found.intakes]
        columns = (found.names, found.packages, found.buyers, intakes, found.times, found.are_requests)
        return [*map(_as_placement, zip(*columns, strict=True))]

    async def histories(
        self, tx: Transaction, seller: str, buyers: Collection[str], wanted: Wanted
    ) -> Mapping[str, BuyerHistory]:
        """What is known of those buyers of whom anything is, as far as it is wanted."""
        parameters = {"seller": seller, "buyers": list(buyers)}
        found: dict[str, BuyerHistory] = {}
        if wanted.orders:
            first = await tx.fetch_one(_FIRST_ORDERS, parameters)
            assert first is not None
            if first.buyers is not None:
                found = dict(zip(first.buyers, map(BuyerHistory, first.names, first.times), strict=True))
        if wanted.offers:
            offers: dict[str, list[PastOffer]] = {}
            for row in await tx.fetch_all(_OFFERS, parameters):
                offer = PastOffer(row.name, row.package, row.offer_time, row.until, row.expire_time)
                offers.setdefault(row.buyer, []).append(offer)
            for buyer, held in offers.items():
                found[buyer] = replace(found.get(buyer, NO_HISTORY), offers=tuple(held))
        if wanted.verifications:
            said: dict[str, list[BuyerVerification]] = {}
            for row in await tx.fetch_all(_VERIFICATIONS, {"buyers": list(buyers)}):
                said.setdefault(row.buyer, []).append(verification_of(row))
            for buyer, versions in said.items():
                found[buyer] = replace(found.get(buyer, NO_HISTORY), verifications=tuple(versions))
        return found

    async def workload(self, tx: Transaction, seller: str, *, limit: int, before: datetime) -> Workload:
        """When as many orders as `limit` were open."""
        found = await tx.fetch_one(_WORKLOAD, {"seller": seller, "before": before})
        assert found is not None
        at = turns(found.confirmed or (), found.ended or (), limit=limit)
        return Workload([(_EPOCH + timedelta(microseconds=time), is_full) for time, is_full in at])
