"""The timer that ends an open offer."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from chassis.db import Transaction
from services.offers.domain.chain import Offer, State

EXPIRY: Final = "offer-expiry"
"""The kind of the timers; their keys are names of offers."""


def follow_expiry(tx: Transaction, offer: Offer, *, before: Offer | None = None) -> None:
    """Sets the timer of an open offer whose expiry is new.

    A timer that has lost its reason is left alone and finds nothing to do: the sweeper locks the timer before
    the offer, so whoever holds the offer must not reach for the timer of an offer that is due.
    """
    due = _due(offer)
    if due is not None and due != _due(before):
        tx.schedule(EXPIRY, offer.name, due)


def _due(offer: Offer | None) -> datetime | None:
    if offer is None or offer.state is not State.OPEN:
        return None
    return offer.revision.terms.expire_time
