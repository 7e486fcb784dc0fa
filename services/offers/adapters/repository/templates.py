"""Templates of sellers in PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.offers.adapters.documents import read_template, template_document
from services.offers.adapters.repository.lost_update import LostUpdate
from services.offers.adapters.tables import offer_template
from services.offers.domain.template import OfferTemplate

_T: Final = offer_template.c
_THIS: Final = sa.and_(
    _T.seller == sa.bindparam("of_seller"), _T.template_id == sa.bindparam("of_template_id")
)
_FIND: Final = sa.select(offer_template).where(_THIS)
_LOCK: Final = _FIND.with_for_update()
_ADD: Final = insert(offer_template)
_SAVE: Final = (
    sa.update(offer_template)
    .where(_THIS, _T.version == sa.bindparam("expected"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("content", "version", "update_time")})
)
_REMOVE: Final = sa.delete(offer_template).where(_THIS)


class TemplateRepository:
    """The port `Templates`."""

    async def find(self, tx: Transaction, name: str, *, lock: bool = False) -> OfferTemplate | None:
        """The template of that name, if there is one; with `lock` until the transaction ends."""
        row = await tx.fetch_one(_LOCK if lock else _FIND, _key(name))
        return None if row is None else _template(row)

    async def add(self, tx: Transaction, template: OfferTemplate) -> None:
        """Adds it."""
        row = {
            "seller": template.seller,
            "template_id": template.template_id,
            "content": template_document(template.content),
            "version": template.version,
            "create_time": template.create_time,
            "update_time": template.update_time,
        }
        await tx.execute(_ADD, row)

    async def save(self, tx: Transaction, template: OfferTemplate) -> None:
        """Stores the next version of one that was found with `lock`."""
        row = {
            "expected": template.version - 1,
            "new_content": template_document(template.content),
            "new_version": template.version,
            "new_update_time": template.update_time,
        }
        if (await tx.execute(_SAVE, _key(template.name) | row)).rowcount != 1:
            raise LostUpdate(template.name)

    async def remove(self, tx: Transaction, template: OfferTemplate) -> None:
        """Removes one that was found with `lock`."""
        await tx.execute(_REMOVE, _key(template.name))

    async def list_of(self, tx: Transaction, *, seller: str, page: PageRequest) -> Page[OfferTemplate]:
        """The templates of a seller, oldest first: ids rise with time."""
        statement = sa.select(offer_template).where(_T.seller == seller)
        rows = await tx.fetch_all(keyset(statement, (_T.template_id,), page))
        return page_of([_template(row) for row in rows], page, lambda found: cursor_of(found.template_id))


def _key(name: str) -> dict[str, Any]:
    seller, _, template_id = name.partition("/offerTemplates/")
    return {"of_seller": seller, "of_template_id": template_id}


def _template(row: Row[Any]) -> OfferTemplate:
    return OfferTemplate(
        row.seller,
        row.template_id,
        read_template(row.content),
        row.version,
        row.create_time,
        row.update_time,
    )
