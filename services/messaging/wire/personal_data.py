"""The archive of what is kept about a person, on the wire."""

from __future__ import annotations

from typing import Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.any_pb2 import Any as AnyMessage

from parley.type.v1.download_pb2 import Download

CONTENT_TYPE: Final = "application/zip"
FILENAME: Final = "personal-data.zip"


def archive_piece(data: bytes) -> HttpBody:
    """Some bytes; each piece says how the file is called."""
    named = AnyMessage()
    named.Pack(Download(filename=FILENAME))
    return HttpBody(content_type=CONTENT_TYPE, data=data, extensions=[named])
