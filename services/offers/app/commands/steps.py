"""What the commands about offers have in common: loading, asking, occupying an origin, storing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.caller import Role
from chassis.kernel.clock import Clock
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal, not_found, stale_etag
from services.offers.app.keeping import keep
from services.offers.app.ports import Listings, Offers, Origins, SettingsOfSellers, Templates
from services.offers.app.views import OfferView
from services.offers.domain import offer as offers
from services.offers.domain import refusals, review
from services.offers.domain.chain import Offer, Revision, State
from services.offers.domain.events import OfferEvent
from services.offers.domain.offer import Consent
from services.offers.domain.offer_settings import automatic_answer
from services.offers.domain.origin import Origin, OriginKind, kind_of
from services.offers.domain.review import OWNER, Clearance
from services.offers.domain.template import OfferTemplate
from services.offers.domain.terms import Terms, settled


class OfferSteps:
    """The steps of which commands are made; those with a transaction belong into the caller's."""

    def __init__(
        self,
        database: Database,
        *,
        offers: Offers,
        listings: Listings,
        origins: Origins,
        settings: SettingsOfSellers,
        templates: Templates,
        clock: Clock,
    ) -> None:
        self._database = database
        self._offers = offers
        self._listings = listings
        self._origins = origins
        self._settings = settings
        self._templates = templates
        self._clock = clock

    async def load(
        self, tx: Transaction, call: Call, name: str, *, etag: str
    ) -> tuple[Offer, Actor, datetime]:
        """The offer, locked, with the part that the caller plays and the instant that decides."""
        offer = await self._offers.load_for_update(tx, name)
        actor = party_of(call, offer)
        if etag and etag != offer.etag:
            raise stale_etag(offer.name, etag, offer.etag)
        return offer, actor, self._clock.now()

    async def store(self, tx: Transaction, offer: Offer, *events: OfferEvent | None, before: Offer) -> None:
        """Keeps what followed on `before`, with its timer and what others are told."""
        await keep(self._offers, tx, offer, *events, before=before)

    async def ask(self, origin: str) -> Origin | Refusal:
        """What the owner says about the origin. It is judged inside the transaction, so that a repeated call
        gets its first answer whatever became of the origin since, or of its owner.
        """
        try:
            found = await self._origins.find(origin)
        except Refusal as refusal:
            return refusal
        return not_found(origin) if found is None else found

    async def origin_of(self, call: Call, name: str) -> Asked:
        """What the owner says about the origin of an existing offer, for one who may know of that offer."""
        offer = await self._database.read(lambda tx: self._offers.load(tx, name))
        party_of(call, offer)
        return Asked(offer.origin, await self.ask(offer.origin))

    async def origin_of_switch(self, call: Call, name: str, terms: Terms) -> Asked | None:
        """The same where `terms` would give a draft another currency; None where nobody has to be asked."""
        offer = await self._database.read(lambda tx: self._offers.load(tx, name))
        party_of(call, offer)
        if offer.is_sent or terms.currency == offer.revision.total.currency:
            return None
        return Asked(offer.origin, await self.ask(offer.origin))

    async def occupy_origin(self, tx: Transaction, offer: Offer, *, ended: str, now: datetime) -> None:
        """Refuses to open `offer` where its locked origin has ended or has another open offer.

        A rival whose time ran out is none: it expires here, before the sweeper comes by.
        """
        if ended:
            raise refusals.origin_closed(offer.origin, ended)
        states = {State.OPEN}
        if kind_of(offer.origin) is OriginKind.ORDER_REQUEST:
            states.add(State.ACCEPTED)
        rival = await self._offers.find_at_origin(tx, offer.origin, states=states)
        if rival is None:
            return
        if rival.state is State.ACCEPTED:
            raise refusals.origin_closed(offer.origin, "CONVERTED")
        if rival.name == offer.name:
            return
        expired, event = offers.expire(rival, now=now)
        if event is None:
            raise refusals.open_offer_exists(offer.origin, rival.name)
        await self.store(tx, expired, event, before=rival)

    async def zone_of(self, tx: Transaction, seller: str) -> str:
        """The zone in which the seller's dates are read."""
        return (await self._settings.find(tx, seller)).zone

    async def clearance(self, tx: Transaction, call: Call, seller: str) -> Clearance:
        """What the caller may offer by himself, as far as he belongs to the seller's team."""
        return await clearance_of(tx, call, seller, settings=self._settings)

    async def view(self, tx: Transaction, call: Call, offer: Offer, actor: Actor, now: datetime) -> OfferView:
        """The offer as the caller sees it."""
        return OfferView(offer, actor, now, await self.clearance(tx, call, offer.seller))

    async def check_clearance(self, tx: Transaction, call: Call, offer: Offer) -> None:
        """Refusal APPROVAL_REQUIRED where an agent would open more to the buyer than he may."""
        review.check_proposal(offer, await self.clearance(tx, call, offer.seller))

    async def answer(
        self, tx: Transaction, offer: Offer, *, proposal: Revision, consent: Consent, now: datetime
    ) -> tuple[Offer, OfferEvent | None]:
        """The buyer's fresh counter-offer to `proposal`, as the seller's settings answer it, if they do."""
        settings = await self._settings.find(tx, offer.seller)
        answer = automatic_answer(settings, proposal=proposal, counter=offer.revision, now=now)
        if answer is None:
            return offer, None
        return offers.answer_automatically(offer, answer, consent=consent, now=now)

    async def template(self, tx: Transaction, name: str, *, seller: str) -> OfferTemplate:
        """The seller's template of that name. Refusal NOT_FOUND, for one of another seller too."""
        found = await self._templates.find(tx, name) if name.startswith(f"{seller}/") else None
        if found is None:
            raise not_found(name)
        return found

    async def settle(self, tx: Transaction, terms: Terms, *, seller: str) -> Terms:
        """The terms with the instant at which they expire. Refusals as for `settled`."""
        if terms.expire_day is None:
            return terms
        zone = await self.zone_of(tx, seller)
        return terms.with_expiry(settled(terms.expiry, zone=zone, path="terms."))

    async def check_package(self, tx: Transaction, package: str, *, seller: str, actor: Actor) -> None:
        """Refusals PACKAGE_UNKNOWN unless it is the seller's and, for a buyer, shown; PACKAGE_RETIRED.

        The listing is held, so that it is not retired before the offer is there.
        """
        if not package:
            return
        listing_name = package.partition("/packages/")[0]
        listing = None
        if listing_name.startswith(f"{seller}/"):
            listing = await self._listings.find_and_hold(tx, listing_name)
        if listing is None or (actor is Actor.BUYER and not listing.content.published):
            raise refusals.package_unknown(package)
        if listing.sold(package):
            raise refusals.package_retired(package)
        if not listing.sells(package):
            raise refusals.package_unknown(package)

    async def check_other_package(
        self, tx: Transaction, package: str, *, before: Offer, actor: Actor
    ) -> None:
        """The same where `package` is another one than in the newest revision: what that names is agreed on,
        whatever became of it since.
        """
        if package != before.revision.terms.package:
            await self.check_package(tx, package, seller=before.seller, actor=actor)

    async def check_still_sold(self, tx: Transaction, offer: Offer) -> None:
        """Refusal PACKAGE_RETIRED where the package of an offer that is to be opened is not sold any more."""
        package = offer.revision.terms.package
        if not package:
            return
        listing = await self._listings.find_and_hold(tx, package.partition("/packages/")[0])
        if listing is not None and listing.sold(package):
            raise refusals.package_retired(package)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the owner of the origin `name` said: what it is, or why not."""

    name: str
    answer: Origin | Refusal


def told(answer: Origin | Refusal) -> Origin:
    """The origin, or the refusal that came in its place."""
    if isinstance(answer, Refusal):
        raise answer
    return answer


def party_of(call: Call, offer: Offer) -> Actor:
    """The caller's part in an offer. A draft has no buyer yet who may know of it."""
    buyer = offer.buyer if offer.is_sent else ""
    return call.party(buyer=buyer, seller=offer.seller, name=offer.name)


async def clearance_of(tx: Transaction, call: Call, seller: str, *, settings: SettingsOfSellers) -> Clearance:
    """What the caller may offer by himself, as far as he belongs to the seller's team. Agents have limits."""
    if call.caller.role_in(seller) is not Role.SELLER_AGENT:
        return OWNER
    found = await settings.find(tx, seller)
    return Clearance(is_owner=False, limits=found.content.approval_limits)
