"""The events that gating publishes."""

from __future__ import annotations

from typing import Final, NamedTuple

from google.protobuf.message import Message

from chassis.envelope import EventRecord, record_for, subject_of
from chassis.kernel.ids import Ids
from chassis.wire import optional_timestamp, timestamp
from parley.gating.v1 import events_pb2 as pb
from parley.gating.v1.absence_pb2 import AbsenceFacts
from services.gating.domain.calendar import Absence
from services.gating.domain.events import (
    AbsenceCreated,
    AbsenceDeleted,
    AvailabilitySet,
    BuyerVerificationSet,
    Event,
    OrderRequestChanged,
    OrderSettingsSaved,
    RequestVerb,
    SellerPlanSet,
)
from services.gating.domain.order_request import OrderRequest
from services.gating.wire.calendars import availability_message
from services.gating.wire.gate import REASONS
from services.gating.wire.order_requests import DECLINE_REASONS, STATES
from services.gating.wire.settings import plan_message, settings_message
from services.gating.wire.verifications import verification_message

_REQUEST_EVENTS: Final = {
    RequestVerb.SUBMITTED: pb.OrderRequestSubmitted,
    RequestVerb.INFORMATION_ASKED: pb.OrderRequestInformationAsked,
    RequestVerb.INFORMATION_ANSWERED: pb.OrderRequestInformationAnswered,
    RequestVerb.OFFERED: pb.OrderRequestOffered,
    RequestVerb.REOPENED: pb.OrderRequestReopened,
    RequestVerb.CONVERTED: pb.OrderRequestConverted,
    RequestVerb.DECLINED: pb.OrderRequestDeclined,
    RequestVerb.WITHDRAWN: pb.OrderRequestWithdrawn,
    RequestVerb.EXPIRED: pb.OrderRequestExpired,
    RequestVerb.CLOSED: pb.OrderRequestClosed,
}


def event_record(event: Event, *, ids: Ids) -> EventRecord:
    """How an event is stored and sent."""
    found = _described(event)
    return record_for(
        found.message,
        aggregate=found.aggregate,
        version=found.version,
        ids=ids,
        time=event.time,
        subject=subject_of(found.message, found.resource),
    )


class _Described(NamedTuple):
    """An event of `aggregate`; `resource` is whose id the subject ends with."""

    aggregate: str
    resource: str
    version: int
    message: Message


def _described(event: Event) -> _Described:
    match event:
        case OrderSettingsSaved(settings=settings):
            saved = pb.OrderSettingsSaved(order_settings=settings_message(settings))
            return _Described(settings.name, settings.seller, settings.version, saved)
        case SellerPlanSet(plan=plan, time=time):
            entitled = plan.entitled(time)
            plan_set = pb.SellerPlanSet(plan=plan_message(plan, entitled=entitled), version=plan.version)
            return _Described(plan.name, plan.seller, plan.version, plan_set)
        case AvailabilitySet(availability=found):
            declared = pb.AvailabilitySet(availability=availability_message(found), version=found.version)
            return _Described(found.name, found.subject, found.version, declared)
        case AbsenceCreated(absence=absence):
            planned = pb.AbsenceCreated(absence=absence_facts(absence), version=1)
            return _Described(absence.name, absence.name, 1, planned)
        case AbsenceDeleted(absence=absence):
            deleted = pb.AbsenceDeleted(absence=absence_facts(absence), version=2)
            return _Described(absence.name, absence.name, 2, deleted)
        case BuyerVerificationSet(verification=said, time=time):
            message = verification_message(said, effective=said.holds(time))
            verified = pb.BuyerVerificationSet(buyer_verification=message, version=said.version)
            return _Described(said.name, said.buyer, said.version, verified)
        case OrderRequestChanged(verb=RequestVerb.REMINDED, request=request):
            reminded = pb.OrderRequestReminded(
                order_request=request_facts(request),
                reminder=request.reminders,
                elapsed_percent=request.rules.reminder_points[request.reminders - 1],
            )
            return _Described(request.name, request.name, request.version, reminded)
        case OrderRequestChanged(verb=verb, request=request):
            changed = _REQUEST_EVENTS[verb](order_request=request_facts(request))
            return _Described(request.name, request.name, request.version, changed)


def absence_facts(absence: Absence) -> AbsenceFacts:
    """What everybody may know of an absence."""
    return AbsenceFacts(
        name=absence.name,
        start_time=timestamp(absence.start_time),
        end_time=timestamp(absence.end_time),
        messages_closed=absence.messages_closed,
    )


def request_facts(request: OrderRequest) -> pb.OrderRequestFacts:
    """What everybody may know of a request: no word that a party wrote."""
    facts = pb.OrderRequestFacts(
        name=request.name,
        version=request.version,
        seller=request.seller,
        buyer=request.buyer,
        package=request.package,
        state=STATES[request.state],
        offer=request.offer,
        order=request.order,
        expire_time=optional_timestamp(request.expire_time),
        gate_reason=REASONS[request.decision.verdict.reason],
        settings_version=request.decision.settings_version,
        arrived_while_unavailable=request.arrived_while_unavailable,
        first_response_time=optional_timestamp(request.first_response_time),
        answer_expire_time=optional_timestamp(request.answer_expire_time),
    )
    if request.decline_reason is not None:
        facts.decline_reason = DECLINE_REASONS[request.decline_reason]
    return facts
