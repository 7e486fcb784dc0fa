"""The timeline, listed and watched."""

from __future__ import annotations

from collections.abc import Callable

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import timestamp, wire_money
from parley.messaging.v1 import messaging_service_pb2, timeline_pb2
from services.messaging.app.timeline import ListTimeline, WatchConversation
from services.messaging.domain.message import Message
from services.messaging.domain.timeline import Entry
from services.messaging.wire.messages import wire_message
from services.messaging.wire.values import SIDES


def list_timeline_query(request: messaging_service_pb2.ListTimelineRequest) -> ListTimeline:
    """Decodes ListTimeline. Refusal PAGE_TOKEN_INVALID."""
    newest_first = request.order_by == messaging_service_pb2.TIMELINE_ORDER_NEWEST_FIRST
    return ListTimeline(request.parent, newest_first, paging.page_request(request))


def watch_conversation_query(request: messaging_service_pb2.WatchConversationRequest) -> WatchConversation:
    """Decodes WatchConversation."""
    return WatchConversation(request.name, request.after_entry)


def wire_entry(entry: Entry) -> timeline_pb2.TimelineEntry:
    """An entry of a timeline."""
    resource = timeline_pb2.TimelineEntry(name=entry.name, create_time=timestamp(entry.create_time))
    content = entry.content
    if isinstance(content, Message):
        resource.message.CopyFrom(wire_message(content))
        return resource
    resource.event.CopyFrom(
        timeline_pb2.TimelineEvent(
            type=timeline_pb2.TimelineEvent.Type.Value(f"TYPE_{content.type}"),
            side=SIDES[content.side],
            resource=content.resource,
            revision=content.revision,
            amount=None if content.amount is None else wire_money(content.amount),
            forward_address=content.address,
            by_link=content.by_link,
        )
    )
    return resource


def list_timeline_response(
    request: messaging_service_pb2.ListTimelineRequest,
) -> Callable[[Page[Entry]], messaging_service_pb2.ListTimelineResponse]:
    """Encodes a page of the timeline; its token is bound to the request."""

    def encode(page: Page[Entry]) -> messaging_service_pb2.ListTimelineResponse:
        return messaging_service_pb2.ListTimelineResponse(
            entries=[wire_entry(entry) for entry in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode


def watch_conversation_response(entry: Entry) -> messaging_service_pb2.WatchConversationResponse:
    """Encodes one streamed entry."""
    return messaging_service_pb2.WatchConversationResponse(entry=wire_entry(entry))
