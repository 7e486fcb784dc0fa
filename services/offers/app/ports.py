"""What offers needs from outside."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from chassis.db import Transaction
from chassis.kernel.page import Page, PageRequest
from services.offers.domain.chain import Offer, Revision, State
from services.offers.domain.listing import Listing, ListingState
from services.offers.domain.offer_settings import OfferSettings
from services.offers.domain.origin import Origin
from services.offers.domain.search import ListingSearch
from services.offers.domain.template import OfferTemplate


class Listings(Protocol):
    """Keeps listings."""

    async def find(self, tx: Transaction, name: str) -> Listing | None:
        """The listing of that name, if there is one."""
        ...

    async def find_for_update(self, tx: Transaction, name: str) -> Listing | None:
        """The same, locked until the transaction ends."""
        ...

    async def find_and_hold(self, tx: Transaction, name: str) -> Listing | None:
        """The same, and nobody changes it until the transaction ends."""
        ...

    async def add(self, tx: Transaction, listing: Listing) -> bool:
        """Adds it; False where the name is taken."""
        ...

    async def save(self, tx: Transaction, listing: Listing, *, before: Listing) -> None:
        """Stores what followed on `before`."""
        ...

    async def search(
        self,
        tx: Transaction,
        *,
        seller: str,
        states: Collection[ListingState],
        search: ListingSearch,
        page: PageRequest,
    ) -> Page[Listing]:
        """The listings of a seller that are in one of these states and fit `search`, in its order."""
        ...


class Offers(Protocol):
    """Keeps offers, their revisions, and which origins have ended."""

    async def load(self, tx: Transaction, name: str) -> Offer:
        """The offer with its newest revision; Refusal NOT_FOUND."""
        ...

    async def load_for_update(self, tx: Transaction, name: str) -> Offer:
        """The same, locked until the transaction ends."""
        ...

    async def lock_origin(self, tx: Transaction, origin: str) -> str:
        """Makes everybody wait who opens or ends offers of this origin.

        Answers the state in which the origin ended, ``""`` while it has not.

        Taken before any offer is locked, so that no two transactions wait for each other.
        """
        ...

    async def end_origin(self, tx: Transaction, origin: str, state: str) -> None:
        """Notes, under the same lock, that the origin takes no offers any more."""
        ...

    async def find_at_origin(
        self, tx: Transaction, origin: str, *, states: Collection[State]
    ) -> Offer | None:
        """The newest offer of the origin in one of these states, locked."""
        ...

    async def find_open_for_package(
        self, tx: Transaction, seller: str, package: str, *, after: str, limit: int
    ) -> Sequence[Offer]:
        """Open offers that propose this package, by id from behind `after`, locked."""
        ...

    async def add(self, tx: Transaction, offer: Offer) -> None:
        """Adds an offer and its first revision."""
        ...

    async def save(self, tx: Transaction, offer: Offer, *, before: Offer) -> None:
        """Stores what followed on `before`, and the revision that came with it."""
        ...

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
        ...

    async def revisions(self, tx: Transaction, name: str, *, first: int, page: PageRequest) -> Page[Revision]:
        """The revisions of an offer from number `first` on, oldest first."""
        ...


class Origins(Protocol):
    """Knows order requests, orders and conversations, wherever they live."""

    async def find(self, name: str) -> Origin | None:
        """The origin of that name; Refusal UNAVAILABLE or DEADLINE when its owner does not answer."""
        ...


class SettingsOfSellers(Protocol):
    """Keeps how sellers deal with their offers."""

    async def find(self, tx: Transaction, seller: str) -> OfferSettings:
        """The settings of a seller; the defaults where nothing was saved."""
        ...

    async def find_for_update(self, tx: Transaction, seller: str) -> OfferSettings:
        """The same; nobody else saves them until the transaction ends."""
        ...

    async def save(self, tx: Transaction, settings: OfferSettings) -> None:
        """Stores the next version of what `find_for_update` answered."""
        ...


class Templates(Protocol):
    """Keeps the templates of sellers."""

    async def find(self, tx: Transaction, name: str, *, lock: bool = False) -> OfferTemplate | None:
        """The template of that name, if there is one; with `lock` until the transaction ends."""
        ...

    async def add(self, tx: Transaction, template: OfferTemplate) -> None:
        """Adds it."""
        ...

    async def save(self, tx: Transaction, template: OfferTemplate) -> None:
        """Stores the next version of one that was found with `lock`."""
        ...

    async def remove(self, tx: Transaction, template: OfferTemplate) -> None:
        """Removes one that was found with `lock`."""
        ...

    async def list_of(self, tx: Transaction, *, seller: str, page: PageRequest) -> Page[OfferTemplate]:
        """The templates of a seller, oldest first."""
        ...
