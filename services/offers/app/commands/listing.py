"""What a seller's team does to its listings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.refusal import not_found, stale_etag
from services.offers.app.ports import Listings
from services.offers.app.retirement import announce_retired
from services.offers.app.views import ListingView
from services.offers.domain import listing as listings
from services.offers.domain import refusals
from services.offers.domain.events import ListingEvent
from services.offers.domain.listing import Listing, ListingContent


@dataclass(frozen=True, slots=True)
class CreateListing:
    """`listing_id` is empty where one is to be made."""

    seller: str
    listing_id: str
    content: ListingContent


@dataclass(frozen=True, slots=True)
class UpdateListing:
    """`edit` answers the wanted content; `etag` is empty where the caller does not mind the version."""

    name: str
    etag: str
    edit: Callable[[Listing], ListingContent]


@dataclass(frozen=True, slots=True)
class MoveListing:
    """A listing that is to be moved; `etag` is empty where the caller does not mind the version."""

    name: str
    etag: str = ""


class Move(Protocol):
    """What becomes of a listing; no event where nothing changes."""

    def __call__(self, listing: Listing, *, now: datetime) -> tuple[Listing, ListingEvent | None]:
        """The listing after it, at `now`."""
        ...


class ListingCommands:
    """One method per mutating RPC. The chain has checked that the caller belongs to the team."""

    def __init__(self, database: Database, listings: Listings, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._listings = listings
        self._clock = clock
        self._ids = ids

    async def create(self, call: Call, command: CreateListing) -> ListingView:
        """A new listing. Refusals LISTING_EXISTS, DUPLICATE_PACKAGE, AMOUNT_INVALID, CURRENCY_MISMATCH."""

        async def work(tx: Transaction) -> ListingView:
            listing, event = listings.create(
                seller=command.seller,
                listing_id=command.listing_id or self._ids.new(),
                content=command.content,
                now=self._clock.now(),
            )
            if not await self._listings.add(tx, listing):
                raise refusals.listing_exists(listing.name)
            tx.record(event)
            return ListingView(listing, is_team=True)

        return await self._database.command(call, work)

    async def update(self, call: Call, command: UpdateListing) -> ListingView:
        """Other content.

        Refusals NOT_FOUND, ETAG_MISMATCH, TRANSITION_FORBIDDEN, PACKAGE_RETIRED, and those of a new listing.
        """

        def edit(listing: Listing, *, now: datetime) -> tuple[Listing, ListingEvent | None]:
            return listings.update(listing, content=command.edit(listing), now=now)

        return await self._move(call, command, edit)

    async def retire(self, call: Call, command: MoveListing) -> ListingView:
        """Out of sale for good. Refusals NOT_FOUND, ETAG_MISMATCH."""
        return await self._move(call, command, listings.retire)

    async def publish(self, call: Call, command: MoveListing) -> ListingView:
        """For everybody to see. Refusals NOT_FOUND, ETAG_MISMATCH, TRANSITION_FORBIDDEN."""
        return await self._move(call, command, listings.publish)

    async def unpublish(self, call: Call, command: MoveListing) -> ListingView:
        """For the team alone. Refusals NOT_FOUND, ETAG_MISMATCH, TRANSITION_FORBIDDEN."""
        return await self._move(call, command, listings.unpublish)

    async def _move(self, call: Call, command: MoveListing | UpdateListing, move: Move) -> ListingView:
        async def work(tx: Transaction) -> ListingView:
            listing = await self._listings.find_for_update(tx, command.name)
            if listing is None:
                raise not_found(command.name)
            if command.etag and command.etag != listing.etag:
                raise stale_etag(listing.name, command.etag, listing.etag)
            changed, event = move(listing, now=self._clock.now())
            if event is not None:
                await self._listings.save(tx, changed, before=listing)
                announce_retired(tx, changed, before=listing)
                tx.record(event)
            return ListingView(changed, is_team=True)

        return await self._database.command(call, work)
