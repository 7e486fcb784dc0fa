"""Simulations of the gate."""

from __future__ import annotations

from chassis.wire import optional_instant, timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_simulation_pb2 import GateSimulation
from services.gating.app.simulation import Found, Progress, SimulateGate
from services.gating.domain.simulation import DEFAULT_EXAMPLES, Example, RuleCount
from services.gating.wire.gate import OUTCOMES, REASONS
from services.gating.wire.settings import seller_of_settings, whole_change


def simulate_gate_query(request: pb.SimulateGateRequest) -> SimulateGate:
    """Which settings, which period."""
    subject = request.WhichOneof("subject")
    return SimulateGate(
        seller=seller_of_settings(request.name, field="name"),
        version=request.settings_version if subject == "settings_version" else None,
        proposed=whole_change(request.proposed, field="proposed") if subject == "proposed" else None,
        start=optional_instant(request, "start_time"),
        end=optional_instant(request, "end_time"),
        max_examples=request.max_examples if request.HasField("max_examples") else DEFAULT_EXAMPLES,
    )


def simulate_gate_response(content: Progress | Found) -> pb.SimulateGateResponse:
    """Progress or result."""
    if isinstance(content, Progress):
        progress = pb.SimulateGateResponse.Progress(judged=content.judged, total=content.total)
        return pb.SimulateGateResponse(progress=progress)
    report = content.report
    simulation = GateSimulation(
        start_time=timestamp(content.period.start),
        end_time=timestamp(content.period.end),
        settings_version=report.settings_version,
        sample_size=report.sample_size,
        gated=report.gated,
        newly_gated=report.newly_gated,
        newly_instant=report.newly_instant,
        rules=[_rule(rule) for rule in report.rules],
        examples=[_example(example) for example in report.examples],
        exclusions=[
            GateSimulation.Exclusion(reason=reason, placements=placements)
            for reason, placements in (
                (GateSimulation.EXCLUSION_REASON_OFFER_ACCEPTED, content.sample.accepted),
                (GateSimulation.EXCLUSION_REASON_UNAVAILABLE, content.sample.unavailable),
            )
            if placements
        ],
    )
    return pb.SimulateGateResponse(simulation=simulation)


def _rule(rule: RuleCount) -> GateSimulation.RuleCount:
    return GateSimulation.RuleCount(
        outcome=OUTCOMES[rule.outcome],
        reason=REASONS[rule.reason],
        matched_window=rule.matched_window,
        placements=rule.placements,
        orders=rule.orders,
        order_requests=rule.requests,
    )


def _example(example: Example) -> GateSimulation.Example:
    placement, judgement = example.placement, example.judgement
    return GateSimulation.Example(
        placement=placement.name,
        package=placement.package,
        buyer=placement.buyer,
        place_time=timestamp(placement.time),
        local_time=example.local_time,
        outcome=OUTCOMES[judgement.outcome],
        reason=REASONS[judgement.reason],
        matched_window=judgement.matched_window,
        offer=judgement.offer,
    )
