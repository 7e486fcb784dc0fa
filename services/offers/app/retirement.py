"""Telling both sides of every open offer that its package was retired, a batch at a time."""

from __future__ import annotations

from typing import Final

from chassis.db import Database, DueTimer, Transaction
from chassis.kernel.clock import Clock
from services.offers.app.ports import Offers
from services.offers.domain.listing import Listing, newly_retired
from services.offers.domain.retirement import package_retired

RETIREMENT: Final = "package-retirement"
"""The kind of the timers; their keys are a listing and its version."""

BATCH_OFFERS: Final = 100
"""Offers that are told in one transaction."""


def announce_retired(tx: Transaction, listing: Listing, *, before: Listing) -> None:
    """Has the open offers for what left the sale told, as soon as this is committed."""
    packages = newly_retired(listing, before=before)
    if packages:
        payload = {"seller": listing.seller, "packages": list(packages), "after": ""}
        tx.schedule(RETIREMENT, f"{listing.name}@{listing.version}", listing.update_time, payload)


class Retirements:
    """The timer that does it. Whoever opens an offer for a package holds its listing, so none is missed."""

    def __init__(self, database: Database, offers: Offers, clock: Clock) -> None:
        self._database = database
        self._offers = offers
        self._clock = clock

    async def tell(self, timer: DueTimer) -> None:
        """Tells a batch of offers for one package, and comes back where there may be more."""

        async def work(tx: Transaction) -> None:
            now, payload = self._clock.now(), timer.payload
            package, *others = payload["packages"]
            found = await self._offers.find_open_for_package(
                tx, payload["seller"], package, after=payload["after"], limit=BATCH_OFFERS
            )
            for offer in found:
                changed, event = package_retired(offer, now=now)
                if event is not None:
                    await self._offers.save(tx, changed, before=offer)
                    tx.record(event)
            if len(found) == BATCH_OFFERS:
                tx.schedule(RETIREMENT, timer.key, now, {**payload, "after": found[-1].offer_id})
            elif others:
                tx.schedule(RETIREMENT, timer.key, now, {**payload, "packages": others, "after": ""})

        await self._database.fire(timer, work)
