"""Between the protos and the domain of messaging: the only room that speaks both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message as ProtoMessage

from chassis import paging
from chassis.envelope import EventRecord, record_for
from chassis.kernel.ids import Ids
from chassis.kernel.money import Money
from chassis.kernel.page import Page
from chassis.wire import money, timestamp, wire_money, write_actions
from parley.gating.v1 import events_pb2 as gating_events
from parley.messaging.v1 import conversation_pb2, messaging_service_pb2, timeline_pb2
from parley.messaging.v1 import events_pb2 as messaging_events
from parley.offers.v1 import events_pb2 as offers_events
from parley.offers.v1 import offer_pb2
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1.fulfilment_pb2 import Cancellation
from services.messaging.app.commands import CreateInquiry, MarkRead, SendMessage, StartedInquiry
from services.messaging.app.queries import ListConversations, ListTimeline, WatchConversation
from services.messaging.app.views import ConversationView
from services.messaging.domain import events
from services.messaging.domain.conversation import MACHINE, Conversation, Kind, Message, Side, State, side_of
from services.messaging.domain.timeline import Entry, EventType, Happening, Report, Subject

_SIDES = {
    Side.BUYER: conversation_pb2.SIDE_BUYER,
    Side.SELLER: conversation_pb2.SIDE_SELLER,
    Side.SYSTEM: conversation_pb2.SIDE_SYSTEM,
}
_STATES = {
    State.OPEN: conversation_pb2.Conversation.STATE_OPEN,
    State.CLOSED: conversation_pb2.Conversation.STATE_CLOSED,
}
_KINDS = {
    Kind.PUBLIC: timeline_pb2.Message.KIND_PUBLIC,
    Kind.INTERNAL_NOTE: timeline_pb2.Message.KIND_INTERNAL_NOTE,
}
_KINDS_SENT = {
    timeline_pb2.Message.KIND_UNSPECIFIED: Kind.PUBLIC,
    timeline_pb2.Message.KIND_PUBLIC: Kind.PUBLIC,
    timeline_pb2.Message.KIND_INTERNAL_NOTE: Kind.INTERNAL_NOTE,
}

# ------------------------------------------------------------------------------------------------- requests


def create_inquiry_command(request: messaging_service_pb2.CreateInquiryRequest) -> CreateInquiry:
    """Decodes CreateInquiry."""
    return CreateInquiry(request.seller, request.title, request.text, request.marketplace)


def send_message_command(request: messaging_service_pb2.SendMessageRequest) -> SendMessage:
    """Decodes SendMessage; an unset kind is public."""
    return SendMessage(request.parent, request.text, _KINDS_SENT[request.kind])


def mark_read_command(request: messaging_service_pb2.MarkReadRequest) -> MarkRead:
    """Decodes MarkRead."""
    return MarkRead(request.name, request.message)


def list_conversations_query(request: messaging_service_pb2.ListConversationsRequest) -> ListConversations:
    """Decodes ListConversations. Refusal PAGE_TOKEN_INVALID."""
    return ListConversations(request.seller, request.unread_only, paging.page_request(request))


def list_timeline_query(request: messaging_service_pb2.ListTimelineRequest) -> ListTimeline:
    """Decodes ListTimeline. Refusal PAGE_TOKEN_INVALID."""
    newest_first = request.order_by == messaging_service_pb2.TIMELINE_ORDER_NEWEST_FIRST
    return ListTimeline(request.parent, newest_first, paging.page_request(request))


def watch_conversation_query(request: messaging_service_pb2.WatchConversationRequest) -> WatchConversation:
    """Decodes WatchConversation."""
    return WatchConversation(request.name, request.after_entry)


# ------------------------------------------------------------------------------------------------ responses


def wire_conversation(view: ConversationView) -> conversation_pb2.Conversation:
    """A conversation as its caller sees it."""
    conversation = view.conversation
    resource = conversation_pb2.Conversation(
        name=conversation.name,
        subject=conversation.subject,
        origin=conversation.origin,
        seller=conversation.seller,
        buyer=conversation.buyer,
        state=_STATES[conversation.state],
        title=conversation.title,
        marketplace=conversation.marketplace,
        unread_count=conversation.unread.get(side_of(view.actor), 0),
        read_receipts=[
            conversation_pb2.ReadReceipt(
                user=receipt.user,
                side=_SIDES[receipt.side],
                message=f"{conversation.name}/messages/{receipt.message_id}",
                read_time=timestamp(receipt.read_time),
            )
            for receipt in conversation.receipts
        ],
        last_entry_time=timestamp(conversation.last_entry_time),
        etag=f"v{conversation.version}",
        create_time=timestamp(conversation.create_time),
        update_time=timestamp(conversation.update_time),
    )
    write_actions(resource, MACHINE.explain(conversation.state, view.actor), explanations={})
    return resource


def wire_message(message: Message) -> timeline_pb2.Message:
    """A message; its read time is absent until the other side read it."""
    resource = timeline_pb2.Message(
        name=message.name,
        author=message.author,
        side=_SIDES[message.side],
        kind=_KINDS[message.kind],
        text=message.text,
        create_time=timestamp(message.create_time),
    )
    if message.read_time is not None:
        resource.read_time.CopyFrom(timestamp(message.read_time))
    return resource


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
            side=_SIDES[content.side],
            resource=content.resource,
            revision=content.revision,
            amount=None if content.amount is None else wire_money(content.amount),
        )
    )
    return resource


def create_inquiry_response(begun: StartedInquiry) -> messaging_service_pb2.CreateInquiryResponse:
    """Encodes CreateInquiry."""
    return messaging_service_pb2.CreateInquiryResponse(
        conversation=wire_conversation(begun.conversation), message=wire_message(begun.message)
    )


def get_conversation_response(view: ConversationView) -> messaging_service_pb2.GetConversationResponse:
    """Encodes GetConversation."""
    return messaging_service_pb2.GetConversationResponse(conversation=wire_conversation(view))


def list_conversations_response(
    request: messaging_service_pb2.ListConversationsRequest,
) -> Callable[[Page[ConversationView]], messaging_service_pb2.ListConversationsResponse]:
    """Encodes a page of conversations; its token is bound to the request."""

    def encode(page: Page[ConversationView]) -> messaging_service_pb2.ListConversationsResponse:
        return messaging_service_pb2.ListConversationsResponse(
            conversations=[wire_conversation(view) for view in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode


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


def send_message_response(message: Message) -> messaging_service_pb2.SendMessageResponse:
    """Encodes SendMessage."""
    return messaging_service_pb2.SendMessageResponse(message=wire_message(message))


def mark_read_response(view: ConversationView) -> messaging_service_pb2.MarkReadResponse:
    """Encodes MarkRead."""
    return messaging_service_pb2.MarkReadResponse(conversation=wire_conversation(view))


# --------------------------------------------------------------------------------------- events of the others

_REQUEST_EVENTS: Mapping[type[Any], tuple[EventType, Side]] = {
    gating_events.OrderRequestSubmitted: (EventType.REQUEST_SUBMITTED, Side.BUYER),
    gating_events.OrderRequestInformationAsked: (EventType.REQUEST_INFORMATION_ASKED, Side.SELLER),
    gating_events.OrderRequestInformationAnswered: (EventType.REQUEST_INFORMATION_ANSWERED, Side.BUYER),
    gating_events.OrderRequestReminded: (EventType.REQUEST_REMINDED, Side.SYSTEM),
    gating_events.OrderRequestReopened: (EventType.REQUEST_REOPENED, Side.SYSTEM),
    gating_events.OrderRequestConverted: (EventType.REQUEST_CONVERTED, Side.SYSTEM),
    gating_events.OrderRequestDeclined: (EventType.REQUEST_DECLINED, Side.SELLER),
    gating_events.OrderRequestWithdrawn: (EventType.REQUEST_WITHDRAWN, Side.BUYER),
    gating_events.OrderRequestExpired: (EventType.REQUEST_EXPIRED, Side.SYSTEM),
    gating_events.OrderRequestClosed: (EventType.REQUEST_CLOSED, Side.SYSTEM),
}
_OFFER_EVENTS: Mapping[type[Any], tuple[EventType, Side | None]] = {
    offers_events.OfferSent: (EventType.OFFER_SENT, Side.SELLER),
    offers_events.OfferOpened: (EventType.OFFER_OPENED, Side.BUYER),
    offers_events.OfferRevised: (EventType.OFFER_REVISED, Side.SELLER),
    # Either side makes a counter-offer: the author of the newest revision tells which.
    offers_events.OfferCountered: (EventType.OFFER_COUNTERED, None),
    offers_events.OfferAccepted: (EventType.OFFER_ACCEPTED, Side.BUYER),
    offers_events.OfferDeclined: (EventType.OFFER_DECLINED, Side.BUYER),
    offers_events.OfferWithdrawn: (EventType.OFFER_WITHDRAWN, Side.SELLER),
    offers_events.OfferExpired: (EventType.OFFER_EXPIRED, Side.SYSTEM),
    offers_events.OfferRevived: (EventType.OFFER_REVIVED, Side.SELLER),
    offers_events.OfferPackageRetired: (EventType.OFFER_PACKAGE_RETIRED, Side.SELLER),
    offers_events.OfferNewQuoteRequested: (EventType.OFFER_NEW_QUOTE_REQUESTED, Side.BUYER),
}
_ORDER_EVENTS: Mapping[type[Any], tuple[EventType, Side]] = {
    orders_events.OrderPlaced: (EventType.ORDER_PLACED, Side.BUYER),
    orders_events.OrderProcessingStarted: (EventType.ORDER_PROCESSING_STARTED, Side.SELLER),
    orders_events.OrderConfirmed: (EventType.ORDER_CONFIRMED, Side.SELLER),
    orders_events.OrderDeclined: (EventType.ORDER_DECLINED, Side.SELLER),
    orders_events.OrderWithdrawn: (EventType.ORDER_WITHDRAWN, Side.BUYER),
    orders_events.OrderPaymentMethodChanged: (EventType.ORDER_PAYMENT_METHOD_CHANGED, Side.SYSTEM),
    orders_events.OrderPaid: (EventType.ORDER_PAID, Side.SYSTEM),
    orders_events.OrderPaymentFailed: (EventType.ORDER_PAYMENT_FAILED, Side.SYSTEM),
    orders_events.OrderPaymentRetried: (EventType.ORDER_PAYMENT_RETRIED, Side.SYSTEM),
    orders_events.OrderPaymentVoided: (EventType.ORDER_PAYMENT_VOIDED, Side.SYSTEM),
    orders_events.OrderStarted: (EventType.ORDER_STARTED, Side.SELLER),
    orders_events.OrderDelivered: (EventType.ORDER_DELIVERED, Side.SELLER),
    orders_events.OrderChangesRequested: (EventType.ORDER_CHANGES_REQUESTED, Side.BUYER),
    orders_events.OrderCompleted: (EventType.ORDER_COMPLETED, Side.BUYER),
    # Either party or the operator cancels: the event tells which.
    orders_events.OrderCancelled: (EventType.ORDER_CANCELLED, Side.SYSTEM),
    orders_events.OrderPaymentUnmarked: (EventType.ORDER_PAYMENT_UNMARKED, Side.SELLER),
    orders_events.OrderRefunded: (EventType.ORDER_REFUNDED, Side.SYSTEM),
    orders_events.OrderRefundFailed: (EventType.ORDER_REFUND_FAILED, Side.SYSTEM),
}
_ANSWERS = (offers_events.OfferAccepted, offers_events.OfferDeclined)
_BY_ITSELF = (orders_events.OrderStarted, orders_events.OrderCompleted)
_CANCELLERS = {Cancellation.PARTY_BUYER: Side.BUYER, Cancellation.PARTY_SELLER: Side.SELLER}
REQUEST_EVENTS = tuple(_REQUEST_EVENTS)
"""The events of gating that stand in a timeline. An approval stands there as the offer that it is."""
OFFER_EVENTS = tuple(_OFFER_EVENTS)
"""The events of offers that stand in a timeline."""
ORDER_EVENTS = tuple(_ORDER_EVENTS)
"""The events of orders that stand in a timeline. Quotes stand there as the offers that they are."""


def request_report(message: Any) -> Report:
    """What an event about an order request means for its timeline."""
    kind, side = _REQUEST_EVENTS[type(message)]
    facts = message.order_request
    return Report(
        happening=Happening(kind, side, facts.name),
        seller=facts.seller,
        buyer=facts.buyer,
        subjects=(Subject(facts.name),),
    )


def offer_report(message: Any) -> Report:
    """What an event about an offer means: it stands beside its origin and, once there is one, its order."""
    kind, side = _OFFER_EVENTS[type(message)]
    facts = message.offer
    if side is None:
        by_buyer = facts.author == offer_pb2.OfferRevision.AUTHOR_BUYER
        side = Side.BUYER if by_buyer else Side.SELLER
    if facts.automatic and type(message) in _ANSWERS:
        # The seller's settings answered the buyer's counter-offer.
        side = Side.SELLER
    subjects = []
    if facts.order_request:
        subjects.append(Subject(facts.order_request))
    if facts.order:
        subjects.append(Subject(facts.order, origin_of(facts.order_request, facts.conversation)))
    return Report(
        happening=Happening(kind, side, facts.name, facts.revision, money(facts.total, field="total")),
        seller=facts.seller,
        buyer=facts.buyer,
        subjects=tuple(subjects),
        inquiry=facts.conversation,
    )


def order_report(message: Any) -> Report:
    """What an event about an order means for its timeline."""
    kind, side = _ORDER_EVENTS[type(message)]
    facts = message.order
    if isinstance(message, _BY_ITSELF) and message.automatic:
        side = Side.SYSTEM
    elif isinstance(message, orders_events.OrderCancelled):
        side = _CANCELLERS.get(message.cancelled_by, Side.SYSTEM)
    return Report(
        happening=Happening(kind, side, facts.name, amount=_amount_of(message)),
        seller=facts.seller,
        buyer=facts.buyer,
        subjects=(Subject(facts.name, origin_of(facts.order_request, facts.origin_conversation)),),
    )


def _amount_of(message: Any) -> Money:
    """What an event about an order is about: what was to go back, or else the total."""
    if isinstance(message, orders_events.OrderRefunded | orders_events.OrderRefundFailed):
        return money(message.amount, field="amount")
    return money(message.order.total, field="total")


def origin_of(order_request: str, inquiry: str) -> str:
    """The conversation from which an order came."""
    if order_request:
        return f"conversations/{order_request.rpartition('/')[2]}"
    return inquiry


# --------------------------------------------------------------------------------------------- our own events


def _facts(conversation: Conversation) -> messaging_events.ConversationFacts:
    return messaging_events.ConversationFacts(
        name=conversation.name,
        version=conversation.version,
        subject=conversation.subject,
        seller=conversation.seller,
        buyer=conversation.buyer,
        state=_STATES[conversation.state],
    )


def event_record(event: events.Event, *, ids: Ids) -> EventRecord:
    """The record of a domain event, for the outbox."""
    conversation = event.conversation
    return record_for(
        _message_of(event),
        aggregate=conversation.name,
        version=conversation.version,
        ids=ids,
        time=conversation.update_time,
    )


def _message_of(event: events.Event) -> ProtoMessage:
    facts = _facts(event.conversation)
    if isinstance(event, events.MessageSent):
        return messaging_events.MessageSent(
            conversation=facts,
            message=event.message.name,
            author=event.message.author,
            side=_SIDES[event.message.side],
            kind=_KINDS[event.message.kind],
        )
    if isinstance(event, events.MessagesRead):
        receipt = event.receipt
        return messaging_events.MessagesRead(
            conversation=facts,
            reader=receipt.user,
            side=_SIDES[receipt.side],
            message=f"{event.conversation.name}/messages/{receipt.message_id}",
            read_time=timestamp(receipt.read_time),
        )
    return messaging_events.ConversationStarted(conversation=facts)
