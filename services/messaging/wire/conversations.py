"""Conversations as their participants see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chassis import paging
from chassis.kernel.page import Page
from chassis.kernel.refusal import invalid
from chassis.wire import optional_timestamp, timestamp, write_actions
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import conversation_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from services.messaging.app.conversations import ChangeConversation, ListConversations
from services.messaging.app.ports import Selection, Topic
from services.messaging.app.views import ConversationView
from services.messaging.domain.conversation import (
    PARTICIPANTS,
    PARTIES,
    Conversation,
    Feedback,
    State,
    actions,
)
from services.messaging.domain.side import Seat
from services.messaging.wire.values import DECLINE_REASONS, SIDES, STATES

EXPLANATIONS = {
    "CONVERSATION_CLOSED": "the conversation is closed",
    "PARTICIPANT_BLOCKED": "one side has blocked the other",
    "NO_PHONE": "the buyer has left no phone number",
    "FEEDBACK_EXISTS": "feedback was left already",
    "NOT_AN_INQUIRY": "only an inquiry can be declined here",
}
STATES_ASKED: Mapping[int, State | None] = {0: None} | {value: state for state, value in STATES.items()}
_TOPICS: Mapping[int, Topic | None] = {
    pb.CONVERSATION_TOPIC_UNSPECIFIED: None,
    pb.CONVERSATION_TOPIC_INQUIRY: Topic.INQUIRY,
    pb.CONVERSATION_TOPIC_ORDER_REQUEST: Topic.ORDER_REQUEST,
    pb.CONVERSATION_TOPIC_ORDER: Topic.ORDER,
}


def list_conversations_query(request: pb.ListConversationsRequest) -> ListConversations:
    """Decodes ListConversations. Refusal PAGE_TOKEN_INVALID."""
    selection = Selection(
        archived=request.archived,
        unread_only=request.unread_only,
        state=STATES_ASKED[request.state],
        topic=_TOPICS[request.topic],
        marketplace=request.marketplace,
    )
    if request.seller and request.in_copy:
        raise invalid("seller", "has to be empty where those in copy are asked for")
    return ListConversations(request.seller, request.in_copy, selection, paging.page_request(request))


def wire_conversation(view: ConversationView) -> conversation_pb2.Conversation:
    """A conversation as its caller sees it: what was written and read is for those who take part."""
    conversation = view.conversation
    seat = view.seat
    takes_part = seat.actor in PARTICIPANTS
    unread, archived = _own_state(conversation, seat)
    resource = conversation_pb2.Conversation(
        name=conversation.name,
        subject=conversation.subject,
        origin=conversation.origin,
        seller=conversation.seller,
        buyer=conversation.buyer,
        state=STATES[conversation.state],
        title=conversation.title if takes_part else "",
        summary=conversation.summary if takes_part else "",
        observer=conversation.observer,
        marketplace=conversation.marketplace,
        unread_count=unread,
        read_receipts=[
            conversation_pb2.ReadReceipt(
                user=receipt.user,
                side=SIDES[receipt.side],
                message=f"{conversation.name}/messages/{receipt.message_id}",
                read_time=timestamp(receipt.read_time),
                in_copy=receipt.in_copy,
            )
            for receipt in conversation.receipts
            if takes_part
        ],
        archived=archived,
        participants=_participants(conversation) if takes_part else (),
        phone_available=seat.in_team and conversation.has_phone,
        blocked=not seat.in_copy and seat.side in conversation.blocks,
        close_time=optional_timestamp(conversation.close_time),
        reopen_deadline=optional_timestamp(conversation.reopen_deadline),
        last_entry_time=timestamp(conversation.last_entry_time),
        etag=f"v{conversation.version}",
        create_time=timestamp(conversation.create_time),
        update_time=timestamp(conversation.update_time),
    )
    if conversation.decline_reason is not None:
        resource.decline_reason = DECLINE_REASONS[conversation.decline_reason]
    if conversation.feedback is not None and seat.actor in PARTIES:
        resource.feedback.CopyFrom(_wire_feedback(conversation.feedback))
    possible = actions(conversation, actor=seat.actor, now=view.now)
    write_actions(resource, possible, explanations=EXPLANATIONS)
    return resource


def _own_state(conversation: Conversation, seat: Seat) -> tuple[int, bool]:
    """How much is unread from this place, and whether it is put away."""
    copy = conversation.copy_of(seat.user) if seat.in_copy else None
    if copy is not None:
        return copy.unread, copy.archived
    if seat.in_copy:
        return 0, False
    return conversation.unread.get(seat.side, 0), seat.side in conversation.archived


def _wire_feedback(feedback: Feedback) -> conversation_pb2.Feedback:
    return conversation_pb2.Feedback(
        rating=feedback.rating, text=feedback.text, create_time=timestamp(feedback.create_time)
    )


def _participants(conversation: Conversation) -> Iterator[conversation_pb2.Participant]:
    made = conversation_pb2.Participant
    names = conversation.names
    yield made(
        name=conversation.buyer,
        role=made.ROLE_BUYER,
        side=conversation_pb2.SIDE_BUYER,
        display_name=names.get(conversation.buyer, ""),
    )
    yield made(name=conversation.seller, role=made.ROLE_SELLER_TEAM, side=conversation_pb2.SIDE_SELLER)
    for copy in conversation.copies:
        yield made(
            name=copy.user,
            role=made.ROLE_COPY,
            side=SIDES[copy.side],
            granted_by=copy.granted_by,
            grant_time=timestamp(copy.grant_time),
            history_shared=copy.since is None,
            display_name=names.get(copy.user, ""),
        )


def get_conversation_response(view: ConversationView) -> pb.GetConversationResponse:
    """Encodes GetConversation."""
    return pb.GetConversationResponse(conversation=wire_conversation(view))


def list_conversations_response(
    request: pb.ListConversationsRequest,
) -> Callable[[Page[ConversationView]], pb.ListConversationsResponse]:
    """Encodes a page of conversations; its token is bound to the request."""

    def encode(page: Page[ConversationView]) -> pb.ListConversationsResponse:
        return pb.ListConversationsResponse(
            conversations=[wire_conversation(view) for view in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode


def change_conversation_command(
    request: methods.CloseConversationRequest | methods.ReopenConversationRequest,
) -> ChangeConversation:
    """Decodes CloseConversation and ReopenConversation."""
    return ChangeConversation(request.name, request.etag)


def close_conversation_response(view: ConversationView) -> methods.CloseConversationResponse:
    """Encodes CloseConversation."""
    return methods.CloseConversationResponse(conversation=wire_conversation(view))


def reopen_conversation_response(view: ConversationView) -> methods.ReopenConversationResponse:
    """Encodes ReopenConversation."""
    return methods.ReopenConversationResponse(conversation=wire_conversation(view))


def archive_conversation_response(view: ConversationView) -> methods.ArchiveConversationResponse:
    """Encodes ArchiveConversation."""
    return methods.ArchiveConversationResponse(conversation=wire_conversation(view))


def unarchive_conversation_response(view: ConversationView) -> methods.UnarchiveConversationResponse:
    """Encodes UnarchiveConversation."""
    return methods.UnarchiveConversationResponse(conversation=wire_conversation(view))
