"""The moves of an offer: each answers the offer after it, and what others are told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from chassis.kernel.machine import Actor
from services.offers.domain import refusals
from services.offers.domain.chain import (
    MACHINE,
    SIDES,
    Acceptance,
    Answer,
    Author,
    AutomaticAnswer,
    NewQuote,
    Offer,
    Revision,
    State,
    check_revision,
    moved,
    proposed,
    require,
)
from services.offers.domain.events import (
    OfferAccepted,
    OfferCountered,
    OfferDeclined,
    OfferExpired,
    OfferNewQuoteRequested,
    OfferOpened,
    OfferRevised,
    OfferRevived,
    OfferSent,
    OfferWithdrawn,
)
from services.offers.domain.origin import OnAccept
from services.offers.domain.terms import (
    Address,
    Expiry,
    PaymentMethod,
    Terms,
    check_expiry,
    check_times,
    total_of,
)

TOO_LOW: Final = "The price is too low."
"""Why a seller's settings decline."""


def draft(
    *, offer_id: str, seller: str, buyer: str, origin: str, terms: Terms, note: str, now: datetime
) -> Offer:
    """What only the seller knows of. Refusals AMOUNT_INVALID, CURRENCY_MISMATCH, TIME_OUT_OF_RANGE."""
    check_times(terms, now=now)
    revision = Revision(1, Author.SELLER, terms, total_of(terms), note, now)
    return Offer(
        offer_id=offer_id,
        seller=seller,
        buyer=buyer,
        origin=origin,
        state=State.DRAFT,
        revision=revision,
        version=1,
        create_time=now,
        update_time=now,
    )


def send(offer: Offer, *, actor: Actor, now: datetime) -> tuple[Offer, OfferSent | None]:
    """Opens a draft to the buyer; an open offer was sent already.

    Refusals TRANSITION_FORBIDDEN, TIME_OUT_OF_RANGE.
    """
    if offer.state_at(now) is State.OPEN and MACHINE.can(State.DRAFT, "send", actor):
        return offer, None
    state = require(offer, "send", actor, now=now)
    changed = replace(moved(offer, state, now=now), first_sent=offer.revision.number)
    return changed, OfferSent(changed)


def create_open(offer: Offer, *, now: datetime) -> tuple[Offer, OfferSent]:
    """A fresh draft that is sent before anybody saw it: one change, one version."""
    state = require(offer, "send", Actor.SELLER, now=now)
    opened = replace(offer, state=state, first_sent=offer.revision.number)
    return opened, OfferSent(opened)


def open_(offer: Offer, *, actor: Actor, now: datetime) -> tuple[Offer, OfferOpened | None]:
    """Records the buyer's first look; later looks change nothing. Refusal TRANSITION_FORBIDDEN."""
    if offer.first_open_time is not None and MACHINE.can(State.OPEN, "open", actor):
        return offer, None
    state = require(offer, "open", actor, now=now)
    changed = replace(moved(offer, state, now=now), first_open_time=now)
    return changed, OfferOpened(changed)


def revise(
    offer: Offer, *, actor: Actor, seen: int, terms: Terms, note: str, now: datetime
) -> tuple[Offer, OfferRevised | None]:
    """A new revision of the seller; no event for a draft. `seen` is as in `check_revision`.

    Refusals REVISION_STALE, TRANSITION_FORBIDDEN, TOO_MANY_REVISIONS, and those of a proposal.
    """
    check_revision(offer, seen)
    require(offer, "revise", actor, now=now)
    changed = proposed(offer, Author.SELLER, terms=terms, note=note, now=now)
    return changed, OfferRevised(changed) if changed.is_sent else None


def counter(
    offer: Offer, *, actor: Actor, seen: int, terms: Terms, note: str, now: datetime
) -> tuple[Offer, OfferCountered]:
    """Answers the other side's revision with one's own.

    Refusals REVISION_STALE, OFFER_EXPIRED, NOT_YOUR_TURN, TRANSITION_FORBIDDEN, TOO_MANY_REVISIONS, and those
    of a proposal.
    """
    check_revision(offer, seen)
    require(offer, "counter", actor, now=now)
    changed = proposed(offer, SIDES[actor], terms=terms, note=note, now=now)
    return changed, OfferCountered(changed)


@dataclass(frozen=True, slots=True)
class Consent:
    """What comes with an acceptance; addresses are optional."""

    payment_token: str = ""
    billing_address: Address | None = None
    delivery_address: Address | None = None


NO_CONSENT: Final = Consent()
"""Neither a means of payment nor an address."""


def accept(
    offer: Offer, *, actor: Actor, seen: int, consent: Consent, now: datetime
) -> tuple[Offer, OfferAccepted]:
    """Accepts the newest revision.

    Refusals REVISION_STALE, OFFER_EXPIRED, NOT_YOUR_TURN, TRANSITION_FORBIDDEN, PAYMENT_TOKEN_REQUIRED.
    """
    check_revision(offer, seen)
    state = require(offer, "accept", actor, now=now)
    online = offer.revision.terms.payment_method is PaymentMethod.ONLINE
    if online and not consent.payment_token:
        raise refusals.payment_token_required(offer.name)
    changed = replace(moved(offer, state, now=now), acceptance=_acceptance(offer, consent, now=now))
    return changed, OfferAccepted(changed)


def _acceptance(offer: Offer, consent: Consent, *, now: datetime) -> Acceptance:
    quoted = offer.on_accept is OnAccept.UPDATE_ORDER_PRICE
    online = offer.revision.terms.payment_method is PaymentMethod.ONLINE
    return Acceptance(
        revision=offer.revision.number,
        accept_time=now,
        order=offer.origin if quoted else f"orders/{offer.offer_id}",
        # Nobody charges an order that is settled offline, so nobody needs the token.
        payment_token=consent.payment_token if online else "",
        billing_address=consent.billing_address,
        delivery_address=consent.delivery_address,
    )


def answer_automatically(
    offer: Offer, answer: AutomaticAnswer, *, consent: Consent, now: datetime
) -> tuple[Offer, OfferAccepted | OfferDeclined | None]:
    """The buyer's counter-offer as the seller's settings answer it. What is to be paid online but came
    without a means of payment waits for the seller. Refusals NOT_YOUR_TURN, TRANSITION_FORBIDDEN.
    """
    if answer.answer is Answer.DECLINED:
        state = require(offer, "autoDecline", Actor.SERVICE, now=now)
        declined = replace(
            moved(offer, state, now=now),
            automatic_answer=answer,
            decline_reason=TOO_LOW,
            close_time=now,
        )
        return declined, OfferDeclined(declined)
    state = require(offer, "autoAccept", Actor.SERVICE, now=now)
    if offer.revision.terms.payment_method is PaymentMethod.ONLINE and not consent.payment_token:
        return offer, None
    accepted = replace(
        moved(offer, state, now=now),
        automatic_answer=answer,
        acceptance=_acceptance(offer, consent, now=now),
    )
    return accepted, OfferAccepted(accepted)


def is_answered_by(offer: Offer, *, seen: int) -> bool:
    """Whether revision `seen` is the one that was accepted."""
    return offer.acceptance is not None and offer.acceptance.revision == seen


def decline(
    offer: Offer, *, actor: Actor, seen: int, reason: str, now: datetime
) -> tuple[Offer, OfferDeclined | None]:
    """The buyer says no; once is enough. Refusals REVISION_STALE, TRANSITION_FORBIDDEN."""
    check_revision(offer, seen)
    if offer.state is State.DECLINED and MACHINE.can(State.OPEN, "decline", actor):
        return offer, None
    state = require(offer, "decline", actor, now=now)
    changed = replace(moved(offer, state, now=now), decline_reason=reason, close_time=now)
    return changed, OfferDeclined(changed)


def withdraw(offer: Offer, *, actor: Actor, now: datetime) -> tuple[Offer, OfferWithdrawn | None]:
    """Takes it back; once is enough, and no event for a draft. Refusal TRANSITION_FORBIDDEN."""
    if offer.state is State.WITHDRAWN and MACHINE.can(State.OPEN, "withdraw", actor):
        return offer, None
    state = require(offer, "withdraw", actor, now=now)
    changed = replace(moved(offer, state, now=now), close_time=now)
    return changed, OfferWithdrawn(changed) if changed.is_sent else None


def expire(offer: Offer, *, now: datetime) -> tuple[Offer, OfferExpired | None]:
    """Ends an open offer whose time ran out, and leaves every other one alone."""
    if not offer.is_overdue(now):
        return offer, None
    state = MACHINE.move(offer.state, "expire", Actor.TIMER, name=offer.name)
    changed = replace(moved(offer, state, now=now), close_time=now)
    return changed, OfferExpired(changed)


def request_new_quote(
    offer: Offer, *, actor: Actor, text: str, now: datetime
) -> tuple[Offer, tuple[OfferExpired | OfferNewQuoteRequested, ...]]:
    """The buyer asks for a new quote in the place of an expired offer; once for each revision is enough. One
    that no sweeper has met yet expires first. Refusal TRANSITION_FORBIDDEN.
    """
    ended, expired = expire(offer, now=now)
    state = require(ended, "requestNewQuote", actor, now=now)
    if ended.new_quote is not None and ended.new_quote.revision == ended.revision.number:
        return offer, ()
    changed = replace(moved(ended, state, now=now), new_quote=NewQuote(ended.revision.number, now, text))
    asked = OfferNewQuoteRequested(changed)
    return changed, (expired, asked) if expired else (asked,)


def revive(
    offer: Offer, *, actor: Actor, expiry: Expiry, now: datetime
) -> tuple[Offer, tuple[OfferExpired | OfferRevived, ...]]:
    """Opens an expired offer again: the same terms, a new expiry. One that no sweeper has met yet expires
    first, so that nobody sees it revived who did not see it expired.

    Refusals TRANSITION_FORBIDDEN, TOO_MANY_REVISIONS, TIME_OUT_OF_RANGE.
    """
    ended, expired = expire(offer, now=now)
    state = require(ended, "revive", actor, now=now)
    check_expiry(expiry, now=now)
    last = ended.revision
    # Only what the seller proposed can be accepted, so a counter-offer becomes the seller's.
    revision = Revision(
        number=last.number + 1,
        author=Author.SELLER,
        terms=last.terms.with_expiry(expiry),
        total=last.total,
        note=last.note if last.author is Author.SELLER else "",
        create_time=now,
    )
    changed = replace(moved(ended, state, now=now), revision=revision, close_time=None)
    revived = OfferRevived(changed)
    return changed, (expired, revived) if expired else (revived,)
