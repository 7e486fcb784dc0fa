"""Messages and read receipts."""

from __future__ import annotations

from typing import Final

from chassis.wire import optional_timestamp, timestamp
from parley.messaging.v1 import messaging_service_pb2, timeline_pb2, translation_pb2
from services.messaging.app.messages import MarkRead, SendMessage
from services.messaging.app.views import ConversationView
from services.messaging.domain.message import Message
from services.messaging.domain.translation import Translation
from services.messaging.wire.attachments import wire_attachment
from services.messaging.wire.conversations import wire_conversation
from services.messaging.wire.values import CHANNELS, KINDS, KINDS_SENT, SIDES


def send_message_command(request: messaging_service_pb2.SendMessageRequest) -> SendMessage:
    """Decodes SendMessage; an unset kind is public."""
    return SendMessage(request.parent, request.text, KINDS_SENT[request.kind], tuple(request.attachments))


def mark_read_command(request: messaging_service_pb2.MarkReadRequest) -> MarkRead:
    """Decodes MarkRead."""
    return MarkRead(request.name, request.message)


ERASED: Final = "[erased]"
"""What stands in place of an erased text."""


def wire_message(message: Message) -> timeline_pb2.Message:
    """A message; its read time is absent until the other side read it."""
    resource = timeline_pb2.Message(
        name=message.name,
        author=message.author,
        side=SIDES[message.side],
        kind=KINDS[message.kind],
        text=message.text,
        create_time=timestamp(message.create_time),
        recipients=message.recipients,
        channel=CHANNELS[message.channel],
        bounced_recipients=message.bounced,
        bounced_members=message.bounced_members,
        attachments=[wire_attachment(each) for each in message.attachments],
        language=message.language,
        translations=[wire_translation(each) for each in message.translations],
    )
    if message.read_time is not None:
        resource.read_time.CopyFrom(timestamp(message.read_time))
    if message.erase_time is not None:
        resource.text = ERASED
        resource.erase_time.CopyFrom(timestamp(message.erase_time))
    return resource


def wire_translation(translation: Translation) -> translation_pb2.Translation:
    """What a message says in another language."""
    return translation_pb2.Translation(
        language=translation.language,
        source_language=translation.source,
        text=translation.text,
        engine=translation.engine,
        create_time=optional_timestamp(translation.create_time),
    )


def send_message_response(message: Message) -> messaging_service_pb2.SendMessageResponse:
    """Encodes SendMessage."""
    return messaging_service_pb2.SendMessageResponse(message=wire_message(message))


def mark_read_response(view: ConversationView) -> messaging_service_pb2.MarkReadResponse:
    """Encodes MarkRead."""
    return messaging_service_pb2.MarkReadResponse(conversation=wire_conversation(view))
