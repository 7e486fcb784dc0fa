"""The RPCs of conversations and inquiries: decode, call, encode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chassis.server import respond
from parley.messaging.v1 import conversation_methods_pb2 as methods
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import outcome_pb2
from services.messaging.app.conversations import ConversationQueries
from services.messaging.app.inquiries import InquiryCommands
from services.messaging.app.lifecycle import LifecycleCommands
from services.messaging.app.outcomes import OutcomeQueries
from services.messaging.wire import conversations as wire
from services.messaging.wire import inquiries, outcomes


@dataclass(frozen=True, slots=True)
class ConversationRooms:
    """What the methods call."""

    inquiries: InquiryCommands
    queries: ConversationQueries
    lifecycle: LifecycleCommands
    outcomes: OutcomeQueries


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

    async def DeclineInquiry(
        self, request: methods.DeclineInquiryRequest, context: Any
    ) -> methods.DeclineInquiryResponse:
        command = inquiries.decline_inquiry_command(request)
        decline = self._conversations.inquiries.decline_inquiry
        return await respond(context, command, decline, inquiries.decline_inquiry_response)

    async def CloseConversation(
        self, request: methods.CloseConversationRequest, context: Any
    ) -> methods.CloseConversationResponse:
        command = wire.change_conversation_command(request)
        close = self._conversations.lifecycle.close
        return await respond(context, command, close, wire.close_conversation_response)

    async def ReopenConversation(
        self, request: methods.ReopenConversationRequest, context: Any
    ) -> methods.ReopenConversationResponse:
        command = wire.change_conversation_command(request)
        reopen = self._conversations.lifecycle.reopen
        return await respond(context, command, reopen, wire.reopen_conversation_response)

    async def ArchiveConversation(
        self, request: methods.ArchiveConversationRequest, context: Any
    ) -> methods.ArchiveConversationResponse:
        archive = self._conversations.lifecycle.archive
        return await respond(context, request.name, archive, wire.archive_conversation_response)

    async def UnarchiveConversation(
        self, request: methods.UnarchiveConversationRequest, context: Any
    ) -> methods.UnarchiveConversationResponse:
        unarchive = self._conversations.lifecycle.unarchive
        return await respond(context, request.name, unarchive, wire.unarchive_conversation_response)

    async def GetOutcome(
        self, request: outcome_pb2.GetOutcomeRequest, context: Any
    ) -> outcome_pb2.GetOutcomeResponse:
        get = self._conversations.outcomes.get
        return await respond(context, request.name, get, outcomes.get_outcome_response)

    async def ListOutcomes(
        self, request: outcome_pb2.ListOutcomesRequest, context: Any
    ) -> outcome_pb2.ListOutcomesResponse:
        query = outcomes.list_outcomes_query(request)
        encode = outcomes.list_outcomes_response(request)
        return await respond(context, query, self._conversations.outcomes.list, encode)
