"""Conversations as their participants see them."""

from __future__ import annotations

from collections.abc import Callable

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import timestamp, write_actions
from parley.messaging.v1 import conversation_pb2, messaging_service_pb2
from services.messaging.app.conversations import ListConversations
from services.messaging.app.views import ConversationView
from services.messaging.domain.conversation import MACHINE
from services.messaging.domain.side import side_of
from services.messaging.wire.values import SIDES, STATES


def list_conversations_query(request: messaging_service_pb2.ListConversationsRequest) -> ListConversations:
    """Decodes ListConversations. Refusal PAGE_TOKEN_INVALID."""
    return ListConversations(request.seller, request.unread_only, paging.page_request(request))


def wire_conversation(view: ConversationView) -> conversation_pb2.Conversation:
    """A conversation as its caller sees it."""
    conversation = view.conversation
    resource = conversation_pb2.Conversation(
        name=conversation.name,
        subject=conversation.subject,
        origin=conversation.origin,
        seller=conversation.seller,
        buyer=conversation.buyer,
        state=STATES[conversation.state],
        title=conversation.title,
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
        ],
        last_entry_time=timestamp(conversation.last_entry_time),
        etag=f"v{conversation.version}",
        create_time=timestamp(conversation.create_time),
        update_time=timestamp(conversation.update_time),
    )
    write_actions(resource, MACHINE.explain(conversation.state, view.actor), explanations={})
    return resource


def get_conversation_response(view: ConversationView) -> messaging_service_pb2.GetConversationResponse:
    """Encodes GetConversation."""
    return messaging_service_pb2.GetConversationResponse(conversation=wire_conversation(view))


def list_conversations_response(
    request: messaging_service_pb2.ListConversationsRequest,
) -> Callable[[Page[ConversationView]], messaging_service_pb2.ListConversationsResponse]:
    """Encodes a page of conversations; its token is bound to the request."""

    def encode(page: Page[ConversationView]) -> messaging_service_pb2.ListConversationsResponse:
        return messaging_service_pb2.ListConversationsResponse(
            conversations=[wire_conversation(view) for view in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode
