"""The RPCs of personal data: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis.server import respond_each
from parley.messaging.v1 import personal_data_pb2 as pb
from services.messaging.app.personal_data import PersonalDataExport
from services.messaging.wire import personal_data as wire


@dataclass(frozen=True, slots=True)
class PersonalDataRooms:
    """What the methods call."""

    export: PersonalDataExport


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
