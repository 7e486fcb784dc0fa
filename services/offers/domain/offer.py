"""The offer: a chain of immutable revisions, of which only the newest can be accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import ActionState, Actor, Machine, Transition
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.offers.domain import refusals
from services.offers.domain.events import (
    OfferAccepted,
    OfferCountered,
    OfferDeclined,
    OfferExpired,
    OfferOpened,
    OfferRevised,
    OfferRevived,
    OfferSent,
    OfferWithdrawn,
)
from services.offers.domain.origin import OnAccept, on_accept_of
from services.offers.domain.terms import Address, PaymentMethod, Terms, check_time, check_times, total_of

MAX_REVISIONS: Final = 100
"""Revisions of one chain, drafts included."""


class State(StrEnum):
    """Where a chain stands."""

    DRAFT = "DRAFT"
    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class Author(StrEnum):
    """Which side proposes a revision."""

    SELLER = "SELLER"
    BUYER = "BUYER"


MACHINE: Final = Machine(
    "offer",
    (
        Transition((State.DRAFT,), "send", (Actor.SELLER,), State.OPEN),
        Transition((State.OPEN,), "open", (Actor.BUYER,)),
        Transition((State.DRAFT, State.OPEN), "revise", (Actor.SELLER,)),
        Transition((State.OPEN,), "counter", (Actor.BUYER, Actor.SELLER)),
        Transition((State.OPEN,), "accept", (Actor.BUYER,), State.ACCEPTED),
        Transition((State.OPEN,), "decline", (Actor.BUYER,), State.DECLINED),
        Transition((State.DRAFT, State.OPEN), "withdraw", (Actor.SELLER,), State.WITHDRAWN),
        # What the offer answers has ended.
        Transition((State.OPEN,), "withdraw", (Actor.SERVICE,), State.WITHDRAWN),
        Transition((State.OPEN,), "expire", (Actor.TIMER,), State.EXPIRED),
        Transition((State.EXPIRED,), "revive", (Actor.SELLER,), State.OPEN),
    ),
)

_SIDES: Final = {Actor.SELLER: Author.SELLER, Actor.BUYER: Author.BUYER}
_LENGTHENING: Final = frozenset({"revise", "counter", "revive"})


@dataclass(frozen=True, slots=True)
class Revision:
    """One proposal of a chain; it never changes after it was made."""

    number: int
    author: Author
    terms: Terms
    total: Money
    note: str
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the buyer said yes to. `payment_token` goes on to whoever charges, and to nobody else."""

    revision: int
    accept_time: datetime
    order: str
    payment_token: str = ""
    billing_address: Address | None = None
    delivery_address: Address | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A chain. `first_sent` is the first revision that the buyer may see; None while there is none."""

    offer_id: str
    seller: str
    buyer: str
    origin: str
    state: State
    revision: Revision
    version: int
    create_time: datetime
    update_time: datetime
    first_sent: int | None = None
    first_open_time: datetime | None = None
    acceptance: Acceptance | None = None
    decline_reason: str = ""
    close_time: datetime | None = None

    @property
    def name(self) -> str:
        """``offers/{offer}``."""
        return f"offers/{self.offer_id}"

    @property
    def etag(self) -> str:
        """The version as text."""
        return f"v{self.version}"

    @property
    def on_accept(self) -> OnAccept:
        """What acceptance does; it follows from the origin."""
        return on_accept_of(self.origin)

    @property
    def order(self) -> str:
        """The quoted order, or the new order from acceptance on; else empty."""
        if self.on_accept is OnAccept.UPDATE_ORDER_PRICE:
            return self.origin
        return self.acceptance.order if self.acceptance else ""

    @property
    def is_sent(self) -> bool:
        """Whether the buyer may know of it."""
        return self.first_sent is not None

    def is_overdue(self, now: datetime) -> bool:
        """Whether it is still open although its time ran out."""
        expire_time = self.revision.terms.expire_time
        return self.state is State.OPEN and expire_time is not None and now >= expire_time

    def state_at(self, now: datetime) -> State:
        """The state that binds: time decides about expiry, not when the sweeper comes by."""
        return State.EXPIRED if self.is_overdue(now) else self.state


# ------------------------------------------------------------------------------------------- what is possible


def obstacle(offer: Offer, event: str, actor: Actor, *, now: datetime) -> Refusal | None:
    """Why `actor` cannot do `event` now, arguments aside; None when he can."""
    state = offer.state_at(now)
    if state is State.EXPIRED and event in {"accept", "counter"} and MACHINE.can(State.OPEN, event, actor):
        return refusals.offer_expired(offer.name, offer.revision.terms.expire_time)
    try:
        MACHINE.move(state, event, actor, name=offer.name)
        if event == "send":
            check_times(offer.revision.terms, now=now)
    except Refusal as refusal:
        return refusal
    if event in {"accept", "counter"} and offer.revision.author is _SIDES[actor]:
        turn = Author.SELLER if actor is Actor.BUYER else Author.BUYER
        return refusals.not_your_turn(offer.name, turn=turn)
    if event in _LENGTHENING and offer.revision.number >= MAX_REVISIONS:
        return refusals.too_many_revisions(offer.name, MAX_REVISIONS)
    return None


def actions(offer: Offer, actor: Actor, *, now: datetime) -> tuple[ActionState, ...]:
    """Every action that a party can ever take, with the reason for each that is missing now."""
    if actor not in _SIDES:
        return ()
    found = []
    for state in MACHINE.explain(offer.state, actor):
        refusal = obstacle(offer, state.action, actor, now=now)
        found.append(ActionState(state.action, refusal is None, refusal.reason if refusal else ""))
    return tuple(found)


def check_revision(offer: Offer, seen: int) -> None:
    """Refusal REVISION_STALE unless `seen` is the newest revision; 0 stands for whichever that is."""
    if seen and seen != offer.revision.number:
        raise refusals.revision_stale(offer.name, seen=seen, current=offer.revision.number)


def _require(offer: Offer, event: str, actor: Actor, *, now: datetime) -> State:
    refusal = obstacle(offer, event, actor, now=now)
    if refusal is not None:
        raise refusal
    return MACHINE.move(offer.state_at(now), event, actor, name=offer.name)


# ------------------------------------------------------------------------------------------- moves


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
    state = _require(offer, "send", actor, now=now)
    changed = replace(_moved(offer, state, now=now), first_sent=offer.revision.number)
    return changed, OfferSent(changed)


def create_open(offer: Offer, *, now: datetime) -> tuple[Offer, OfferSent]:
    """A fresh draft that is sent before anybody saw it: one change, one version."""
    state = _require(offer, "send", Actor.SELLER, now=now)
    opened = replace(offer, state=state, first_sent=offer.revision.number)
    return opened, OfferSent(opened)


def open_(offer: Offer, *, actor: Actor, now: datetime) -> tuple[Offer, OfferOpened | None]:
    """Records the buyer's first look; later looks change nothing. Refusal TRANSITION_FORBIDDEN."""
    if offer.first_open_time is not None and MACHINE.can(State.OPEN, "open", actor):
        return offer, None
    state = _require(offer, "open", actor, now=now)
    changed = replace(_moved(offer, state, now=now), first_open_time=now)
    return changed, OfferOpened(changed)


def revise(
    offer: Offer, *, actor: Actor, seen: int, terms: Terms, note: str, now: datetime
) -> tuple[Offer, OfferRevised | None]:
    """A new revision of the seller; no event for a draft. `seen` is as in `check_revision`.

    Refusals REVISION_STALE, TRANSITION_FORBIDDEN, TOO_MANY_REVISIONS, and those of a proposal.
    """
    check_revision(offer, seen)
    _require(offer, "revise", actor, now=now)
    changed = _proposed(offer, Author.SELLER, terms=terms, note=note, now=now)
    return changed, OfferRevised(changed) if changed.is_sent else None


def counter(
    offer: Offer, *, actor: Actor, seen: int, terms: Terms, note: str, now: datetime
) -> tuple[Offer, OfferCountered]:
    """Answers the other side's revision with one's own.

    Refusals REVISION_STALE, OFFER_EXPIRED, NOT_YOUR_TURN, TRANSITION_FORBIDDEN, TOO_MANY_REVISIONS, and those
    of a proposal.
    """
    check_revision(offer, seen)
    _require(offer, "counter", actor, now=now)
    changed = _proposed(offer, _SIDES[actor], terms=terms, note=note, now=now)
    return changed, OfferCountered(changed)


@dataclass(frozen=True, slots=True)
class Consent:
    """What comes with an acceptance; addresses are optional."""

    payment_token: str = ""
    billing_address: Address | None = None
    delivery_address: Address | None = None


def accept(
    offer: Offer, *, actor: Actor, seen: int, consent: Consent, now: datetime
) -> tuple[Offer, OfferAccepted]:
    """Accepts the newest revision.

    Refusals REVISION_STALE, OFFER_EXPIRED, NOT_YOUR_TURN, TRANSITION_FORBIDDEN, PAYMENT_TOKEN_REQUIRED.
    """
    check_revision(offer, seen)
    state = _require(offer, "accept", actor, now=now)
    online = offer.revision.terms.payment_method is PaymentMethod.ONLINE
    if online and not consent.payment_token:
        raise refusals.payment_token_required(offer.name)
    quoted = offer.on_accept is OnAccept.UPDATE_ORDER_PRICE
    acceptance = Acceptance(
        revision=offer.revision.number,
        accept_time=now,
        order=offer.origin if quoted else f"orders/{offer.offer_id}",
        # Nobody charges an order that is settled offline, so nobody needs the token.
        payment_token=consent.payment_token if online else "",
        billing_address=consent.billing_address,
        delivery_address=consent.delivery_address,
    )
    changed = replace(_moved(offer, state, now=now), acceptance=acceptance)
    return changed, OfferAccepted(changed)


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
    state = _require(offer, "decline", actor, now=now)
    changed = replace(_moved(offer, state, now=now), decline_reason=reason, close_time=now)
    return changed, OfferDeclined(changed)


def withdraw(offer: Offer, *, actor: Actor, now: datetime) -> tuple[Offer, OfferWithdrawn | None]:
    """Takes it back; once is enough, and no event for a draft. Refusal TRANSITION_FORBIDDEN."""
    if offer.state is State.WITHDRAWN and MACHINE.can(State.OPEN, "withdraw", actor):
        return offer, None
    state = _require(offer, "withdraw", actor, now=now)
    changed = replace(_moved(offer, state, now=now), close_time=now)
    return changed, OfferWithdrawn(changed) if changed.is_sent else None


def expire(offer: Offer, *, now: datetime) -> tuple[Offer, OfferExpired | None]:
    """Ends an open offer whose time ran out, and leaves every other one alone."""
    if not offer.is_overdue(now):
        return offer, None
    state = MACHINE.move(offer.state, "expire", Actor.TIMER, name=offer.name)
    changed = replace(_moved(offer, state, now=now), close_time=now)
    return changed, OfferExpired(changed)


def revive(
    offer: Offer, *, actor: Actor, expire_time: datetime | None, now: datetime
) -> tuple[Offer, tuple[OfferExpired | OfferRevived, ...]]:
    """Opens an expired offer again: the same terms, a new expiry. One that no sweeper has met yet expires
    first, so that nobody sees it revived who did not see it expired.

    Refusals TRANSITION_FORBIDDEN, TOO_MANY_REVISIONS, TIME_OUT_OF_RANGE.
    """
    ended, expired = expire(offer, now=now)
    state = _require(ended, "revive", actor, now=now)
    check_time(expire_time, field="expire_time", now=now)
    last = ended.revision
    # Only what the seller proposed can be accepted, so a counter-offer becomes the seller's.
    revision = Revision(
        number=last.number + 1,
        author=Author.SELLER,
        terms=replace(last.terms, expire_time=expire_time),
        total=last.total,
        note=last.note if last.author is Author.SELLER else "",
        create_time=now,
    )
    changed = replace(_moved(ended, state, now=now), revision=revision, close_time=None)
    revived = OfferRevived(changed)
    return changed, (expired, revived) if expired else (revived,)


def _moved(offer: Offer, state: State, *, now: datetime) -> Offer:
    return replace(offer, state=state, version=offer.version + 1, update_time=now)


def _proposed(offer: Offer, author: Author, *, terms: Terms, note: str, now: datetime) -> Offer:
    """The offer with one more revision; from the first sending on, the currency stays."""
    check_times(terms, now=now)
    total = total_of(terms)
    if offer.is_sent and total.currency != offer.revision.total.currency:
        raise refusals.currency_mismatch(
            "terms.line_items", expected=offer.revision.total.currency, actual=total.currency
        )
    revision = Revision(offer.revision.number + 1, author, terms, total, note, now)
    return replace(_moved(offer, offer.state, now=now), revision=revision)
