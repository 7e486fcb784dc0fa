"""How a request follows the offers that answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.kernel.machine import Actor
from services.gating.domain.events import RequestVerb
from services.gating.domain.order_request import MACHINE, Moved, OrderRequest, State, at_rest, moved
from services.gating.domain.request_rules import ReofferPolicy


class OfferState(StrEnum):
    """Where an offer stands, as its owner says."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class OfferFact:
    """What the offers service said last about an offer. `by_seller`: the newest revision is the seller's."""

    name: str
    version: int
    seller: str
    buyer: str
    order_request: str
    order: str
    package: str
    state: OfferState
    by_seller: bool
    expire_time: datetime | None


def follow_offers(
    request: OrderRequest, offers: Sequence[OfferFact], *, answered: datetime, now: datetime
) -> Moved | None:
    """The request as all offers that answer it imply, whatever order they became known in; None: no change.

    An accepted offer decides for good; else the newest open one; else the request waits for the seller again,
    with a new deadline, or is closed where he wanted that. `answered` is when the newest of these happened.
    An open offer was sent while the request was open, as its owner asks about that: it counts after expiry.
    """
    accepted = next((offer for offer in offers if offer.state is OfferState.ACCEPTED), None)
    if accepted is not None:
        return _converted(request, accepted, now)
    newest = max((o for o in offers if o.state is OfferState.OPEN), key=lambda o: o.name, default=None)
    if newest is not None:
        return _offered(request, newest.name, answered=answered, now=now)
    if request.state is not State.OFFERED:
        return None
    if request.rules.reoffer_policy is ReofferPolicy.CLOSE:
        state = MACHINE.move(request.state, "close", Actor.SERVICE, name=request.name)
        return moved(at_rest(request, state), RequestVerb.CLOSED, now)
    state = MACHINE.move(request.state, "reopen", Actor.SERVICE, name=request.name)
    reopened = replace(request, state=state, expire_time=now + request.rules.ttl, reminders=0)
    return moved(reopened, RequestVerb.REOPENED, now)


def _converted(request: OrderRequest, accepted: OfferFact, now: datetime) -> Moved | None:
    if request.state is State.CONVERTED:
        return None
    state = MACHINE.move(request.state, "convert", Actor.SERVICE, name=request.name)
    # An order is news, also where the request was dismissed.
    changed = replace(at_rest(request, state), offer=accepted.name, order=accepted.order, dismissed=False)
    return moved(changed, RequestVerb.CONVERTED, now)


def _offered(request: OrderRequest, offer: str, *, answered: datetime, now: datetime) -> Moved | None:
    if not MACHINE.can(request.state, "sendOffer", Actor.SERVICE):
        # Over already, or offered: a newer offer takes the place of the one that the request names.
        if request.state is not State.OFFERED or request.offer == offer:
            return None
        return moved(replace(request, offer=offer), RequestVerb.OFFERED, now)
    state = MACHINE.move(request.state, "sendOffer", Actor.SERVICE, name=request.name)
    changed = replace(
        at_rest(request, state),
        offer=offer,
        first_response_time=request.first_response_time or max(answered, request.create_time),
        dismissed=False,
    )
    return moved(changed, RequestVerb.OFFERED, now)
