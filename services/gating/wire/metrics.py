"""Visits and figures."""

from __future__ import annotations

from google.type.date_pb2 import Date

from chassis.kernel.ids import parse_name
from parley.gating.v1 import gating_service_pb2 as pb
from services.gating.app.metrics import RecordVisit, VisitView


def record_visit_command(request: pb.RecordVisitRequest) -> RecordVisit:
    """Who looks at what."""
    parse_name(request.name, "sellers/*/listings/*")
    return RecordVisit(request.name, request.buyer)


def record_visit_response(view: VisitView) -> pb.RecordVisitResponse:
    """Whether it counts."""
    day = view.day
    return pb.RecordVisitResponse(
        counted=view.counted, visit_date=Date(year=day.year, month=day.month, day=day.day)
    )
