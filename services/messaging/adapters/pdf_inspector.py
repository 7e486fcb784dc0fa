"""The program that looks into one PDF, its standard input, and says one line about it.

It is started by `pdf_inspection` with an empty environment, and knows nothing of Parley. First it loads what
it needs and says so; from then on it has 2 seconds of work and 512 MiB, can write no file and start nothing.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import zlib
from collections.abc import Iterator
from typing import Any

CPU_SECONDS = 2
MEMORY_BYTES = 512 * 1024 * 1024
OPEN_FILES = 16
DEPTH_MAX = 100
"""Values inside values; documents have about five."""
UNPACKED_BYTES = 64 * 1024 * 1024
"""What everything but the pictures may become when it is unpacked."""
PICTURE_PIXELS = 200_000_000

KEYS = frozenset(
    {
        "/JavaScript", "/JS", "/OpenAction", "/AA", "/Launch", "/EmbeddedFile", "/EmbeddedFiles", "/EF",
        "/AF", "/XFA", "/RichMedia", "/RichMediaContent", "/RichMediaSettings", "/3DD", "/Collection",
    }
)  # fmt: skip
VALUES = frozenset(
    {
        "/JavaScript", "/Launch", "/EmbeddedFile", "/FileAttachment", "/GoToE", "/ImportData",
        "/SubmitForm", "/Rendition", "/RichMedia", "/RichMediaExecute", "/Movie", "/Sound", "/Screen", "/3D",
    }
)  # fmt: skip
"""What acts when a document is opened, printed or clicked, reaches for another file, or carries one."""
SPELLED = frozenset(
    {"/JavaScript", "/OpenAction", "/Launch", "/EmbeddedFile", "/EmbeddedFiles", "/RichMedia"}
)
"""Names too long to be an accident of compressed bytes. They must not stand anywhere in the file: a reader
may find objects that the table of contents leaves out.
"""
OTHER_FORMS = (b"<html", b"<script", b"<!doctype", b"<?php", b"<svg", b"__halt_compiler", b"#!/", b"mz\x90")
"""How a file begins that another program would take for its own; looked for where such programs look."""
BEGINNING_BYTES = 1_024
ZIP_END = b"PK\x05\x06"
ZIP_END_BYTES = 65_536 + 22
LIMIT_WARNING = "limits error"
DAMAGE_WARNINGS = ("loop detected", "damaged")

_NAME = re.compile(rb"/[A-Za-z0-9#]{2,60}")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")


class Active(Exception):
    """The document contains what it must not."""


class TooMuch(Exception):
    """The document is far larger or deeper than it looks."""


def limit() -> None:
    """Takes away what a document does not need."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def search_bytes(raw: bytes) -> None:
    """What can be seen without reading the document; raises Active."""
    beginning = raw[:BEGINNING_BYTES].lower()
    for form in OTHER_FORMS:
        if form in beginning:
            raise Active(form.decode("ascii", "replace").strip())
    if ZIP_END in raw[-ZIP_END_BYTES:]:
        raise Active("a ZIP archive")
    for match in _NAME.finditer(raw):
        name = match[0]
        if b"#" in name:
            name = _ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), name)
        if (text := name.decode("latin-1")) in SPELLED:
            raise Active(text)


class Search:
    """Looks through the objects of one document."""

    def __init__(self, pdf: Any) -> None:
        self._pdf = pdf
        self._room = UNPACKED_BYTES

    def look(self, value: Any, depth: int = 0) -> None:
        """A value and what stands directly in it; raises Active or TooMuch. Objects that it refers to come by
        themselves.
        """
        if depth > DEPTH_MAX:
            raise TooMuch
        if isinstance(value, self._pdf.Name):
            if str(value) in VALUES:
                raise Active(str(value))
        elif isinstance(value, self._pdf.Array):
            for item in _inside(value):
                self.look(item, depth + 1)
        elif isinstance(value, self._pdf.Stream):
            self.look(value.stream_dict, depth + 1)
            self._unpack(value)
        elif isinstance(value, self._pdf.Dictionary):
            self._look_at_keys(value, depth)

    def _look_at_keys(self, value: Any, depth: int) -> None:
        for key in value.keys():  # noqa: SIM118 - no mapping of Python
            if key in KEYS:
                raise Active(key)
            item = value[key]
            if not _is_reference(item):
                self.look(item, depth + 1)

    def _unpack(self, stream: Any) -> None:
        names = stream.stream_dict
        if str(names.get("/Subtype", "")) == "/Image":
            if int(names.get("/Width", 0)) * int(names.get("/Height", 0)) > PICTURE_PIXELS:
                raise TooMuch
            return
        filters = names.get("/Filter")
        if filters is None:
            return
        first = filters[0] if isinstance(filters, self._pdf.Array) and len(filters) else filters
        if str(first) in ("/FlateDecode", "/Fl"):
            self._inflate(stream.read_raw_bytes())
        elif str(first) not in ("/DCTDecode", "/JPXDecode", "/CCITTFaxDecode", "/JBIG2Decode"):
            self._take(len(stream.read_bytes()))

    def _inflate(self, packed: bytes) -> None:
        """However often it is packed: what a bomb hides is behind a bomb."""
        while packed:
            opened = zlib.decompressobj()
            try:
                packed = opened.decompress(packed, self._room + 1)
            except zlib.error:
                return
            self._take(len(packed))
            if packed[:1] != b"\x78":
                return

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise TooMuch


def _inside(array: Any) -> Iterator[Any]:
    """The items of an array that stand in it directly."""
    return (item for item in array if not _is_reference(item))


def _is_reference(item: Any) -> bool:
    """Whether the value is an object of its own."""
    return bool(getattr(item, "is_indirect", False))


def search_document(pdf: Any, file: Any) -> str:
    """The finding about a document that can be opened; raises Active or TooMuch."""
    # What has to be repaired first would be read differently by every reader.
    with pdf.open(file, attempt_recovery=False) as document:
        if document.is_encrypted:
            return "encrypted"
        if not len(document.pages):
            return "unreadable"
        search = Search(pdf)
        search.look(document.trailer)
        for found in document.objects:
            search.look(found)
        warnings = " ".join(str(warning) for warning in document.get_warnings())
    if LIMIT_WARNING in warnings:
        raise TooMuch
    return "unreadable" if any(sign in warnings for sign in DAMAGE_WARNINGS) else "fine"


def inspect(pdf: Any) -> tuple[str, str]:
    """The finding about the standard input, and what was found."""
    try:
        search_bytes(sys.stdin.buffer.read())
        sys.stdin.buffer.seek(0)
        return search_document(pdf, sys.stdin.buffer), ""
    except Active as active:
        return "active", str(active)
    except pdf.PasswordError:
        return "encrypted", ""
    except (TooMuch, MemoryError, RecursionError):
        return "too_complex", ""
    except Exception:  # noqa: BLE001 - whatever keeps it from being read, it cannot be read
        return "unreadable", ""


def main() -> None:
    """Says `ready`, looks, says one line."""
    import pikepdf

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    limit()
    finding, found = inspect(pikepdf)
    sys.stdout.write(json.dumps({"finding": finding, "found": found[:100]}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
