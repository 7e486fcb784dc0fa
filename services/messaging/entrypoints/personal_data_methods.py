"""The RPCs of personal data: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis.server import respond, respond_each
from parley.messaging.v1 import erasure_pb2
from parley.messaging.v1 import personal_data_pb2 as pb
from services.messaging.app.erasures import ErasureCommands
from services.messaging.app.personal_data import PersonalDataExport
from services.messaging.wire import erasures
from services.messaging.wire import personal_data as wire


@dataclass(frozen=True, slots=True)
class PersonalDataRooms:
    """What the methods call."""

    export: PersonalDataExport
    erasures: ErasureCommands


class PersonalDataMethods:
    """A part of `MessagingServicer`, which sets `_personal`."""

    _personal: PersonalDataRooms

    async def ExportPersonalData(
        self, request: pb.ExportPersonalDataRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        async for piece in respond_each(
            context, request.name, self._personal.export.export, wire.archive_piece
        ):
            yield piece

    async def ErasePersonalData(
        self, request: erasure_pb2.ErasePersonalDataRequest, context: Any
    ) -> erasure_pb2.ErasePersonalDataResponse:
        return await respond(context, request.name, self._personal.erasures.erase, erasures.erase_response)

    async def GetErasure(
        self, request: erasure_pb2.GetErasureRequest, context: Any
    ) -> erasure_pb2.GetErasureResponse:
        return await respond(
            context, request.name, self._personal.erasures.get, erasures.get_erasure_response
        )
