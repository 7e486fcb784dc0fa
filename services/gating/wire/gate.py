"""Decisions of the gate. EvaluateGate is the hottest call, so its answer is built from prepared parts."""

from __future__ import annotations

from typing import Final, NamedTuple

from chassis.wire import optional_timestamp, timestamp, write_timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision as WireDecision
from services.gating.app.queries import EvaluateGate
from services.gating.domain.gate import GateDecision, GateReason, Outcome

OUTCOMES = {outcome: WireDecision.Outcome.Value(f"OUTCOME_{outcome.value}") for outcome in Outcome}
"""The wire's value for each outcome."""

REASONS = {reason: WireDecision.Reason.Value(f"REASON_{reason.value}") for reason in GateReason}
"""The wire's value for each reason."""


def evaluate_gate_query(request: pb.EvaluateGateRequest) -> EvaluateGate:
    """Which package, for whom."""
    return EvaluateGate(request.package, request.buyer)


def decision_message(decision: GateDecision) -> WireDecision:
    """A decision."""
    verdict = decision.verdict
    return WireDecision(
        package=decision.package,
        buyer=decision.buyer,
        outcome=OUTCOMES[verdict.outcome],
        reason=REASONS[verdict.reason],
        explanation=verdict.explanation,
        evaluate_time=timestamp(decision.evaluate_time),
        local_time=decision.local_time,
        time_zone=decision.time_zone,
        settings_version=decision.settings_version,
        matched_window=verdict.matched_window,
        next_change_time=optional_timestamp(verdict.next_change_time),
        offer=verdict.offer,
        unavailable_until=optional_timestamp(verdict.unavailable_until),
        messages_closed=verdict.messages_closed,
    )


def evaluate_gate_response(decision: GateDecision) -> pb.EvaluateGateResponse:
    """The decision. What holds for every buyer and instant of a verdict is encoded once for each verdict."""
    verdict = decision.verdict
    prepared = _prepared.get(id(verdict))
    if prepared is None or prepared.decision.package != decision.package:
        prepared = _Prepared(decision, pb.EvaluateGateResponse(decision=decision_message(decision)))
        if len(_prepared) >= PREPARED_CAPACITY:
            _prepared.clear()
        _prepared[id(verdict)] = prepared
    response = pb.EvaluateGateResponse()
    response.CopyFrom(prepared.response)
    message = response.decision
    message.buyer = decision.buyer
    message.local_time = decision.local_time
    write_timestamp(decision.evaluate_time, message.evaluate_time)
    return response


class _Prepared(NamedTuple):
    """An answer, with the decision whose verdict it holds: while it is kept, no other verdict has its id."""

    decision: GateDecision
    response: pb.EvaluateGateResponse


PREPARED_CAPACITY: Final = 10_000
"""Verdicts whose answers are kept; each is replaced within a minute."""

_prepared: dict[int, _Prepared] = {}
