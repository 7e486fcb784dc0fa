"""How sellers deal with their offers, in PostgreSQL."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Transaction
from services.offers.adapters.documents import read_settings, settings_document
from services.offers.adapters.repository.lost_update import LostUpdate
from services.offers.adapters.tables import offer_settings
from services.offers.domain.offer_settings import OfferSettings, SettingsContent

_S: Final = offer_settings.c
_FIND: Final = sa.select(offer_settings).where(_S.seller == sa.bindparam("of_seller"))
# A row of version 0 holds the place of settings that nobody saved: two first saves wait for each other.
_NOTHING: Final = settings_document(SettingsContent())
_LOCK: Final = (
    insert(offer_settings)
    .on_conflict_do_update(index_elements=["seller"], set_={"seller": sa.literal_column("excluded.seller")})
    .returning(offer_settings)
)
_CHANGING: Final = ("content", "version", "create_time", "update_time")
_SAVE: Final = (
    sa.update(offer_settings)
    .where(_S.seller == sa.bindparam("of_seller"), _S.version == sa.bindparam("expected"))
    .values({name: sa.bindparam(f"new_{name}") for name in _CHANGING})
)


class OfferSettingsRepository:
    """The port `SettingsOfSellers`."""

    async def find(self, tx: Transaction, seller: str) -> OfferSettings:
        """The settings of a seller; the defaults where nothing was saved."""
        return _settings(seller, await tx.fetch_one(_FIND, {"of_seller": seller}))

    async def find_for_update(self, tx: Transaction, seller: str) -> OfferSettings:
        """The same; nobody else saves them until the transaction ends."""
        held = {"seller": seller, "content": _NOTHING, "version": 0}
        return _settings(seller, await tx.fetch_one(_LOCK, held))

    async def save(self, tx: Transaction, settings: OfferSettings) -> None:
        """Stores the next version of what `find_for_update` answered."""
        row = {
            "of_seller": settings.seller,
            "expected": settings.version - 1,
            "new_content": settings_document(settings.content),
            "new_version": settings.version,
            "new_create_time": settings.create_time,
            "new_update_time": settings.update_time,
        }
        if (await tx.execute(_SAVE, row)).rowcount != 1:
            raise LostUpdate(settings.name)


def _settings(seller: str, row: Any) -> OfferSettings:
    if row is None:
        return OfferSettings(seller)
    return OfferSettings(
        seller,
        read_settings(row.content),
        version=row.version,
        create_time=row.create_time,
        update_time=row.update_time,
    )
