"""What callers read. Reading never counts as opening."""

from __future__ import annotations

from dataclasses import dataclass

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import not_found
from services.offers.app.commands.steps import clearance_of, party_of
from services.offers.app.ports import Listings, Offers, SettingsOfSellers
from services.offers.app.views import DifferenceView, ListingView, OfferView, RevisionView
from services.offers.domain.chain import Offer, Revision, State
from services.offers.domain.difference import difference
from services.offers.domain.listing import ListingState
from services.offers.domain.search import ListingSearch


@dataclass(frozen=True, slots=True)
class GetListing:
    """`name` is ``sellers/{seller}/listings/{listing}``."""

    name: str


@dataclass(frozen=True, slots=True)
class ListListings:
    """`seller` is ``sellers/{seller}``."""

    seller: str
    search: ListingSearch
    page: PageRequest


@dataclass(frozen=True, slots=True)
class GetOffer:
    """`name` is ``offers/{offer}``."""

    name: str


@dataclass(frozen=True, slots=True)
class ListOffers:
    """`seller` is empty for the offers addressed to the caller; the other filters are empty for all."""

    seller: str
    states: frozenset[State]
    origin: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class ListRevisions:
    """`name` is ``offers/{offer}``."""

    name: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class CompareRevisions:
    """Revision 0 is the newest (`after`), or the one before `after` (`before`)."""

    name: str
    before: int
    after: int


class ListingQueries:
    """Everybody reads published listings; the team, the operator and the services read all."""

    def __init__(self, database: Database, listings: Listings) -> None:
        self._database = database
        self._listings = listings

    async def get(self, call: Call, query: GetListing) -> ListingView:
        """One listing. Refusal NOT_FOUND."""
        listing = await self._database.read(lambda tx: self._listings.find(tx, query.name))
        if listing is None or not (listing.content.published or _sees_unpublished(call, listing.seller)):
            raise not_found(query.name)
        return ListingView(listing, is_team=_is_team(call, listing.seller))

    async def list(self, call: Call, query: ListListings) -> Page[ListingView]:
        """The listings of a seller that fit and that the caller may see."""
        states = set(ListingState) if _sees_unpublished(call, query.seller) else {ListingState.PUBLISHED}
        if query.search.state is not None:
            states &= {query.search.state}
        if not states:
            return Page(())
        found = await self._database.read(
            lambda tx: self._listings.search(
                tx, seller=query.seller, states=states, search=query.search, page=query.page
            )
        )
        is_team = _is_team(call, query.seller)
        views = tuple(ListingView(listing, is_team=is_team) for listing in found.items)
        return Page(views, found.next_cursor)


class OfferQueries:
    """The parties read their offers, the buyer from the first sending on."""

    def __init__(
        self, database: Database, *, offers: Offers, settings: SettingsOfSellers, clock: Clock
    ) -> None:
        self._database = database
        self._offers = offers
        self._settings = settings
        self._clock = clock

    async def get(self, call: Call, query: GetOffer) -> OfferView:
        """One offer. Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> OfferView:
            offer = await self._offers.load(tx, query.name)
            actor = party_of(call, offer)
            clearance = await clearance_of(tx, call, offer.seller, settings=self._settings)
            return OfferView(offer, actor, self._clock.now(), clearance)

        return await self._database.read(work)

    async def list(self, call: Call, query: ListOffers) -> Page[OfferView]:
        """The offers of a team, or those that were sent to the caller, newest first. Refusal NOT_FOUND."""
        caller = call.caller
        if query.seller and not caller.is_operator and caller.role_in(query.seller) is None:
            raise not_found(query.seller)
        call.scoped()
        if not query.seller and not caller.is_buyer:
            return Page(())
        actor, now = _list_actor(call, query.seller), self._clock.now()

        async def work(tx: Transaction) -> Page[OfferView]:
            found = await self._offers.list_of(
                tx,
                seller=query.seller,
                buyer="" if query.seller else caller.user,
                states=query.states,
                origin=query.origin,
                page=query.page,
            )
            clearance = await clearance_of(tx, call, query.seller, settings=self._settings)
            views = (OfferView(offer, actor, now, clearance) for offer in found.items)
            return Page(tuple(views), found.next_cursor)

        return await self._database.read(work)

    async def revisions(self, call: Call, query: ListRevisions) -> Page[RevisionView]:
        """The revisions, oldest first; a buyer sees those since the first sending. Refusal NOT_FOUND."""

        async def work(tx: Transaction) -> Page[RevisionView]:
            offer = await self._offers.load(tx, query.name)
            actor = party_of(call, offer)
            first = (offer.first_sent or 1) if actor is Actor.BUYER else 1
            found = await self._offers.revisions(tx, query.name, first=first, page=query.page)
            views = tuple(RevisionView(offer.name, revision, actor) for revision in found.items)
            return Page(views, found.next_cursor)

        return await self._database.read(work)

    async def compare(self, call: Call, query: CompareRevisions) -> DifferenceView:
        """What differs between two revisions; a buyer compares those since the first sending.

        Refusal NOT_FOUND.
        """

        async def work(tx: Transaction) -> DifferenceView:
            offer = await self._offers.load(tx, query.name)
            actor = party_of(call, offer)
            first = (offer.first_sent or 1) if actor is Actor.BUYER else 1
            after = query.after or offer.revision.number
            before = query.before or max(after - 1, first)
            pair = [await self._revision(tx, offer, number, first=first) for number in (before, after)]
            return DifferenceView(offer.name, difference(*pair), actor)

        return await self._database.read(work)

    async def _revision(self, tx: Transaction, offer: Offer, number: int, *, first: int) -> Revision:
        if first <= number <= offer.revision.number:
            found = await self._offers.revisions(tx, offer.name, first=number, page=PageRequest(1))
            return found.items[0]
        raise not_found(f"{offer.name}/revisions/{number}")


def _is_team(call: Call, seller: str) -> bool:
    return call.caller.role_in(seller) is not None


def _sees_unpublished(call: Call, seller: str) -> bool:
    return _is_team(call, seller) or call.caller.is_operator or call.caller.is_service


def _list_actor(call: Call, seller: str) -> Actor:
    if not seller:
        return Actor.BUYER
    return Actor.SELLER if _is_team(call, seller) else Actor.OPERATOR
