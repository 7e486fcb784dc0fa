"""Keeping what became of an offer."""

from __future__ import annotations

from chassis.db import Transaction
from services.offers.app.expiry import follow_expiry
from services.offers.app.ports import Offers
from services.offers.domain.chain import Offer
from services.offers.domain.events import OfferEvent


async def keep(
    offers: Offers, tx: Transaction, offer: Offer, *events: OfferEvent | None, before: Offer
) -> None:
    """Keeps what followed on `before`, with its timer and what others are told."""
    await offers.save(tx, offer, before=before)
    follow_expiry(tx, offer, before=before)
    tx.record(*(event for event in events if event is not None))
