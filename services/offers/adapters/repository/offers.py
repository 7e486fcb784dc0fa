"""Offers, their revisions and their origins in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.kernel.refusal import not_found
from chassis.paging import Facets, cursor_of, keyset, merged
from services.offers.adapters import tables
from services.offers.adapters.documents import (
    acceptance_document,
    automatic_answer_document,
    new_quote_document,
    read_acceptance,
    read_automatic_answer,
    read_new_quote,
    read_review,
    read_revision,
    review_document,
    revision_document,
)
from services.offers.adapters.repository.lost_update import LostUpdate
from services.offers.domain.chain import Offer, Revision, State

_O: Final = tables.offer.c
_R: Final = tables.offer_revision.c

_FIND_OFFER: Final = sa.select(tables.offer).where(_O.offer_id == sa.bindparam("of_offer_id"))
_LOCK_OFFER: Final = _FIND_OFFER.with_for_update()
_LOCK_AT_ORIGIN: Final = (
    sa.select(tables.offer)
    .where(_O.origin == sa.bindparam("at_origin"), _O.state.in_(sa.bindparam("in_states", expanding=True)))
    .order_by(_O.create_time.desc(), _O.offer_id.desc())
    .limit(1)
    .with_for_update()
)
# Of one package at a time: only then is the order of the ids that of the index, which holds this expression.
_PACKAGE: Final = _O.proposal.op("#>>", return_type=sa.Text())(sa.literal_column("'{terms,package}'"))
_LOCK_FOR_PACKAGE: Final = (
    sa.select(tables.offer)
    .where(
        _O.state == sa.literal_column("'OPEN'"),
        _O.seller == sa.bindparam("of_seller"),
        sa.bindparam("for_package", type_=sa.Text) == _PACKAGE,
        _O.offer_id > sa.bindparam("after"),
    )
    .order_by(_O.offer_id)
    .limit(sa.bindparam("at_most", type_=sa.Integer))
    .with_for_update()
)
_ADD_OFFER: Final = insert(tables.offer)
_ADD_REVISION: Final = insert(tables.offer_revision)
_CHANGING: Final = (
    "state",
    "revision",
    "proposal",
    "first_sent",
    "first_open_time",
    "acceptance",
    "decline_reason",
    "close_time",
    "version",
    "update_time",
    "new_quote",
    "automatic_answer",
    "review",
)
_SAVE_OFFER: Final = (
    sa.update(tables.offer)
    .where(_O.offer_id == sa.bindparam("of_offer_id"), _O.version == sa.bindparam("expected"))
    .values({name: sa.bindparam(f"new_{name}") for name in _CHANGING})
)
_REVISIONS: Final = sa.select(_R.proposal).where(
    _R.offer_id == sa.bindparam("of_offer_id"), _R.number >= sa.bindparam("first_number")
)

_LOCK_ORIGIN: Final = (
    insert(tables.origin)
    .on_conflict_do_update(index_elements=["name"], set_={"name": sa.literal_column("excluded.name")})
    .returning(tables.origin.c.ended)
)
_END_ORIGIN: Final = insert(tables.origin).on_conflict_do_update(
    index_elements=["name"], set_={"ended": sa.literal_column("excluded.ended")}
)


class OfferRepository:
    """The port `Offers`."""

    async def load(self, tx: Transaction, name: str) -> Offer:
        """The offer with its newest revision; Refusal NOT_FOUND."""
        return _required(await tx.fetch_one(_FIND_OFFER, _offer_key(name)), name)

    async def load_for_update(self, tx: Transaction, name: str) -> Offer:
        """The same, locked until the transaction ends."""
        return _required(await tx.fetch_one(_LOCK_OFFER, _offer_key(name)), name)

    async def lock_origin(self, tx: Transaction, origin: str) -> str:
        """Locks the origin; answers the state it ended in, else ``""``."""
        ended: str = await tx.scalar(_LOCK_ORIGIN, {"name": origin})
        return ended

    async def end_origin(self, tx: Transaction, origin: str, state: str) -> None:
        """Locks the origin and notes that it takes no offers any more."""
        await tx.execute(_END_ORIGIN, {"name": origin, "ended": state})

    async def find_at_origin(
        self, tx: Transaction, origin: str, *, states: Collection[State]
    ) -> Offer | None:
        """The newest offer of the origin in one of these states, locked."""
        names = sorted(state.value for state in states)
        row = await tx.fetch_one(_LOCK_AT_ORIGIN, {"at_origin": origin, "in_states": names})
        return None if row is None else _offer(row)

    async def find_open_for_package(
        self, tx: Transaction, seller: str, package: str, *, after: str, limit: int
    ) -> Sequence[Offer]:
        """Open offers that propose this package, by id from behind `after`, locked."""
        wanted = {"of_seller": seller, "for_package": package, "after": after, "at_most": limit}
        return [_offer(row) for row in await tx.fetch_all(_LOCK_FOR_PACKAGE, wanted)]

    async def add(self, tx: Transaction, offer: Offer) -> None:
        """Adds an offer and its first revision."""
        fixed = {
            "offer_id": offer.offer_id,
            "seller": offer.seller,
            "buyer": offer.buyer,
            "origin": offer.origin,
            "create_time": offer.create_time,
        }
        await tx.execute(_ADD_OFFER, _changing_values(offer) | fixed)
        await _add_revision(tx, offer)

    async def save(self, tx: Transaction, offer: Offer, *, before: Offer) -> None:
        """Stores what followed on `before`, and the revision that came with it."""
        values = {f"new_{name}": value for name, value in _changing_values(offer).items()}
        key = {"of_offer_id": offer.offer_id, "expected": before.version}
        if (await tx.execute(_SAVE_OFFER, values | key)).rowcount != 1:
            raise LostUpdate(offer.name)
        if offer.revision.number != before.revision.number:
            await _add_revision(tx, offer)

    async def list_of(
        self,
        tx: Transaction,
        *,
        seller: str = "",
        buyer: str = "",
        states: Collection[State] = (),
        origin: str = "",
        page: PageRequest,
    ) -> Page[Offer]:
        """The offers of a seller's team, or those that were sent to a buyer, newest first."""
        statement = sa.select(tables.offer)
        if seller:
            statement = statement.where(_O.seller == seller)
        else:
            statement = statement.where(_O.buyer == buyer, _O.first_sent.is_not(None))
        names = sorted(state.value for state in states)
        if origin:
            # What answers one request, order or inquiry is few, so that its states are looked at.
            statement = statement.where(_O.origin == origin, *((_O.state.in_(names),) if names else ()))
            names = []
        facets: Facets = {"state": (_O.state, names)} if names else {}
        newest_first = merged(statement, facets, (_O.create_time, _O.offer_id), page, descending=True)
        found = [_offer(row) for row in await tx.fetch_all(newest_first)]
        return page_of(found, page, lambda offer: cursor_of(offer.create_time, offer.offer_id))

    async def revisions(self, tx: Transaction, name: str, *, first: int, page: PageRequest) -> Page[Revision]:
        """The revisions of an offer from number `first` on, oldest first."""
        key = _offer_key(name) | {"first_number": first}
        rows = await tx.fetch_all(keyset(_REVISIONS, (_R.number,), page), key)
        return page_of(
            [read_revision(row.proposal) for row in rows], page, lambda found: cursor_of(found.number)
        )


async def _add_revision(tx: Transaction, offer: Offer) -> None:
    revision = offer.revision
    row = {
        "offer_id": offer.offer_id,
        "number": revision.number,
        "proposal": revision_document(revision),
    }
    await tx.execute(_ADD_REVISION, row)


def _offer_key(name: str) -> dict[str, Any]:
    return {"of_offer_id": name.removeprefix("offers/")}


def _changing_values(offer: Offer) -> dict[str, Any]:
    return {
        "state": offer.state.value,
        "revision": offer.revision.number,
        "proposal": revision_document(offer.revision),
        "first_sent": offer.first_sent,
        "first_open_time": offer.first_open_time,
        "acceptance": acceptance_document(offer.acceptance),
        "decline_reason": offer.decline_reason,
        "close_time": offer.close_time,
        "version": offer.version,
        "update_time": offer.update_time,
        "new_quote": new_quote_document(offer.new_quote),
        "automatic_answer": automatic_answer_document(offer.automatic_answer),
        "review": review_document(offer.review),
    }


def _required(row: Row[Any] | None, name: str) -> Offer:
    if row is None:
        raise not_found(name)
    return _offer(row)


def _offer(row: Row[Any]) -> Offer:
    return Offer(
        offer_id=row.offer_id,
        seller=row.seller,
        buyer=row.buyer,
        origin=row.origin,
        state=State(row.state),
        revision=read_revision(row.proposal),
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
        first_sent=row.first_sent,
        first_open_time=row.first_open_time,
        acceptance=read_acceptance(row.acceptance),
        decline_reason=row.decline_reason,
        close_time=row.close_time,
        new_quote=read_new_quote(row.new_quote),
        automatic_answer=read_automatic_answer(row.automatic_answer),
        review=read_review(row.review),
    )
