"""With what an upload ends: the status that the service gave, and not what the library makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from gateway.uploads import _Ended

Status = tuple[grpc.StatusCode, str]

REFUSED: Status = (grpc.StatusCode.RESOURCE_EXHAUSTED, "too large")
LATER: Status = (grpc.StatusCode.CANCELLED, "Locally cancelled by application!")
MADE_UP: Status = (grpc.StatusCode.INTERNAL, "Internal error from Core")
TRUE_FAULT: Status = (grpc.StatusCode.INTERNAL, "internal error")
DONE: Status = (grpc.StatusCode.OK, "")
TRAILING = (("grpc-status-details-bin", b"why"),)


class Call:
    """What `grpc.aio` shows of a call: each status that it comes to believe is told to the callbacks."""

    def __init__(self) -> None:
        self._told: list[Callable[[Any], None]] = []
        self._status: Status = DONE

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._told.append(callback)

    def end(self, status: Status) -> None:
        self._status = status
        for callback in self._told:
            callback(self)

    async def code(self) -> grpc.StatusCode:
        return self._status[0]

    async def details(self) -> str:
        return self._status[1]

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return grpc.aio.Metadata(*TRAILING)


@pytest.mark.parametrize(
    ("statuses", "kept"),
    [
        ([], None),
        ([DONE], None),
        ([REFUSED], REFUSED),
        ([REFUSED, MADE_UP], REFUSED),
        ([MADE_UP], None),
        ([MADE_UP, REFUSED], REFUSED),
        ([REFUSED, LATER], REFUSED),
        ([REFUSED, MADE_UP, LATER], REFUSED),
        ([TRUE_FAULT, MADE_UP], TRUE_FAULT),
    ],
)
def test_the_first_status_of_the_service_is_kept(statuses: list[Status], kept: Status | None) -> None:
    call = Call()
    ended = _Ended(call)
    for status in statuses:
        call.end(status)
    if kept is None:
        assert ended.error is None
        return
    assert ended.error is not None
    assert (ended.error.code(), ended.error.details()) == kept
    assert tuple(ended.error.trailing_metadata()) == TRAILING
