"""The archive of what is kept about a person, on the wire."""

from __future__ import annotations

from typing import Final

from google.api.httpbody_pb2 import HttpBody

from chassis.wire import file_piece

CONTENT_TYPE: Final = "application/zip"
FILENAME: Final = "personal-data.zip"


def archive_piece(data: bytes) -> HttpBody:
    """Some bytes; each piece says how the file is called."""
    return file_piece(CONTENT_TYPE, data, filename=FILENAME)
