"""The RPCs of messages and timelines: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from chassis.server import respond, respond_each
from parley.messaging.v1 import messaging_service_pb2 as pb
from parley.messaging.v1 import translation_methods_pb2 as translating
from services.messaging.app.messages import MessageCommands
from services.messaging.app.timeline import TimelineQueries
from services.messaging.app.translations import TranslationCommands
from services.messaging.wire import messages as wire
from services.messaging.wire import timeline, translations


@dataclass(frozen=True, slots=True)
class MessageRooms:
    """What the methods call."""

    commands: MessageCommands
    timelines: TimelineQueries
    translations: TranslationCommands


class MessageMethods:
    """A part of `MessagingServicer`, which sets `_messages`."""

    _messages: MessageRooms

    async def ListTimeline(self, request: pb.ListTimelineRequest, context: Any) -> pb.ListTimelineResponse:
        query = timeline.list_timeline_query(request)
        encode = timeline.list_timeline_response(request)
        return await respond(context, query, self._messages.timelines.list_timeline, encode)

    async def WatchConversation(
        self, request: pb.WatchConversationRequest, context: Any
    ) -> AsyncIterator[pb.WatchConversationResponse]:
        query = timeline.watch_conversation_query(request)
        async for answer in respond_each(
            context, query, self._messages.timelines.watch_conversation, timeline.watch_conversation_response
        ):
            yield answer

    async def SendMessage(self, request: pb.SendMessageRequest, context: Any) -> pb.SendMessageResponse:
        command = wire.send_message_command(request)
        return await respond(
            context, command, self._messages.commands.send_message, wire.send_message_response
        )

    async def MarkRead(self, request: pb.MarkReadRequest, context: Any) -> pb.MarkReadResponse:
        command = wire.mark_read_command(request)
        return await respond(context, command, self._messages.commands.mark_read, wire.mark_read_response)

    async def TranslateMessage(
        self, request: translating.TranslateMessageRequest, context: Any
    ) -> translating.TranslateMessageResponse:
        command = translations.translate_message_command(request)
        translate = self._messages.translations.translate
        return await respond(context, command, translate, translations.translate_message_response)
