"""Decisions of the gate. EvaluateGate is the hottest call, so its answer is built from prepared parts."""

from __future__ import annotations

from typing import Final, NamedTuple

from chassis.wire import optional_timestamp, timestamp, write_timestamp
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.gate_decision_pb2 import GateDecision as WireDecision
from services.gating.app.queries import EvaluateGate
from services.gating.domain.gate import GateDecision, GateReason, Outcome, Verdict

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


def evaluate_gate_response(decision: GateDecision) -> bytes:
    """The decision, encoded. What holds for every buyer and instant of a verdict is encoded once for each
    verdict; behind it comes the same message with the rest. Readers of protobuf merge the two.
    """
    verdict = decision.verdict
    prepared = _prepared.get(decision.package)
    if prepared is None or prepared.verdict is not verdict:
        if len(_prepared) >= PREPARED_CAPACITY:
            _prepared.clear()
        encoding = _lasting(decision).SerializeToString()
        prepared = _prepared[decision.package] = _Prepared(verdict, encoding)
    _decision.buyer = decision.buyer
    _decision.local_time = decision.local_time
    write_timestamp(decision.evaluate_time, _evaluate_time)
    return prepared.encoding + _rest.SerializeToString()


def _lasting(decision: GateDecision) -> pb.EvaluateGateResponse:
    message = decision_message(decision)
    for field in ("buyer", "local_time", "evaluate_time"):
        message.ClearField(field)
    return pb.EvaluateGateResponse(decision=message)


class _Prepared(NamedTuple):
    """What lasts of the answers of a verdict."""

    verdict: Verdict
    encoding: bytes


PREPARED_CAPACITY: Final = 10_000
"""Packages of which the newest answer is kept; its verdict is replaced within a minute."""

_prepared: dict[str, _Prepared] = {}

# The rest of an answer is written into the same message again and again, and encoded at once.
_rest = pb.EvaluateGateResponse()
_decision = _rest.decision
_evaluate_time = _decision.evaluate_time
