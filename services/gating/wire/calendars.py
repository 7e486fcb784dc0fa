"""When sellers and listings take orders."""

from __future__ import annotations

from chassis.kernel.ids import parse_name
from chassis.kernel.machine import ActionState
from chassis.paging import next_page_token, page_request
from chassis.wire import instant, optional_instant, optional_timestamp, timestamp, write_actions
from parley.gating.v1 import absence_pb2 as pb
from parley.gating.v1 import gating_service_pb2, order_settings_pb2
from services.gating.app.calendars import (
    AbsencesView,
    CreateAbsence,
    DeleteAbsence,
    ListAbsences,
    SetAvailability,
)
from services.gating.domain.availability import Availability, Declared
from services.gating.domain.calendar import Absence, Planned


def _subject(name: str, *, field: str = "name") -> str:
    """A seller or a listing."""
    parse_name(name, "sellers/*/listings/*" if "/listings/" in name else "sellers/*", field=field)
    return name


def set_availability_command(request: gating_service_pb2.SetAvailabilityRequest) -> SetAvailability:
    """What the seller declares."""
    declared = Declared(request.available, optional_instant(request, "end_time"), request.messages_closed)
    return SetAvailability(_subject(request.name), declared, request.etag)


def availability_message(availability: Availability) -> order_settings_pb2.Availability:
    """An availability."""
    return order_settings_pb2.Availability(
        name=availability.subject,
        available=availability.available,
        end_time=optional_timestamp(availability.end_time),
        messages_closed=availability.messages_closed,
        etag=availability.etag,
    )


def set_availability_response(availability: Availability) -> gating_service_pb2.SetAvailabilityResponse:
    """The availability."""
    return gating_service_pb2.SetAvailabilityResponse(availability=availability_message(availability))


def create_absence_command(request: pb.CreateAbsenceRequest, *, author: str) -> CreateAbsence:
    """What `author` plans."""
    sent = request.absence
    planned = Planned(
        instant(sent.start_time), instant(sent.end_time), sent.messages_closed, sent.label, author
    )
    return CreateAbsence(_subject(request.parent, field="parent"), planned)


def _absence_message(absence: Absence, *, may_delete: bool) -> pb.Absence:
    message = pb.Absence(
        name=absence.name,
        start_time=timestamp(absence.start_time),
        end_time=timestamp(absence.end_time),
        messages_closed=absence.messages_closed,
        label=absence.label,
        create_time=timestamp(absence.create_time),
        author=absence.author,
    )
    delete = ActionState("delete", may_delete, "" if may_delete else "PERMISSION_DENIED")
    write_actions(message, (delete,), explanations={})
    return message


def create_absence_response(absence: Absence) -> pb.CreateAbsenceResponse:
    """The absence."""
    return pb.CreateAbsenceResponse(absence=_absence_message(absence, may_delete=True))


def list_absences_query(request: pb.ListAbsencesRequest) -> ListAbsences:
    """Whose calendar, from where on."""
    parent = _subject(request.parent, field="parent")
    return ListAbsences(parent, request.include_listings, page_request(request))


def list_absences_response(request: pb.ListAbsencesRequest, view: AbsencesView) -> pb.ListAbsencesResponse:
    """A page, and where to go on."""
    return pb.ListAbsencesResponse(
        absences=[_absence_message(absence, may_delete=view.is_team) for absence in view.absences.items],
        next_page_token=next_page_token(request, view.absences.next_cursor),
        availability=availability_message(view.declared),
    )


def delete_absence_command(request: pb.DeleteAbsenceRequest) -> DeleteAbsence:
    """Which absence."""
    is_of_listing = "/listings/" in request.name
    parse_name(request.name, f"sellers/*/{'listings/*/' if is_of_listing else ''}absences/*")
    return DeleteAbsence(request.name, request.name.partition("/absences/")[0])


def delete_absence_response(_: None) -> pb.DeleteAbsenceResponse:
    """It is gone."""
    return pb.DeleteAbsenceResponse()
