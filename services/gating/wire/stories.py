"""What events tell for the figures: our own and those of others, by one translation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from chassis.wire import instant
from parley.gating.v1 import events_pb2 as gating
from parley.gating.v1.gate_decision_pb2 import GateDecision
from parley.messaging.v1 import conversation_pb2, timeline_pb2
from parley.messaging.v1 import events_pb2 as messaging
from parley.orders.v1 import events_pb2 as orders
from parley.orders.v1.fulfilment_pb2 import Cancellation
from services.gating.domain.catalogue import listing_of, seller_of
from services.gating.domain.facts import Content, Detail, FactKind

_REQUEST_KINDS: Final[Mapping[type[Message], FactKind]] = {
    gating.OrderRequestSubmitted: FactKind.REQUEST_SUBMITTED,
    gating.OrderRequestInformationAsked: FactKind.REQUEST_INFORMATION_ASKED,
    gating.OrderRequestInformationAnswered: FactKind.REQUEST_INFORMATION_ANSWERED,
    gating.OrderRequestOffered: FactKind.REQUEST_OFFERED,
    gating.OrderRequestReopened: FactKind.REQUEST_REOPENED,
    gating.OrderRequestConverted: FactKind.REQUEST_CONVERTED,
    gating.OrderRequestDeclined: FactKind.REQUEST_DECLINED,
    gating.OrderRequestWithdrawn: FactKind.REQUEST_WITHDRAWN,
    gating.OrderRequestExpired: FactKind.REQUEST_EXPIRED,
    gating.OrderRequestClosed: FactKind.REQUEST_CLOSED,
}
_ORDER_KINDS: Final[Mapping[type[Message], FactKind]] = {
    orders.OrderPlaced: FactKind.ORDER_PLACED,
    orders.OrderConfirmed: FactKind.ORDER_CONFIRMED,
    orders.OrderDeclined: FactKind.ORDER_DECLINED,
    orders.OrderWithdrawn: FactKind.ORDER_WITHDRAWN,
    orders.OrderCompleted: FactKind.ORDER_COMPLETED,
    orders.OrderCancelled: FactKind.ORDER_CANCELLED,
}
_REASON_PREFIX: Final = "REASON_"


def own_content(message: Message) -> Content | None:
    """What an event of gating tells for the figures; None for one that does not concern them."""
    kind = type(message)
    if kind in _REQUEST_KINDS:
        return _request(_REQUEST_KINDS[kind], message)
    told = _DECLARED.get(kind)
    return None if told is None else told(message)


def kept_content(type_name: str, body: bytes) -> Content | None:
    """The same of an event as the outbox keeps it."""
    kind: type[Message] | None = getattr(gating, type_name.rpartition(".")[2], None)
    if kind is None:
        return None
    message = kind()
    message.ParseFromString(body)
    return own_content(message)


def _request(kind: FactKind, message: Any) -> Content:
    facts: gating.OrderRequestFacts = message.order_request
    reason = GateDecision.Reason.Name(facts.gate_reason).removeprefix(_REASON_PREFIX)
    detail: dict[str, str | int | bool] = {
        "gate_reason": reason,
        "settings_version": facts.settings_version,
    }
    if facts.HasField("first_response_time"):
        detail["response_time"] = instant(facts.first_response_time).isoformat()
    if facts.offer:
        detail["offer"] = facts.offer
    if facts.order:
        detail["order"] = facts.order
    return Content(kind, facts.name, facts.seller, listing_of(facts.package), facts.buyer, detail)


def _availability(message: Any) -> Content:
    declared = message.availability
    detail: dict[str, str | int | bool] = {
        "available": declared.available,
        "messages_closed": declared.messages_closed,
    }
    if declared.HasField("end_time"):
        detail["end_time"] = instant(declared.end_time).isoformat()
    seller = seller_of(declared.name)
    listing = "" if declared.name == seller else declared.name
    return Content(FactKind.AVAILABILITY_SET, declared.name, seller, listing, "", detail)


def _absence(message: Any) -> Content:
    absence = message.absence
    subject = absence.name.partition("/absences/")[0]
    seller = seller_of(subject)
    detail: dict[str, str | int | bool] = {
        "start_time": instant(absence.start_time).isoformat(),
        "end_time": instant(absence.end_time).isoformat(),
        "messages_closed": absence.messages_closed,
    }
    created = isinstance(message, gating.AbsenceCreated)
    kind = FactKind.ABSENCE_CREATED if created else FactKind.ABSENCE_DELETED
    return Content(kind, subject, seller, "" if subject == seller else subject, "", detail)


def _settings(message: Any) -> Content:
    settings = message.order_settings
    detail: Detail = {"settings_version": settings.settings_version, "enabled": settings.enabled}
    seller = settings.name.removesuffix("/orderSettings")
    return Content(FactKind.SETTINGS_SAVED, settings.name, seller, "", "", detail)


_DECLARED: Final[Mapping[type[Message], Callable[[Message], Content]]] = {
    gating.AvailabilitySet: _availability,
    gating.AbsenceCreated: _absence,
    gating.AbsenceDeleted: _absence,
    gating.OrderSettingsSaved: _settings,
}


def order_content(message: Any) -> Content:
    """What an event of an order tells; `message` is any of those that carry OrderFacts."""
    facts: orders.OrderFacts = message.order
    detail: dict[str, str | int | bool] = {}
    if facts.HasField("confirm_time"):
        detail["confirm_time"] = instant(facts.confirm_time).isoformat()
    if facts.order_request:
        detail["order_request"] = facts.order_request
    if isinstance(message, orders.OrderCancelled):
        detail["cancelled_by"] = Cancellation.Party.Name(message.cancelled_by).removeprefix("PARTY_")
    return Content(
        _ORDER_KINDS[type(message)],
        facts.name,
        facts.seller,
        listing_of(facts.package),
        facts.buyer,
        detail,
    )


def inquiry_content(message: messaging.ConversationStarted) -> Content | None:
    """An inquiry began; None for a conversation about a request or an order."""
    facts = message.conversation
    if facts.subject:
        return None
    return Content(FactKind.INQUIRY_STARTED, facts.name, facts.seller, "", facts.buyer)


def decline_content(message: messaging.InquiryDeclined) -> Content:
    """The seller declined an inquiry through the interface: an answer."""
    facts = message.conversation
    return Content(FactKind.SELLER_WROTE, facts.name, facts.seller, "", facts.buyer)


def message_content(message: messaging.MessageSent) -> Content | None:
    """The seller wrote to the buyer about a request or in an inquiry; None for every other message, also for
    one that came by mail: nobody can say whether that is an answer or a refusal.
    """
    facts = message.conversation
    public = message.kind == timeline_pb2.Message.KIND_PUBLIC and message.side == conversation_pb2.SIDE_SELLER
    if (
        not public
        or message.channel == timeline_pb2.Message.CHANNEL_EMAIL
        or facts.subject.startswith("orders/")
    ):
        return None
    return Content(FactKind.SELLER_WROTE, facts.subject or facts.name, facts.seller, "", facts.buyer)
