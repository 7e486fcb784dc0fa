"""The values of messaging on the wire."""

from __future__ import annotations

from parley.messaging.v1 import conversation_pb2, timeline_pb2
from services.messaging.domain.conversation import DeclineReason, State
from services.messaging.domain.message import Channel, Kind
from services.messaging.domain.side import Side

SIDES = {
    Side.BUYER: conversation_pb2.SIDE_BUYER,
    Side.SELLER: conversation_pb2.SIDE_SELLER,
    Side.SYSTEM: conversation_pb2.SIDE_SYSTEM,
}
STATES = {
    State.OPEN: conversation_pb2.Conversation.STATE_OPEN,
    State.CLOSED: conversation_pb2.Conversation.STATE_CLOSED,
}
KINDS = {
    Kind.PUBLIC: timeline_pb2.Message.KIND_PUBLIC,
    Kind.INTERNAL_NOTE: timeline_pb2.Message.KIND_INTERNAL_NOTE,
}
KINDS_SENT = {
    timeline_pb2.Message.KIND_UNSPECIFIED: Kind.PUBLIC,
    timeline_pb2.Message.KIND_PUBLIC: Kind.PUBLIC,
    timeline_pb2.Message.KIND_INTERNAL_NOTE: Kind.INTERNAL_NOTE,
}
CHANNELS = {
    Channel.INTERFACE: timeline_pb2.Message.CHANNEL_INTERFACE,
    Channel.EMAIL: timeline_pb2.Message.CHANNEL_EMAIL,
}

_DECLINE = "DECLINE_REASON_"
DECLINE_REASONS = {
    reason: conversation_pb2.Conversation.DeclineReason.Value(f"{_DECLINE}{reason.value}")
    for reason in DeclineReason
}
DECLINE_REASONS_SENT = {value: reason for reason, value in DECLINE_REASONS.items()}
