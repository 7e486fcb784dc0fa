"""The offer: a chain of immutable revisions, of which only the newest can be accepted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import ActionState, Actor, Machine, Transition, transition_forbidden
from chassis.kernel.money import Money
from chassis.kernel.refusal import Refusal
from services.offers.domain import refusals
from services.offers.domain.origin import OnAccept, on_accept_of
from services.offers.domain.review import OWNER, Clearance, Review, lack
from services.offers.domain.terms import Address, Terms, check_times, total_of

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
    IN_REVIEW = "IN_REVIEW"


class Author(StrEnum):
    """Which side proposes a revision."""

    SELLER = "SELLER"
    BUYER = "BUYER"


MACHINE: Final = Machine(
    "offer",
    (
        Transition((State.DRAFT,), "send", (Actor.SELLER,), State.OPEN),
        # Above a limit an agent needs the owner: `review.lack` says who may do which.
        Transition((State.DRAFT,), "submitForReview", (Actor.SELLER,), State.IN_REVIEW),
        Transition((State.IN_REVIEW,), "approve", (Actor.SELLER,), State.DRAFT),
        Transition((State.IN_REVIEW,), "returnToDraft", (Actor.SELLER,), State.DRAFT),
        Transition((State.OPEN,), "open", (Actor.BUYER,)),
        Transition((State.DRAFT, State.OPEN), "revise", (Actor.SELLER,)),
        Transition((State.OPEN,), "counter", (Actor.BUYER, Actor.SELLER)),
        Transition((State.OPEN,), "accept", (Actor.BUYER,), State.ACCEPTED),
        Transition((State.OPEN,), "decline", (Actor.BUYER,), State.DECLINED),
        Transition((State.DRAFT, State.IN_REVIEW, State.OPEN), "withdraw", (Actor.SELLER,), State.WITHDRAWN),
        # The seller's settings answer a counter-offer of the buyer.
        Transition((State.OPEN,), "autoAccept", (Actor.SERVICE,), State.ACCEPTED),
        Transition((State.OPEN,), "autoDecline", (Actor.SERVICE,), State.DECLINED),
        # What the offer answers has ended.
        Transition((State.OPEN,), "withdraw", (Actor.SERVICE,), State.WITHDRAWN),
        Transition((State.OPEN,), "expire", (Actor.TIMER,), State.EXPIRED),
        Transition((State.EXPIRED,), "revive", (Actor.SELLER,), State.OPEN),
        # It is the origin that waits for the seller then, as it has done since the offer expired.
        Transition((State.EXPIRED,), "requestNewQuote", (Actor.BUYER,)),
    ),
)

SIDES: Final = {Actor.SELLER: Author.SELLER, Actor.BUYER: Author.BUYER}
"""Who proposes as which side."""
_AUTOMATIC: Final = frozenset({"autoAccept", "autoDecline"})
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

    @property
    def is_of_buyer(self) -> bool:
        """Whether it is a counter-offer of the buyer."""
        return self.author is Author.BUYER


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the buyer said yes to. `payment_token` goes on to whoever charges, and to nobody else."""

    revision: int
    accept_time: datetime
    order: str
    payment_token: str = ""
    billing_address: Address | None = None
    delivery_address: Address | None = None


class Answer(StrEnum):
    """How a seller's settings answer a counter-offer."""

    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"


@dataclass(frozen=True, slots=True)
class AutomaticAnswer:
    """What the seller's settings of that version said to the buyer's `revision`, because of `percent`."""

    answer: Answer
    revision: int
    answer_time: datetime
    settings_version: int
    percent: int


@dataclass(frozen=True, slots=True)
class NewQuote:
    """The buyer's wish for a new quote, after `revision` had expired."""

    revision: int
    request_time: datetime
    text: str = ""


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
    new_quote: NewQuote | None = None
    automatic_answer: AutomaticAnswer | None = None
    review: Review | None = None

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
        return _with_what_is_possible(refusal, offer, actor, now=now)
    if event in _AUTOMATIC and offer.revision.author is not Author.BUYER:
        return refusals.not_your_turn(offer.name, turn=Author.BUYER)
    if event in {"accept", "counter"} and offer.revision.author is SIDES[actor]:
        turn = Author.SELLER if actor is Actor.BUYER else Author.BUYER
        return refusals.not_your_turn(offer.name, turn=turn)
    if event in _LENGTHENING and offer.revision.number >= MAX_REVISIONS:
        return refusals.too_many_revisions(offer.name, MAX_REVISIONS)
    return None


def _with_what_is_possible(refusal: Refusal, offer: Offer, actor: Actor, *, now: datetime) -> Refusal:
    """What the state allows, less what it is not the turn of `actor` to do."""
    if refusal.reason != "TRANSITION_FORBIDDEN":
        return refusal
    state = offer.state_at(now)
    allowed = [
        each for each in MACHINE.allowed(state, actor) if obstacle(offer, each, actor, now=now) is None
    ]
    event = refusal.metadata["action"]
    return transition_forbidden(offer.name, state=state.value, event=event, allowed=allowed)


def actions(
    offer: Offer, actor: Actor, *, now: datetime, clearance: Clearance = OWNER
) -> tuple[ActionState, ...]:
    """Every action that a party can ever take, with the reason for each that is missing now. `clearance` is
    that of a seller's team.
    """
    if actor not in SIDES:
        return ()
    found = []
    for state in MACHINE.explain(offer.state, actor):
        refusal = obstacle(offer, state.action, actor, now=now)
        if refusal is None and actor is Actor.SELLER:
            refusal = lack(offer, state.action, clearance)
        found.append(ActionState(state.action, refusal is None, refusal.reason if refusal else ""))
    return tuple(found)


def check_revision(offer: Offer, seen: int) -> None:
    """Refusal REVISION_STALE unless `seen` is the newest revision; 0 stands for whichever that is."""
    if seen and seen != offer.revision.number:
        raise refusals.revision_stale(offer.name, seen=seen, current=offer.revision.number)


def require(offer: Offer, event: str, actor: Actor, *, now: datetime) -> State:
    """The state after `event`. Refusals as for `obstacle`."""
    refusal = obstacle(offer, event, actor, now=now)
    if refusal is not None:
        raise refusal
    return MACHINE.move(offer.state_at(now), event, actor, name=offer.name)


# ------------------------------------------------------------------------------------------- steps of a move


def moved(offer: Offer, state: State, *, now: datetime) -> Offer:
    """The next version of the offer, in `state`."""
    return replace(offer, state=state, version=offer.version + 1, update_time=now)


def proposed(offer: Offer, author: Author, *, terms: Terms, note: str, now: datetime) -> Offer:
    """The offer with one more revision; from the first sending on, the currency stays."""
    check_times(terms, now=now)
    total = total_of(terms)
    if offer.is_sent and total.currency != offer.revision.total.currency:
        raise refusals.currency_mismatch(
            "terms.line_items", expected=offer.revision.total.currency, actual=total.currency
        )
    revision = Revision(offer.revision.number + 1, author, terms, total, note, now)
    return replace(moved(offer, offer.state, now=now), revision=revision)
