"""MessagingService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from chassis.server import respond, respond_each
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1.messaging_service_pb2_grpc import MessagingServiceServicer
from services.messaging import wire
from services.messaging.app.commands import ConversationCommands
from services.messaging.app.queries import ConversationQueries


class MessagingServicer(MessagingServiceServicer):
    """Decodes, calls the app, encodes."""

    def __init__(self, commands: ConversationCommands, queries: ConversationQueries) -> None:
        self._commands = commands
        self._queries = queries

    async def CreateInquiry(self, request: pb.CreateInquiryRequest, context: Any) -> pb.CreateInquiryResponse:
        command = wire.create_inquiry_command(request)
        return await respond(context, command, self._commands.create_inquiry, wire.create_inquiry_response)

    async def GetConversation(
        self, request: pb.GetConversationRequest, context: Any
    ) -> pb.GetConversationResponse:
        return await respond(
            context, request.name, self._queries.get_conversation, wire.get_conversation_response
        )

    async def ListConversations(
        self, request: pb.ListConversationsRequest, context: Any
    ) -> pb.ListConversationsResponse:
        query = wire.list_conversations_query(request)
        encode = wire.list_conversations_response(request)
        return await respond(context, query, self._queries.list_conversations, encode)

    async def ListTimeline(self, request: pb.ListTimelineRequest, context: Any) -> pb.ListTimelineResponse:
        query = wire.list_timeline_query(request)
        encode = wire.list_timeline_response(request)
        return await respond(context, query, self._queries.list_timeline, encode)

    async def WatchConversation(
        self, request: pb.WatchConversationRequest, context: Any
    ) -> AsyncIterator[pb.WatchConversationResponse]:
        query = wire.watch_conversation_query(request)
        async for answer in respond_each(
            context, query, self._queries.watch_conversation, wire.watch_conversation_response
        ):
            yield answer

    async def SendMessage(self, request: pb.SendMessageRequest, context: Any) -> pb.SendMessageResponse:
        command = wire.send_message_command(request)
        return await respond(context, command, self._commands.send_message, wire.send_message_response)

    async def MarkRead(self, request: pb.MarkReadRequest, context: Any) -> pb.MarkReadResponse:
        command = wire.mark_read_command(request)
        return await respond(context, command, self._commands.mark_read, wire.mark_read_response)
