"""The RPCs of attachments: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis.server import respond, respond_each
from parley.messaging.v1 import attachment_pb2 as pb
from services.messaging.app.attachments import AttachmentCommands, AttachmentQueries
from services.messaging.wire import attachments as wire


@dataclass(frozen=True, slots=True)
class AttachmentRooms:
    """What the methods call."""

    commands: AttachmentCommands
    queries: AttachmentQueries


class AttachmentMethods:
    """A part of `MessagingServicer`, which sets `_attachments`."""

    _attachments: AttachmentRooms

    async def UploadAttachment(
        self, requests: AsyncIterator[pb.UploadAttachmentRequest], context: Any
    ) -> pb.UploadAttachmentResponse:
        command = await wire.upload_command(requests)
        return await respond(
            context, command, self._attachments.commands.upload_attachment, wire.upload_response
        )

    async def DownloadAttachment(
        self, request: pb.DownloadAttachmentRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        async for piece in respond_each(
            context, request.name, self._attachments.queries.download_attachment, wire.download_piece
        ):
            yield piece
