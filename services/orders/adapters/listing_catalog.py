"""Listings: in memory, over the projection that the offers service's events feed, over the offers service.

Memory is at most MAX_AGE behind the projection, and the broadcast of an event refreshes it at once, also in
the replicas that do not consume the event. A buyer who names `expected_total` never pays another price.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from services.orders.adapters import encoding
from services.orders.adapters.tables import listing as table
from services.orders.domain.listing import Listing

MAX_AGE: Final = timedelta(seconds=5)
LIMIT_LISTINGS: Final = 10_000
"""Listings in memory; the one that was used longest ago makes room."""

_FIND: Final = sa.select(table).where(table.c.name == sa.bindparam("name"))
_ADD: Final = insert(table)
_KEEP: Final = _ADD.on_conflict_do_update(
    index_elements=["name"],
    set_={"version": _ADD.excluded.version, "content": _ADD.excluded.content},
    where=table.c.version < _ADD.excluded.version,
)


class ListingCatalog:
    """Implements the port `Listings`. `fetch` reads a listing from the offers service."""

    def __init__(
        self, database: Database, clock: Clock, fetch: Callable[[str], Awaitable[Listing | None]]
    ) -> None:
        self._database = database
        self._clock = clock
        self._fetch = fetch
        self._held: OrderedDict[str, tuple[Listing, datetime]] = OrderedDict()

    async def find(self, name: str) -> Listing | None:
        """The listing, or None where nobody knows it."""
        held = self._held.get(name)
        if held is not None and self._clock.now() - held[1] <= MAX_AGE:
            self._held.move_to_end(name)
            return held[0]
        found = await self._stored(name)
        if found is None:
            found = await self._fetched(name)
        if found is not None:
            self.remember(found)
        return found

    async def _stored(self, name: str) -> Listing | None:
        row = await self._database.read(lambda tx: tx.fetch_one(_FIND, {"name": name}))
        return None if row is None else encoding.read_listing(row.name, row.version, row.content)

    async def _fetched(self, name: str) -> Listing | None:
        found = await self._fetch(name)
        if found is not None:
            known = found
            await self._database.transact(lambda tx: self.keep(tx, known))
        return found

    async def keep(self, tx: Transaction, listing: Listing) -> None:
        """Stores a newer version."""
        content = encoding.write_listing(listing)
        await tx.execute(_KEEP, {"name": listing.name, "version": listing.version, "content": content})

    def remember(self, listing: Listing) -> None:
        """Answers with this version from now on; an older one changes nothing."""
        held = self._held.get(listing.name)
        if held is not None and held[0].version > listing.version:
            return
        self._held[listing.name] = (listing, self._clock.now())
        self._held.move_to_end(listing.name)
        if len(self._held) > LIMIT_LISTINGS:
            self._held.popitem(last=False)
