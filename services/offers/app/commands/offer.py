"""What buyer and seller do to an offer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal, not_found, stale_etag
from services.offers.app.expiry import follow_expiry
from services.offers.app.ports import Listings, Offers, Origins
from services.offers.app.views import OfferView
from services.offers.domain import offer as offers
from services.offers.domain import refusals
from services.offers.domain.events import OfferEvent
from services.offers.domain.offer import Consent, Offer, State
from services.offers.domain.origin import Origin, OriginKind, kind_of, require_open
from services.offers.domain.terms import Terms


@dataclass(frozen=True, slots=True)
class CreateOffer:
    """`origin` is the name of what the offer answers; `send` opens it to the buyer at once."""

    origin: str
    terms: Terms
    note: str
    send: bool


@dataclass(frozen=True, slots=True)
class SendOffer:
    """`name` is ``offers/{offer}``; `etag` is empty where the caller does not mind the version."""

    name: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class OpenOffer:
    """The buyer looks at it, in the interface."""

    name: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ReviseOffer:
    """`revision` is the one that was seen, 0 for whichever is the newest."""

    name: str
    revision: int
    terms: Terms
    note: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class CounterOffer:
    """`revision` is the one that was seen."""

    name: str
    revision: int
    terms: Terms
    note: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class AcceptOffer:
    """`revision` is the one that was seen."""

    name: str
    revision: int
    consent: Consent
    etag: str = ""


@dataclass(frozen=True, slots=True)
class DeclineOffer:
    """`revision` is the one that was seen, 0 for whichever is the newest."""

    name: str
    revision: int = 0
    reason: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class WithdrawOffer:
    """The seller takes it back."""

    name: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class ReviveOffer:
    """`expire_time` is the new expiry, exclusive; None never expires."""

    name: str
    expire_time: datetime | None
    etag: str = ""


class OfferCommands:
    """One method per mutating RPC.

    Everybody but a party gets NOT_FOUND, and so does the buyer while it is a draft. An `etag` that is not
    current is refused with ETAG_MISMATCH.
    """

    def __init__(
        self,
        database: Database,
        *,
        offers: Offers,
        listings: Listings,
        origins: Origins,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._offers = offers
        self._listings = listings
        self._origins = origins
        self._clock = clock
        self._ids = ids

    async def create(self, call: Call, command: CreateOffer) -> OfferView:
        """A draft, or an open offer.

        Refusals ORIGIN_CLOSED, OPEN_OFFER_EXISTS, PACKAGE_UNKNOWN, and those of a proposal.
        """
        answer = await self._ask(command.origin)

        async def work(tx: Transaction) -> OfferView:
            origin, now = _told(answer), self._clock.now()
            actor = call.party(buyer=origin.buyer, seller=origin.seller, name=origin.name)
            require_open(origin)
            offer = offers.draft(
                offer_id=self._ids.new(),
                seller=origin.seller,
                buyer=origin.buyer,
                origin=origin.name,
                terms=command.terms,
                note=command.note,
                now=now,
            )
            await self._check_package(tx, command.terms.package, seller=offer.seller, actor=actor)
            if command.send:
                ended = await self._offers.lock_origin(tx, origin.name)
                offer, event = offers.create_open(offer, now=now)
                await self._occupy_origin(tx, offer, ended=ended, now=now)
                tx.record(event)
            await self._offers.add(tx, offer)
            follow_expiry(tx, offer)
            return OfferView(offer, actor, now)

        return await self._database.command(call, work)

    async def send(self, call: Call, command: SendOffer) -> OfferView:
        """Opens a draft to the buyer. Refusals ORIGIN_CLOSED, OPEN_OFFER_EXISTS, TIME_OUT_OF_RANGE."""
        origin = await self._origin_of(call, command.name)

        async def work(tx: Transaction) -> OfferView:
            ended = await self._offers.lock_origin(tx, origin.name)
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            changed, event = offers.send(offer, actor=actor, now=now)
            if event is not None:
                require_open(_told(origin.answer))
                await self._occupy_origin(tx, changed, ended=ended, now=now)
                await self._store(tx, changed, event, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    async def open(self, call: Call, command: OpenOffer) -> OfferView:
        """Records the buyer's first look. Refusal TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            changed, event = offers.open_(offer, actor=actor, now=now)
            if event is not None:
                await self._store(tx, changed, event, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    async def revise(self, call: Call, command: ReviseOffer) -> OfferView:
        """A new revision of the seller.

        Refusals REVISION_STALE, PACKAGE_UNKNOWN, TOO_MANY_REVISIONS, and those of a proposal.
        """

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            changed, event = offers.revise(
                offer, actor=actor, seen=command.revision, terms=command.terms, note=command.note, now=now
            )
            # What the newest revision names is agreed on, whatever became of the package since.
            if command.terms.package != offer.revision.terms.package:
                await self._check_package(tx, command.terms.package, seller=offer.seller, actor=actor)
            await self._store(tx, changed, event, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    async def counter(self, call: Call, command: CounterOffer) -> OfferView:
        """Answers the other side's revision. Refusals as for `revise`, and OFFER_EXPIRED, NOT_YOUR_TURN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            changed, event = offers.counter(
                offer, actor=actor, seen=command.revision, terms=command.terms, note=command.note, now=now
            )
            # What the newest revision names is agreed on, whatever became of the package since.
            if command.terms.package != offer.revision.terms.package:
                await self._check_package(tx, command.terms.package, seller=offer.seller, actor=actor)
            await self._store(tx, changed, event, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    async def accept(self, call: Call, command: AcceptOffer) -> OfferView:
        """The buyer's yes. Refusals REVISION_STALE, OFFER_EXPIRED, NOT_YOUR_TURN, PAYMENT_TOKEN_REQUIRED."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            # Without a key this is the one way to learn that the first answer was lost on its way.
            if call.idempotency is None and offers.is_answered_by(offer, seen=command.revision):
                return OfferView(offer, actor, now)
            changed, event = offers.accept(
                offer, actor=actor, seen=command.revision, consent=command.consent, now=now
            )
            await self._store(tx, changed, event, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    async def decline(self, call: Call, command: DeclineOffer) -> OfferView:
        """The buyer's no. Refusals REVISION_STALE, TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            changed, event = offers.decline(
                offer, actor=actor, seen=command.revision, reason=command.reason, now=now
            )
            if event is not None:
                await self._store(tx, changed, event, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    async def withdraw(self, call: Call, command: WithdrawOffer) -> OfferView:
        """The seller takes a draft or an open offer back. Refusal TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            changed, event = offers.withdraw(offer, actor=actor, now=now)
            if changed is not offer:
                await self._store(tx, changed, event, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    async def revive(self, call: Call, command: ReviveOffer) -> OfferView:
        """Opens an expired offer again.

        Refusals ORIGIN_CLOSED, OPEN_OFFER_EXISTS, TIME_OUT_OF_RANGE, TOO_MANY_REVISIONS.
        """
        origin = await self._origin_of(call, command.name)

        async def work(tx: Transaction) -> OfferView:
            ended = await self._offers.lock_origin(tx, origin.name)
            offer, actor, now = await self._load(tx, call, command.name, etag=command.etag)
            changed, events = offers.revive(offer, actor=actor, expire_time=command.expire_time, now=now)
            require_open(_told(origin.answer))
            await self._occupy_origin(tx, changed, ended=ended, now=now)
            await self._store(tx, changed, *events, before=offer)
            return OfferView(changed, actor, now)

        return await self._database.command(call, work)

    # --------------------------------------------------------------------------------------- steps

    async def _load(
        self, tx: Transaction, call: Call, name: str, *, etag: str
    ) -> tuple[Offer, Actor, datetime]:
        """The offer, locked, with the part that the caller plays and the instant that decides."""
        offer = await self._offers.load_for_update(tx, name)
        actor = party_of(call, offer)
        if etag and etag != offer.etag:
            raise stale_etag(offer.name, etag, offer.etag)
        return offer, actor, self._clock.now()

    async def _store(self, tx: Transaction, offer: Offer, *events: OfferEvent | None, before: Offer) -> None:
        await self._offers.save(tx, offer, before=before)
        follow_expiry(tx, offer, before=before)
        tx.record(*(event for event in events if event is not None))

    async def _ask(self, origin: str) -> Origin | Refusal:
        """What the owner says about the origin. It is judged inside the transaction, so that a repeated call
        gets its first answer whatever became of the origin since, or of its owner.
        """
        try:
            found = await self._origins.find(origin)
        except Refusal as refusal:
            return refusal
        return not_found(origin) if found is None else found

    async def _origin_of(self, call: Call, name: str) -> _Asked:
        """What the owner says about the origin of an existing offer, for one who may know of that offer."""
        offer = await self._database.read(lambda tx: self._offers.load(tx, name))
        party_of(call, offer)
        return _Asked(offer.origin, await self._ask(offer.origin))

    async def _occupy_origin(self, tx: Transaction, offer: Offer, *, ended: str, now: datetime) -> None:
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
        await self._store(tx, expired, event, before=rival)

    async def _check_package(self, tx: Transaction, package: str, *, seller: str, actor: Actor) -> None:
        """Refusal PACKAGE_UNKNOWN unless the seller sells it and, for a buyer, shows it."""
        if not package:
            return
        listing_name = package.partition("/packages/")[0]
        listing = None
        if listing_name.startswith(f"{seller}/"):
            listing = await self._listings.find(tx, listing_name)
        hidden = actor is Actor.BUYER and listing is not None and not listing.content.published
        if listing is None or hidden or not listing.sells(package):
            raise refusals.package_unknown(package)


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    answer: Origin | Refusal


def _told(answer: Origin | Refusal) -> Origin:
    if isinstance(answer, Refusal):
        raise answer
    return answer


def party_of(call: Call, offer: Offer) -> Actor:
    """The caller's part in an offer. A draft has no buyer yet who may know of it."""
    buyer = offer.buyer if offer.is_sent else ""
    return call.party(buyer=buyer, seller=offer.seller, name=offer.name)
