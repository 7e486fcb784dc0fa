"""Translations on the wire."""

from __future__ import annotations

from parley.messaging.v1 import translation_methods_pb2
from services.messaging.app.translations import TranslatedMessage, TranslateMessage
from services.messaging.wire.messages import wire_message, wire_translation


def translate_message_command(request: translation_methods_pb2.TranslateMessageRequest) -> TranslateMessage:
    """Decodes TranslateMessage."""
    return TranslateMessage(request.name, request.target_language)


def translate_message_response(
    translated: TranslatedMessage,
) -> translation_methods_pb2.TranslateMessageResponse:
    """Encodes TranslateMessage."""
    return translation_methods_pb2.TranslateMessageResponse(
        message=wire_message(translated.message), translation=wire_translation(translated.translation)
    )
