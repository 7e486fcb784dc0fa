"""Tables for spreadsheets: CSV by RFC 4180, in pieces that are answered as `google.api.HttpBody`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from chassis.kernel.clock import utc_text
from chassis.wire import file_piece

CONTENT_TYPE: Final = "text/csv; charset=utf-8; header=present"
# Spreadsheets compute cells that begin like this, and what stands in them are anybody's words.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def first_piece(filename: str, headings: Sequence[str], lines: Iterable[Sequence[str]]) -> HttpBody:
    """The headings and some lines; it says how the file is called."""
    return file_piece(CONTENT_TYPE, _written([headings]) + piece(lines).data, filename=filename)


def piece(lines: Iterable[Sequence[str]]) -> HttpBody:
    """Some more lines. A cell that would be computed begins with an apostrophe."""
    safe = ([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in line] for line in lines)
    return file_piece(CONTENT_TYPE, _written(safe))


def time_cell(instant: datetime | None) -> str:
    """An instant in UTC; empty for none."""
    return "" if instant is None else utc_text(instant)


def _written(lines: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
