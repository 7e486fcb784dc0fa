"""Loads the marketplace through the public API. Doing it again changes only what the file changed."""

from __future__ import annotations

import asyncio
from typing import Final

from stack.demo.api import Api, Party, Refused, until
from stack.demo.marketplace import Json, Listing, Marketplace, Seller

LISTING_FIELDS: Final = "title,description,intake,published,packages,kind"
KNOWN_SECONDS: Final = 20.0


async def load(api: Api, marketplace: Marketplace) -> None:
    """Make every seller, gate and listing what the file says, and wait until all services know of them."""
    await asyncio.gather(*(_load_seller(api, seller) for seller in marketplace.sellers))
    buyer = api.buyer(marketplace.buyers[0].id)
    await asyncio.gather(*(_until_known(buyer, listing) for listing in marketplace.listings()))


async def _load_seller(api: Api, seller: Seller) -> None:
    owner, name = api.seller(seller.id), f"sellers/{seller.id}"
    await asyncio.gather(
        api.operator().post(f"{name}:setPlan", {"tier": f"TIER_{seller.plan}"}),
        *(save_listing(owner, name, listing.id, listing.as_json()) for listing in seller.listings),
    )
    await owner.patch(seller.settings["name"], seller.settings, updateMask="*")


async def save_listing(owner: Party, seller: str, listing_id: str, listing: Json) -> None:
    """Create the listing of `sellers/{seller}`, or bring the existing one to these contents."""
    try:
        await owner.post(f"{seller}/listings", listing, listingId=listing_id)
    except Refused as refusal:
        if refusal.reason != "LISTING_EXISTS":
            raise
        await owner.patch(f"{seller}/listings/{listing_id}", listing, updateMask=LISTING_FIELDS)


async def _until_known(buyer: Party, listing: Listing) -> None:
    # The gate learns of listings by events; a package that it does not know of yet is NOT_FOUND.
    await until(
        lambda: buyer.post(f"{listing.packages[0].name}:evaluateGate"),
        f"the gate knows {listing.name}",
        seconds=KNOWN_SECONDS,
    )
