"""Visits and figures."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.type.date_pb2 import Date

from chassis.kernel.ids import parse_name
from chassis.wire import optional_instant, timestamp
from parley.gating.v1 import gate_metrics_pb2 as metrics_pb
from parley.gating.v1 import gating_service_pb2 as pb
from services.gating.app.metrics import GetGateMetrics, RecordVisit, VisitView
from services.gating.domain.gate import GateReason
from services.gating.domain.metrics import (
    ANSWERED_IDS,
    NAMED_IDS,
    Figures,
    GateMetrics,
    Impact,
    ListingFigures,
    RuleFigures,
    share_value,
)
from services.gating.domain.responses import Count, Exclusion, ResponseRate, ResponseTime, Share
from services.gating.wire.gate import REASONS

_EXCLUSIONS: Final = {
    exclusion: metrics_pb.ResponseRate.ExclusionReason.Value(f"EXCLUSION_REASON_{exclusion.value}")
    for exclusion in Exclusion
}


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


def get_gate_metrics_query(request: pb.GetGateMetricsRequest) -> GetGateMetrics:
    """Whose figures, of which period."""
    (seller,) = parse_name(request.name, "sellers/*/gateMetrics")
    if request.listing:
        parse_name(request.listing, "sellers/*/listings/*", field="listing")
    return GetGateMetrics(
        f"sellers/{seller}",
        request.listing,
        optional_instant(request, "start_time"),
        optional_instant(request, "end_time"),
        request.include_ids,
    )


def get_gate_metrics_response(
    request: pb.GetGateMetricsRequest, found: GateMetrics
) -> pb.GetGateMetricsResponse:
    """The figures, with the ids behind them where they were asked for."""
    written = _Writer(NAMED_IDS if request.include_ids else 0, ANSWERED_IDS)
    message = metrics_pb.GateMetrics(
        name=f"{found.seller}/gateMetrics",
        listing=found.listing,
        period=written.figures(found.period),
        response_rate=written.response_rate(found.response_rate),
        impacts=[written.impact(impact) for impact in found.impacts],
        listings=[written.listing(listing) for listing in found.listings],
    )
    return pb.GetGateMetricsResponse(gate_metrics=message)


class _Writer:
    """Writes figures with at most `named` ids beside each number, and `left` in all: what is written first
    has them first.
    """

    def __init__(self, named: int, left: int) -> None:
        self._named = named
        self._left = left

    def figures(self, found: Figures) -> metrics_pb.GateFigures:
        return metrics_pb.GateFigures(
            start_time=timestamp(found.interval.start),
            end_time=timestamp(found.interval.end),
            funnel=metrics_pb.Funnel(
                visits=self._count(found.visits),
                requests=self._count(found.requests),
                offers=self._count(found.offers),
                orders=self._count(found.converted),
            ),
            orders=self._count(found.orders),
            direct_orders=self._count(found.direct_orders),
            visit_conversion=self._share(found.visit_conversion),
            request_conversion=self._share(found.request_conversion),
            declined_requests=self._count(found.declined),
            withdrawn_requests=self._count(found.withdrawn),
            expired_requests=self._count(found.expired),
            closed_requests=self._count(found.closed),
            response_time=self._response_time(found.response_time),
            cancellation_rate=self._share(found.cancellation_rate),
            rules=[self._rule(rule) for rule in found.rules],
        )

    def response_rate(self, found: ResponseRate) -> metrics_pb.ResponseRate:
        return metrics_pb.ResponseRate(
            start_time=timestamp(found.interval.start),
            end_time=timestamp(found.interval.end),
            share=self._share(found.share),
            exclusions=[
                metrics_pb.ResponseRate.Exclusion(reason=_EXCLUSIONS[reason], count=self._count(count))
                for reason, count in found.exclusions
            ],
        )

    def impact(self, found: Impact) -> metrics_pb.GateImpact:
        return metrics_pb.GateImpact(
            settings_version=found.save.version,
            change_time=timestamp(found.save.time),
            before=self.figures(found.before),
            after=self.figures(found.after),
        )

    def listing(self, found: ListingFigures) -> metrics_pb.ListingFigures:
        return metrics_pb.ListingFigures(
            listing=found.listing,
            visits=self._count(found.visits),
            orders=self._count(found.orders),
            visit_conversion=self._share(found.conversion),
        )

    def _rule(self, found: RuleFigures) -> metrics_pb.RuleFigures:
        return metrics_pb.RuleFigures(
            reason=REASONS[GateReason(found.gate_reason)],
            requests=self._count(found.requests),
            offers=self._count(found.offers),
            conversion=self._share(found.conversion),
            response_time=self._response_time(found.response_time),
            cancellation_rate=self._share(found.cancellation_rate),
        )

    def _count(self, found: Count) -> metrics_pb.MetricCount:
        ids = found.ids[: min(self._named, self._left)]
        self._left -= len(ids)
        return metrics_pb.MetricCount(
            value=found.number, ids=ids, ids_truncated=self._named > 0 and len(ids) < found.number
        )

    def _share(self, found: Share) -> metrics_pb.MetricShare:
        value = share_value(found)
        return metrics_pb.MetricShare(
            value=None if value is None else float(value),
            part=self._count(found.part),
            sample=self._count(found.sample),
        )

    def _response_time(self, found: ResponseTime) -> metrics_pb.ResponseTime:
        return metrics_pb.ResponseTime(
            median=_duration(found.median),
            percentile_90=_duration(found.percentile_90),
            sample=self._count(found.sample),
        )


def _duration(found: timedelta | None) -> Duration | None:
    if found is None:
        return None
    return Duration(seconds=found // timedelta(seconds=1), nanos=found.microseconds * 1000)
