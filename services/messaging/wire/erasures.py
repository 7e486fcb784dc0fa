"""Erasures on the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chassis.wire import optional_timestamp, timestamp
from parley.messaging.v1 import erasure_pb2 as pb
from services.messaging.app.erasures import Confirmation
from services.messaging.domain.erasure import Erasure


def wire_erasure(found: Erasure) -> pb.Erasure:
    """An erasure."""
    return pb.Erasure(
        name=found.name,
        user=found.user,
        state=pb.Erasure.State.Value(f"STATE_{found.state.name}"),
        confirmed_services=found.confirmed,
        request_time=timestamp(found.request_time),
        done_time=optional_timestamp(found.done_time),
    )


def erase_response(found: Erasure) -> pb.ErasePersonalDataResponse:
    """Encodes ErasePersonalData."""
    return pb.ErasePersonalDataResponse(erasure=wire_erasure(found))


def get_erasure_response(found: Erasure) -> pb.GetErasureResponse:
    """Encodes GetErasure."""
    return pb.GetErasureResponse(erasure=wire_erasure(found))


def confirmation_by(service: str) -> Callable[[Any], Confirmation]:
    """Reads the event by which a service says that it has erased somebody."""
    return lambda message: Confirmation(message.erasure, service)
