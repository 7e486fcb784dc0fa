"""What stands in the way of an erasure, on the wire."""

from __future__ import annotations

from collections.abc import Sequence

from parley.orders.v1 import erasure_pb2 as pb
from services.orders.app.erasure_holds import Hold


def holds_response(holds: Sequence[Hold]) -> pb.ListErasureHoldsResponse:
    """Encodes ListErasureHolds."""
    return pb.ListErasureHoldsResponse(
        holds=[
            pb.ErasureHold(
                reason=pb.ErasureHold.Reason.Value(f"REASON_{each.reason}"), resource=each.resource
            )
            for each in holds
        ]
    )
