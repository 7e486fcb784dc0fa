"""What buyer and seller do to an offer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.kernel.machine import Actor
from services.offers.app.commands.steps import Asked, OfferSteps, told
from services.offers.app.expiry import follow_expiry
from services.offers.app.ports import Offers
from services.offers.app.views import OfferView
from services.offers.domain import offer as offers
from services.offers.domain.chain import Offer
from services.offers.domain.events import OfferEvent
from services.offers.domain.offer import NO_CONSENT, Consent
from services.offers.domain.origin import require_currency, require_open
from services.offers.domain.template import terms_of
from services.offers.domain.terms import Expiry, Terms, settled


@dataclass(frozen=True, slots=True)
class CreateOffer:
    """`origin` is the name of what the offer answers; `send` opens it to the buyer at once.

    Without `terms`, those of `template` are copied.
    """

    origin: str
    terms: Terms | None
    note: str
    send: bool
    template: str = ""


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
    """`revision` is the one that was seen; `consent` counts where the seller's settings accept at once."""

    name: str
    revision: int
    terms: Terms
    note: str = ""
    etag: str = ""
    consent: Consent = NO_CONSENT


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
    """`expiry` is the new one, not settled yet."""

    name: str
    expiry: Expiry
    etag: str = ""


@dataclass(frozen=True, slots=True)
class RequestNewQuote:
    """The buyer of an expired offer would like another; `text` is for the seller alone."""

    name: str
    text: str = ""
    etag: str = ""


class OfferCommands:
    """One method per mutating RPC.

    Everybody but a party gets NOT_FOUND, and so does the buyer while it is a draft. An `etag` that is not
    current is refused with ETAG_MISMATCH.
    """

    def __init__(
        self, database: Database, *, steps: OfferSteps, offers: Offers, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._steps = steps
        self._offers = offers
        self._clock = clock
        self._ids = ids

    async def create(self, call: Call, command: CreateOffer) -> OfferView:
        """A draft, or an open offer.

        Refusals ORIGIN_CLOSED, OPEN_OFFER_EXISTS, CURRENCY_MISMATCH, PACKAGE_UNKNOWN, APPROVAL_REQUIRED,
        NOT_FOUND for a template of nobody or of another seller, and those of a proposal.
        """
        answer = await self._steps.ask(command.origin)

        async def work(tx: Transaction) -> OfferView:
            origin, now = told(answer), self._clock.now()
            actor = call.party(buyer=origin.buyer, seller=origin.seller, name=origin.name)
            require_open(origin)
            terms, note = command.terms, command.note
            if terms is None:
                copied = await self._steps.template(tx, command.template, seller=origin.seller)
                terms = terms_of(copied, zone=await self._steps.zone_of(tx, origin.seller), now=now)
                note = note or copied.content.note
            terms = await self._steps.settle(tx, terms, seller=origin.seller)
            offer = offers.draft(
                offer_id=self._ids.new(),
                seller=origin.seller,
                buyer=origin.buyer,
                origin=origin.name,
                terms=terms,
                note=note,
                now=now,
            )
            require_currency(origin, offer.revision.total)
            await self._steps.check_package(tx, terms.package, seller=offer.seller, actor=actor)
            if command.send:
                ended = await self._offers.lock_origin(tx, origin.name)
                offer, event = offers.create_open(offer, now=now)
                await self._steps.check_clearance(tx, call, offer)
                await self._steps.occupy_origin(tx, offer, ended=ended, now=now)
                tx.record(event)
            await self._offers.add(tx, offer)
            follow_expiry(tx, offer)
            return await self._steps.view(tx, call, offer, actor, now)

        return await self._database.command(call, work)

    async def send(self, call: Call, command: SendOffer) -> OfferView:
        """Opens a draft to the buyer.

        Refusals ORIGIN_CLOSED, OPEN_OFFER_EXISTS, CURRENCY_MISMATCH, TIME_OUT_OF_RANGE.
        """
        origin = await self._steps.origin_of(call, command.name)

        async def work(tx: Transaction) -> OfferView:
            ended = await self._offers.lock_origin(tx, origin.name)
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed, event = offers.send(offer, actor=actor, now=now)
            if event is not None:
                await self._steps.check_clearance(tx, call, changed)
                _require_fit(origin, changed)
                await self._steps.check_still_sold(tx, changed)
                await self._steps.occupy_origin(tx, changed, ended=ended, now=now)
                await self._steps.store(tx, changed, event, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def open(self, call: Call, command: OpenOffer) -> OfferView:
        """Records the buyer's first look. Refusal TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed, event = offers.open_(offer, actor=actor, now=now)
            if event is not None:
                await self._steps.store(tx, changed, event, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def revise(self, call: Call, command: ReviseOffer) -> OfferView:
        """A new revision of the seller.

        Refusals REVISION_STALE, CURRENCY_MISMATCH, PACKAGE_UNKNOWN, TOO_MANY_REVISIONS, and those of a
        proposal.
        """
        origin = await self._steps.origin_of_switch(call, command.name, command.terms)

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            terms = await self._steps.settle(tx, command.terms, seller=offer.seller)
            changed, event = offers.revise(
                offer, actor=actor, seen=command.revision, terms=terms, note=command.note, now=now
            )
            if origin is not None:
                require_currency(told(origin.answer), changed.revision.total)
            await self._steps.check_other_package(tx, terms.package, before=offer, actor=actor)
            if changed.is_sent:
                await self._steps.check_clearance(tx, call, changed)
            await self._steps.store(tx, changed, event, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def counter(self, call: Call, command: CounterOffer) -> OfferView:
        """Answers the other side's revision; the seller's settings may answer the buyer's at once.

        Refusals as for `revise`, and OFFER_EXPIRED, NOT_YOUR_TURN.
        """

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            terms = await self._steps.settle(tx, command.terms, seller=offer.seller)
            changed, event = offers.counter(
                offer, actor=actor, seen=command.revision, terms=terms, note=command.note, now=now
            )
            await self._steps.check_other_package(tx, terms.package, before=offer, actor=actor)
            answer: OfferEvent | None = None
            final = changed
            if actor is Actor.BUYER:
                final, answer = await self._steps.answer(
                    tx, changed, proposal=offer.revision, consent=command.consent, now=now
                )
            else:
                await self._steps.check_clearance(tx, call, changed)
            await self._steps.store(tx, final, event, answer, before=offer)
            return await self._steps.view(tx, call, final, actor, now)

        return await self._database.command(call, work)

    async def accept(self, call: Call, command: AcceptOffer) -> OfferView:
        """The buyer's yes. Refusals REVISION_STALE, OFFER_EXPIRED, NOT_YOUR_TURN, PAYMENT_TOKEN_REQUIRED."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            # Without a key this is the one way to learn that the first answer was lost on its way.
            if call.idempotency is None and offers.is_answered_by(offer, seen=command.revision):
                return await self._steps.view(tx, call, offer, actor, now)
            changed, event = offers.accept(
                offer, actor=actor, seen=command.revision, consent=command.consent, now=now
            )
            event = replace(event, by_link=_by_link(call))
            await self._steps.store(tx, changed, event, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def decline(self, call: Call, command: DeclineOffer) -> OfferView:
        """The buyer's no. Refusals REVISION_STALE, TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed, event = offers.decline(
                offer, actor=actor, seen=command.revision, reason=command.reason, now=now
            )
            if event is not None:
                event = replace(event, by_link=_by_link(call))
                await self._steps.store(tx, changed, event, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def withdraw(self, call: Call, command: WithdrawOffer) -> OfferView:
        """The seller takes a draft or an open offer back. Refusal TRANSITION_FORBIDDEN."""

        async def work(tx: Transaction) -> OfferView:
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed, event = offers.withdraw(offer, actor=actor, now=now)
            if changed is not offer:
                await self._steps.store(tx, changed, event, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def revive(self, call: Call, command: ReviveOffer) -> OfferView:
        """Opens an expired offer again.

        Refusals ORIGIN_CLOSED, OPEN_OFFER_EXISTS, CURRENCY_MISMATCH, TIME_OUT_OF_RANGE, TOO_MANY_REVISIONS.
        """
        origin = await self._steps.origin_of(call, command.name)

        async def work(tx: Transaction) -> OfferView:
            ended = await self._offers.lock_origin(tx, origin.name)
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            expiry = settled(command.expiry, zone=await self._steps.zone_of(tx, offer.seller))
            changed, events = offers.revive(offer, actor=actor, expiry=expiry, now=now)
            # What the seller proposed before needs nobody's approval to be proposed again.
            if offer.revision.is_of_buyer:
                await self._steps.check_clearance(tx, call, changed)
            _require_fit(origin, changed)
            await self._steps.check_still_sold(tx, changed)
            await self._steps.occupy_origin(tx, changed, ended=ended, now=now)
            await self._steps.store(tx, changed, *events, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)

    async def request_new_quote(self, call: Call, command: RequestNewQuote) -> OfferView:
        """Asks for another in the place of an expired offer.

        Refusals ORIGIN_CLOSED, OPEN_OFFER_EXISTS, PACKAGE_RETIRED.
        """
        origin = await self._steps.origin_of(call, command.name)

        async def work(tx: Transaction) -> OfferView:
            ended = await self._offers.lock_origin(tx, origin.name)
            offer, actor, now = await self._steps.load(tx, call, command.name, etag=command.etag)
            changed, events = offers.request_new_quote(offer, actor=actor, text=command.text, now=now)
            if events:
                require_open(told(origin.answer))
                await self._steps.check_still_sold(tx, changed)
                await self._steps.occupy_origin(tx, changed, ended=ended, now=now)
                await self._steps.store(tx, changed, *events, before=offer)
            return await self._steps.view(tx, call, changed, actor, now)

        return await self._database.command(call, work)


def _by_link(call: Call) -> bool:
    """Whether the buyer answers by the link of a mail: nothing else lets a service speak for him."""
    return bool(call.caller.via)


def _require_fit(asked: Asked, offer: Offer) -> None:
    """Refusals ORIGIN_CLOSED, CURRENCY_MISMATCH unless what was asked about takes this offer."""
    origin = told(asked.answer)
    require_open(origin)
    require_currency(origin, offer.revision.total)
