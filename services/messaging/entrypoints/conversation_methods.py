"""The RPCs of conversations and inquiries: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.server import respond
from parley.messaging.v1 import messaging_service_pb2 as pb
from services.messaging.app.conversations import ConversationQueries
from services.messaging.app.inquiries import InquiryCommands
from services.messaging.wire import conversations as wire
from services.messaging.wire import inquiries


@dataclass(frozen=True, slots=True)
class ConversationRooms:
    """What the methods call."""

    inquiries: InquiryCommands
    queries: ConversationQueries


class ConversationMethods:
    """A part of `MessagingServicer`, which sets `_conversations`."""

    _conversations: ConversationRooms

    async def CreateInquiry(self, request: pb.CreateInquiryRequest, context: Any) -> pb.CreateInquiryResponse:
        command = inquiries.create_inquiry_command(request)
        return await respond(
            context, command, self._conversations.inquiries.create_inquiry, inquiries.create_inquiry_response
        )

    async def GetConversation(
        self, request: pb.GetConversationRequest, context: Any
    ) -> pb.GetConversationResponse:
        return await respond(
            context,
            request.name,
            self._conversations.queries.get_conversation,
            wire.get_conversation_response,
        )

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: Any
    ) -> pb.ListConversationsResponse:
        query = wire.list_conversations_query(request)
        encode = wire.list_conversations_response(request)
        return await respond(context, query, self._conversations.queries.list_conversations, encode)
