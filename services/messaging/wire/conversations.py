"""Conversations as their participants see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import optional_timestamp, timestamp, write_actions
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import conversation_pb2
from parley.messaging.v1 import messaging_service_pb2 as pb
from services.messaging.app.conversations import ChangeConversation, ListConversations
from services.messaging.app.ports import Selection, Topic
from services.messaging.app.views import ConversationView
from services.messaging.domain.conversation import PARTIES, State, actions
from services.messaging.domain.side import side_of
from services.messaging.wire.values import DECLINE_REASONS, SIDES, STATES

EXPLANATIONS = {
    "CONVERSATION_CLOSED": "the conversation is closed",
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
    return ListConversations(request.seller, selection, paging.page_request(request))


def wire_conversation(view: ConversationView) -> conversation_pb2.Conversation:
    """A conversation as its caller sees it: what was written and read is for those who take part."""
    conversation = view.conversation
    takes_part = view.actor in PARTIES
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
        unread_count=conversation.unread.get(side_of(view.actor), 0),
        read_receipts=[
            conversation_pb2.ReadReceipt(
                user=receipt.user,
                side=SIDES[receipt.side],
                message=f"{conversation.name}/messages/{receipt.message_id}",
                read_time=timestamp(receipt.read_time),
            )
            for receipt in conversation.receipts
            if takes_part
        ],
        archived=side_of(view.actor) in conversation.archived,
        close_time=optional_timestamp(conversation.close_time),
        reopen_deadline=optional_timestamp(conversation.reopen_deadline),
        last_entry_time=timestamp(conversation.last_entry_time),
        etag=f"v{conversation.version}",
        create_time=timestamp(conversation.create_time),
        update_time=timestamp(conversation.update_time),
    )
    if conversation.decline_reason is not None:
        resource.decline_reason = DECLINE_REASONS[conversation.decline_reason]
    possible = actions(conversation, actor=view.actor, now=view.now)
    write_actions(resource, possible, explanations=EXPLANATIONS)
    return resource


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
