"""The RPCs of people in copy, forwards and blocks: decode, call, encode."""

from __future__ import annotations

from typing import Any

from chassis.server import respond
from parley.messaging.v1 import participant_methods_pb2 as pb
from services.messaging.app.participants import ParticipantCommands
from services.messaging.wire import participants as wire


class ParticipantMethods:
    """A part of `MessagingServicer`, which sets `_participants`."""

    _participants: ParticipantCommands

    async def AddParticipant(
        self, request: pb.AddParticipantRequest, context: Any
    ) -> pb.AddParticipantResponse:
        command = wire.add_participant_command(request)
        return await respond(context, command, self._participants.add, wire.add_participant_response)

    async def RemoveParticipant(
        self, request: pb.RemoveParticipantRequest, context: Any
    ) -> pb.RemoveParticipantResponse:
        command = wire.remove_participant_command(request)
        return await respond(context, command, self._participants.remove, wire.remove_participant_response)

    async def ForwardConversation(
        self, request: pb.ForwardConversationRequest, context: Any
    ) -> pb.ForwardConversationResponse:
        command = wire.forward_conversation_command(request)
        return await respond(context, command, self._participants.forward, wire.forward_conversation_response)

    async def BlockParticipant(
        self, request: pb.BlockParticipantRequest, context: Any
    ) -> pb.BlockParticipantResponse:
        return await respond(context, request.name, self._participants.block, wire.block_participant_response)

    async def UnblockParticipant(
        self, request: pb.UnblockParticipantRequest, context: Any
    ) -> pb.UnblockParticipantResponse:
        return await respond(
            context, request.name, self._participants.unblock, wire.unblock_participant_response
        )
