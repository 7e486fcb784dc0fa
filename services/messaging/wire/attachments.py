"""Uploads, downloads, and attachments as their readers see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from chassis.kernel.refusal import invalid
from chassis.wire import file_piece, timestamp
from parley.messaging.v1 import attachment_pb2 as pb
from services.messaging.app.attachments import Piece, UploadAttachment
from services.messaging.domain.attachment import Attachment, Kind
from services.messaging.wire.values import SIDES

CONTENT_TYPE: Final = "application/pdf"

_KINDS = {Kind.OFFER: pb.Attachment.KIND_OFFER, Kind.OTHER: pb.Attachment.KIND_OTHER}
_KINDS_SENT = {
    pb.Attachment.KIND_UNSPECIFIED: Kind.OTHER,
    pb.Attachment.KIND_OFFER: Kind.OFFER,
    pb.Attachment.KIND_OTHER: Kind.OTHER,
}


async def upload_command(requests: AsyncIterator[pb.UploadAttachmentRequest]) -> UploadAttachment:
    """Decodes the beginning of UploadAttachment. Refusal VALIDATION_FAILED where it does not say where to."""
    first = await anext(requests, pb.UploadAttachmentRequest())
    if not first.parent:
        raise invalid("parent", "is required in the first request")
    return UploadAttachment(
        first.parent, _KINDS_SENT[first.kind], first.filename, first.request_id, _pieces(first, requests)
    )


async def _pieces(
    first: pb.UploadAttachmentRequest, requests: AsyncIterator[pb.UploadAttachmentRequest]
) -> AsyncIterator[bytes]:
    yield first.data
    async for request in requests:
        yield request.data


def wire_attachment(attachment: Attachment) -> pb.Attachment:
    """An attachment; where it is stored stays inside."""
    resource = pb.Attachment(
        name=attachment.name,
        kind=_KINDS[attachment.kind],
        filename=attachment.filename,
        size_bytes=attachment.content.size_bytes,
        sha256=attachment.content.sha256,
        author=attachment.author,
        side=SIDES[attachment.side],
        create_time=timestamp(attachment.create_time),
    )
    if attachment.expire_time is not None:
        resource.expire_time.CopyFrom(timestamp(attachment.expire_time))
    return resource


def upload_response(attachment: Attachment) -> pb.UploadAttachmentResponse:
    """Encodes UploadAttachment."""
    return pb.UploadAttachmentResponse(attachment=wire_attachment(attachment))


def download_piece(piece: Piece) -> HttpBody:
    """Encodes a piece of DownloadAttachment."""
    return file_piece(CONTENT_TYPE, piece.data, filename=piece.filename)
