"""People in copy, forwards and blocks."""

from __future__ import annotations

from chassis.wire import timestamp
from parley.messaging.v1 import participant_methods_pb2 as pb
from services.messaging.app.participants import (
    AddParticipant,
    ForwardConversation,
    Forwarded,
    RemoveParticipant,
)
from services.messaging.app.views import ConversationView
from services.messaging.wire.conversations import wire_conversation


def add_participant_command(request: pb.AddParticipantRequest) -> AddParticipant:
    """Decodes AddParticipant."""
    return AddParticipant(request.name, request.user, request.share_history, request.etag)


def remove_participant_command(request: pb.RemoveParticipantRequest) -> RemoveParticipant:
    """Decodes RemoveParticipant."""
    return RemoveParticipant(request.name, request.user, request.etag)


def forward_conversation_command(request: pb.ForwardConversationRequest) -> ForwardConversation:
    """Decodes ForwardConversation."""
    return ForwardConversation(request.name, request.address, request.user, request.etag)


def add_participant_response(view: ConversationView) -> pb.AddParticipantResponse:
    """Encodes AddParticipant."""
    return pb.AddParticipantResponse(conversation=wire_conversation(view))


def remove_participant_response(view: ConversationView) -> pb.RemoveParticipantResponse:
    """Encodes RemoveParticipant."""
    return pb.RemoveParticipantResponse(conversation=wire_conversation(view))


def forward_conversation_response(forwarded: Forwarded) -> pb.ForwardConversationResponse:
    """Encodes ForwardConversation, which only the seller's team calls."""
    forward = forwarded.forward
    return pb.ForwardConversationResponse(
        conversation=wire_conversation(forwarded.conversation),
        forward=pb.Forward(
            name=forward.name,
            address=forward.address,
            user=forward.user,
            author=forward.author,
            create_time=timestamp(forward.create_time),
        ),
    )


def block_participant_response(view: ConversationView) -> pb.BlockParticipantResponse:
    """Encodes BlockParticipant."""
    return pb.BlockParticipantResponse(conversation=wire_conversation(view))


def unblock_participant_response(view: ConversationView) -> pb.UnblockParticipantResponse:
    """Encodes UnblockParticipant."""
    return pb.UnblockParticipantResponse(conversation=wire_conversation(view))
