"""Offers and their revisions as callers see them."""

from __future__ import annotations

from chassis.kernel.machine import Actor
from chassis.wire import optional_timestamp, timestamp, wire_money, write_actions
from parley.offers.v1 import offer_pb2, offer_settings_pb2
from services.offers.app.views import OfferView
from services.offers.domain.chain import (
    Acceptance,
    AutomaticAnswer,
    NewQuote,
    Offer,
    Revision,
    State,
    actions,
)
from services.offers.domain.origin import OriginKind, kind_of
from services.offers.domain.refusals import Reason
from services.offers.domain.review import Review
from services.offers.wire.values import wire_address, wire_terms

STATE_PREFIX = "STATE_"
_AUTHOR_PREFIX = "AUTHOR_"
_ON_ACCEPT_PREFIX = "ON_ACCEPT_"
_PARTIES = frozenset({Actor.BUYER, Actor.SELLER})
# Whoever makes the order reads where it goes from here, because events carry no contact data.
_MAY_SEE_ADDRESSES = _PARTIES | {Actor.SERVICE}
_EXPLANATIONS = {
    Reason.OFFER_EXPIRED.value: "its time ran out",
    Reason.NOT_YOUR_TURN.value: "the other side is to answer this revision",
    Reason.APPROVAL_REQUIRED.value: "the owner has to approve first",
    Reason.APPROVAL_NOT_NEEDED.value: "you can send it as it is",
    Reason.TOO_MANY_REVISIONS.value: "the chain has reached its maximum of revisions",
}


def wire_offer(view: OfferView) -> offer_pb2.Offer:
    """An offer as one caller sees it: words and addresses are for the parties."""
    offer, actor = view.offer, view.actor
    message = offer_pb2.Offer(
        name=offer.name,
        seller=offer.seller,
        buyer=offer.buyer,
        on_accept=wire_on_accept(offer),
        state=wire_state(offer.state),
        current_revision=wire_revision(offer.name, offer.revision, actor),
        first_open_time=optional_timestamp(offer.first_open_time),
        acceptance=_wire_acceptance(offer.acceptance, actor),
        decline_reason=offer.decline_reason if actor in _PARTIES else "",
        close_time=optional_timestamp(offer.close_time),
        etag=offer.etag,
        create_time=timestamp(offer.create_time),
        update_time=timestamp(offer.update_time),
        new_quote=_wire_new_quote(offer.new_quote, actor),
        automatic_answer=_wire_automatic_answer(offer.automatic_answer, actor),
        review=_wire_review(offer.review) if actor is Actor.SELLER else None,
    )
    match kind_of(offer.origin):
        case OriginKind.ORDER_REQUEST:
            message.order_request = offer.origin
        case OriginKind.ORDER:
            message.order = offer.origin
        case OriginKind.CONVERSATION:
            message.conversation = offer.origin
    write_actions(
        message, actions(offer, actor, now=view.now, clearance=view.clearance), explanations=_EXPLANATIONS
    )
    return message


def wire_state(state: State) -> offer_pb2.Offer.State.ValueType:
    """The wire form of a state."""
    return offer_pb2.Offer.State.Value(STATE_PREFIX + state)


def wire_author(revision: Revision) -> offer_pb2.OfferRevision.Author.ValueType:
    """The wire form of a revision's author."""
    return offer_pb2.OfferRevision.Author.Value(_AUTHOR_PREFIX + revision.author)


def wire_on_accept(offer: Offer) -> offer_pb2.Offer.OnAccept.ValueType:
    """The wire form of what acceptance does."""
    return offer_pb2.Offer.OnAccept.Value(_ON_ACCEPT_PREFIX + offer.on_accept)


def wire_revision(offer: str, revision: Revision, actor: Actor) -> offer_pb2.OfferRevision:
    """A revision of the offer of that name, as one party sees it."""
    return offer_pb2.OfferRevision(
        name=f"{offer}/revisions/{revision.number}",
        number=revision.number,
        author=wire_author(revision),
        terms=wire_terms(revision.terms),
        total=wire_money(revision.total),
        note=revision.note if actor in _PARTIES else "",
        create_time=timestamp(revision.create_time),
    )


def _wire_acceptance(acceptance: Acceptance | None, actor: Actor) -> offer_pb2.Acceptance | None:
    if acceptance is None:
        return None
    message = offer_pb2.Acceptance(
        revision=acceptance.revision,
        accept_time=timestamp(acceptance.accept_time),
        order=acceptance.order,
    )
    if actor in _MAY_SEE_ADDRESSES:
        message.MergeFrom(
            offer_pb2.Acceptance(
                billing_address=wire_address(acceptance.billing_address),
                delivery_address=wire_address(acceptance.delivery_address),
            )
        )
    return message


def _wire_new_quote(new_quote: NewQuote | None, actor: Actor) -> offer_pb2.NewQuote | None:
    if new_quote is None:
        return None
    return offer_pb2.NewQuote(
        revision=new_quote.revision,
        request_time=timestamp(new_quote.request_time),
        text=new_quote.text if actor in _PARTIES else "",
    )


def _wire_automatic_answer(
    answer: AutomaticAnswer | None, actor: Actor
) -> offer_settings_pb2.AutomaticAnswer | None:
    if answer is None:
        return None
    is_seller = actor is Actor.SELLER
    return offer_settings_pb2.AutomaticAnswer(
        verdict=offer_settings_pb2.AutomaticAnswer.Verdict.Value(f"VERDICT_{answer.answer}"),
        revision=answer.revision,
        answer_time=timestamp(answer.answer_time),
        # A buyer who knew the threshold would bargain to the cent.
        settings_version=answer.settings_version if is_seller else 0,
        percent=answer.percent if is_seller else 0,
    )


def _wire_review(review: Review | None) -> offer_settings_pb2.OfferReview | None:
    if review is None:
        return None
    verdicts = offer_settings_pb2.OfferReview.Verdict
    return offer_settings_pb2.OfferReview(
        revision=review.revision,
        submitter=review.submitter,
        submit_time=timestamp(review.submit_time),
        submit_text=review.submit_text,
        verdict=verdicts.Value(f"VERDICT_{review.verdict or 'UNSPECIFIED'}"),
        reviewer=review.reviewer,
        review_time=optional_timestamp(review.review_time),
        review_text=review.review_text,
    )
