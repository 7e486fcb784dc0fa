"""What observers may know, and the events that it is made of."""

from __future__ import annotations

from collections.abc import Callable

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import optional_timestamp, timestamp
from parley.messaging.v1 import conversation_pb2, events_pb2, timeline_pb2
from parley.messaging.v1 import outcome_pb2 as pb
from services.messaging.app.outcomes import ListOutcomes
from services.messaging.domain.outcome import ObservedContact, ObservedInquiry, Outcome


def list_outcomes_query(request: pb.ListOutcomesRequest) -> ListOutcomes:
    """Decodes ListOutcomes. Refusal PAGE_TOKEN_INVALID."""
    return ListOutcomes(request.parent, paging.page_request(request))


def wire_outcome(outcome: Outcome) -> pb.Outcome:
    """An outcome."""
    return pb.Outcome(
        name=outcome.name,
        observer=outcome.observer,
        seller=outcome.seller,
        marketplace=outcome.marketplace,
        create_time=timestamp(outcome.create_time),
        contact_made=outcome.contact_time is not None,
        contact_time=optional_timestamp(outcome.contact_time),
        sale_closed=outcome.sale_time is not None,
        sale_time=optional_timestamp(outcome.sale_time),
    )


def get_outcome_response(outcome: Outcome) -> pb.GetOutcomeResponse:
    """Encodes GetOutcome."""
    return pb.GetOutcomeResponse(outcome=wire_outcome(outcome))


def list_outcomes_response(
    request: pb.ListOutcomesRequest,
) -> Callable[[Page[Outcome]], pb.ListOutcomesResponse]:
    """Encodes a page of outcomes; its token is bound to the request."""

    def encode(page: Page[Outcome]) -> pb.ListOutcomesResponse:
        return pb.ListOutcomesResponse(
            outcomes=[wire_outcome(outcome) for outcome in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode


def observed_inquiry(message: events_pb2.ConversationStarted) -> ObservedInquiry | None:
    """An inquiry that somebody observes; None for every other conversation."""
    facts = message.conversation
    if not facts.observer:
        return None
    return ObservedInquiry(facts.name, facts.observer, facts.seller, facts.marketplace)


def observed_message(message: events_pb2.MessageSent) -> ObservedContact | None:
    """The seller wrote to the buyer of an inquiry that somebody observes; None for every other message."""
    public = message.kind == timeline_pb2.Message.KIND_PUBLIC
    if not message.conversation.observer or not public or message.side != conversation_pb2.SIDE_SELLER:
        return None
    return ObservedContact(message.conversation.name)


def observed_decline(message: events_pb2.InquiryDeclined) -> ObservedContact | None:
    """The seller declined an inquiry that somebody observes: an answer, too."""
    return ObservedContact(message.conversation.name) if message.conversation.observer else None
