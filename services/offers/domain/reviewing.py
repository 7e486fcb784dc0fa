"""The moves of a draft between its team and the owner. Nobody outside the team is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.kernel.machine import Actor
from services.offers.domain.chain import MACHINE, Offer, State, moved, require
from services.offers.domain.review import Clearance, Review, Verdict, is_approved, lack


def submit(offer: Offer, *, actor: Actor, user: str, clearance: Clearance, text: str, now: datetime) -> Offer:
    """The draft before the owner; once is enough. Refusals APPROVAL_NOT_NEEDED, TRANSITION_FORBIDDEN."""
    if offer.state is State.IN_REVIEW and MACHINE.can(State.DRAFT, "submitForReview", actor):
        return offer
    state = require(offer, "submitForReview", actor, now=now)
    refusal = lack(offer, "submitForReview", clearance)
    if refusal is not None:
        raise refusal
    review = Review(offer.revision.number, user, now, submit_text=text)
    return replace(moved(offer, state, now=now), review=review)


def approve(offer: Offer, *, actor: Actor, user: str, now: datetime) -> Offer:
    """The draft, cleared for sending; once is enough. Refusal TRANSITION_FORBIDDEN."""
    if offer.state is State.DRAFT and is_approved(offer) and MACHINE.can(State.IN_REVIEW, "approve", actor):
        return offer
    state = require(offer, "approve", actor, now=now)
    return _decided(offer, state, Verdict.APPROVED, user=user, text="", now=now)


def give_back(offer: Offer, *, actor: Actor, user: str, text: str, now: datetime) -> Offer:
    """The draft, to be changed. Refusal TRANSITION_FORBIDDEN."""
    state = require(offer, "returnToDraft", actor, now=now)
    return _decided(offer, state, Verdict.RETURNED, user=user, text=text, now=now)


def _decided(offer: Offer, state: State, verdict: Verdict, *, user: str, text: str, now: datetime) -> Offer:
    assert offer.review is not None
    review = replace(offer.review, verdict=verdict, reviewer=user, review_time=now, review_text=text)
    return replace(moved(offer, state, now=now), review=review)
