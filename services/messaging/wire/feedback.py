"""Feedback and ratings, and the events that these are made of."""

from __future__ import annotations

from collections.abc import Callable

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import timestamp
from parley.messaging.v1 import events_pb2
from parley.messaging.v1 import feedback_pb2 as pb
from services.messaging.app.feedback import LeaveFeedback, ListRatingEntries
from services.messaging.app.views import ConversationView
from services.messaging.domain import rating as ratings
from services.messaging.domain.outcome import ObservedContact
from services.messaging.domain.rating import Exclusion, Rating, RatingEntry, RatingFact
from services.messaging.wire.conversations import wire_conversation
from services.messaging.wire.outcomes import observed_decline

_KINDS = {kind: pb.RatingEntry.Kind.Value(f"KIND_{kind.value}") for kind in ratings.RatingKind}
_EXCLUSIONS = {one: pb.RatingEntry.Exclusion.Value(f"EXCLUSION_{one.value}") for one in Exclusion}
_OF_SELLER = "/rating"


def leave_feedback_command(request: pb.LeaveFeedbackRequest) -> LeaveFeedback:
    """Decodes LeaveFeedback."""
    return LeaveFeedback(request.name, request.rating, request.text)


def leave_feedback_response(view: ConversationView) -> pb.LeaveFeedbackResponse:
    """Encodes LeaveFeedback."""
    return pb.LeaveFeedbackResponse(conversation=wire_conversation(view))


def rated_seller(request: pb.GetSellerRatingRequest) -> str:
    """Decodes GetSellerRating."""
    return request.name.removesuffix(_OF_SELLER)


def get_seller_rating_response(rating: Rating) -> pb.GetSellerRatingResponse:
    """Encodes GetSellerRating."""
    resource = pb.SellerRating(
        name=rating.seller + _OF_SELLER,
        sample_size=rating.sample_size,
        feedback_count=rating.feedback_count,
        unanswered_count=rating.unanswered_count,
        exclusions=[
            pb.SellerRating.Exclusion(reason=_EXCLUSIONS[reason], count=count)
            for reason, count in sorted(rating.exclusions.items())
        ],
        start_time=timestamp(rating.start_time),
    )
    if rating.score_hundredths is not None:
        resource.score_hundredths = rating.score_hundredths
    return pb.GetSellerRatingResponse(rating=resource)


def list_rating_entries_query(request: pb.ListRatingEntriesRequest) -> ListRatingEntries:
    """Decodes ListRatingEntries. Refusal PAGE_TOKEN_INVALID."""
    return ListRatingEntries(request.parent.removesuffix(_OF_SELLER), paging.page_request(request))


def list_rating_entries_response(
    request: pb.ListRatingEntriesRequest,
) -> Callable[[Page[RatingEntry]], pb.ListRatingEntriesResponse]:
    """Encodes a page of entries; its token is bound to the request."""

    def encode(page: Page[RatingEntry]) -> pb.ListRatingEntriesResponse:
        return pb.ListRatingEntriesResponse(
            entries=[_wire_entry(entry) for entry in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode


def _wire_entry(entry: RatingEntry) -> pb.RatingEntry:
    fact = entry.fact
    resource = pb.RatingEntry(
        name=entry.name,
        kind=_KINDS[fact.kind],
        resource=fact.resource,
        score=fact.score or 0,
        create_time=timestamp(entry.create_time),
    )
    if fact.exclusion is not None:
        resource.exclusion = _EXCLUSIONS[fact.exclusion]
    return resource


def feedback_fact(message: events_pb2.FeedbackLeft) -> RatingFact:
    """A buyer said how he was served."""
    return ratings.feedback(message.conversation.seller, message.conversation.name, message.rating)


def decline_facts(message: events_pb2.InquiryDeclined) -> tuple[RatingFact, ObservedContact | None]:
    """What a declined inquiry means for the rating, and for an observer."""
    facts = message.conversation
    return ratings.inquiry_declined(facts.seller, facts.name), observed_decline(message)
