"""PDFs made by hand, byte for byte: good ones as several producers write them, and hostile ones."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Final

import pikepdf

LIMIT_BYTES: Final = 10_485_760
PAGE: Final = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Resources<<>>/Contents 4 0 R>>"
TEXT: Final = b"<</Length 28>>stream\nBT 9 9 Td (We draw owls.) ET\nendstream"
BASE: Final = (b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", PAGE, TEXT)


def pdf(
    *extra: bytes,
    catalog: bytes = b"",
    page: bytes = b"",
    pages: bytes = b"",
    trailer: bytes = b"",
    version: bytes = b"1.4",
    start: int | None = None,
) -> bytes:
    """A document of one page and a table of contents; the arguments go into its parts."""
    objects = [
        BASE[0][:-2] + catalog + b">>",
        BASE[1][:-2] + pages + b">>",
        PAGE[:-2] + page + b">>",
        TEXT,
        *extra,
    ]
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-" + version + b"\n%\xe2\xe3\xcf\xd3\n")
    for number, content in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    table = out.tell()
    size = len(objects) + 1
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    trailer = trailer.replace(b"@table", b"%d" % table)
    out.write(b"trailer\n<</Size %d/Root 1 0 R%s>>\n" % (size, trailer))
    out.write(b"startxref\n%d\n%%%%EOF\n" % (table if start is None else start))
    return out.getvalue()


def stream(data: bytes, names: bytes = b"") -> bytes:
    """An object with bytes of its own."""
    return b"<</Length %d%s>>stream\n%s\nendstream" % (len(data), names, data)


def saved(change: Callable[[pikepdf.Pdf], None] | None = None, **options: object) -> bytes:
    """A document as qpdf writes it."""
    with pikepdf.open(io.BytesIO(pdf(trailer=b"/Info<</Producer(hand)>>"))) as document:
        if change is not None:
            change(document)
        out = io.BytesIO()
        document.save(out, **options)  # type: ignore[arg-type]
        return out.getvalue()


def packed(change: Callable[[pikepdf.Pdf], None] | None = None) -> bytes:
    """The same with its objects inside compressed streams, where no search of the bytes finds them."""
    return saved(change, object_stream_mode=pikepdf.ObjectStreamMode.generate, compress_streams=True)


def of_size(size: int) -> bytes:
    """A good document of exactly this many bytes."""
    short = pdf(stream(b""))
    filling = size - len(short)
    found = pdf(stream(b"x" * filling))
    return pdf(stream(b"x" * (filling - (len(found) - size))))


def bomb(layers: int, size: int = 80 * 1024 * 1024) -> bytes:
    """Bytes that become `size` zeros when they are unpacked as often as they were packed."""
    pack = zlib.compressobj(9)
    block, data = bytes(1024 * 1024), b""
    for _ in range(size // len(block)):
        data += pack.compress(block)
    data += pack.flush()
    for _ in range(layers - 1):
        data = zlib.compress(data, 9)
    return data


def _action(document: pikepdf.Pdf) -> None:
    name = pikepdf.Name
    document.Root.OpenAction = pikepdf.Dictionary(S=name.JavaScript, JS="app.alert(1)")


def _names(document: pikepdf.Pdf) -> None:
    document.attachments["invoice.exe"] = b"MZ\x90\x00"


def _inherited(document: pikepdf.Pdf) -> None:
    action = pikepdf.Dictionary(S=pikepdf.Name.Launch, F="calc.exe")
    document.Root.Pages.AA = pikepdf.Dictionary(O=document.make_indirect(action))


def _form(document: pikepdf.Pdf) -> None:
    document.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array(), XFA=document.make_stream(b"<xdp/>"))


def _zipped(before: bytes, *, comment: bytes = b"") -> bytes:
    out = io.BytesIO(before)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("evil.class", b"\xca\xfe\xba\xbe")
        archive.comment = comment
    return out.getvalue()


def _encrypted(password: str) -> bytes:
    return saved(encryption=pikepdf.Encryption(owner="owner", user=password, R=6))


def good() -> dict[str, bytes]:
    """Documents that have to pass."""
    fine = saved()
    return {
        "by hand, version 1.4": pdf(),
        "by hand, version 1.0": pdf(version=b"1.0"),
        "by hand, version 2.0": pdf(version=b"2.0"),
        "by qpdf": fine,
        "by qpdf, objects packed": packed(),
        "linearized": saved(linearize=True),
        "with a table after a change": fine[: fine.rindex(b"%%EOF")] + b"%%EOF\r\n",
        "with a link": pdf(page=b"/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(x)>>>>]"),
        "with a picture": pdf(
            stream(bytes(300), b"/Subtype/Image/Width 10/Height 10/ColorSpace/DeviceRGB/BitsPerComponent 8")
        ),
        "with compressed text": pdf(stream(zlib.compress(b"q Q " * 1_000), b"/Filter/FlateDecode")),
        "of the largest size": of_size(LIMIT_BYTES),
    }


def hostile() -> dict[str, tuple[str, bytes]]:
    """What has to be refused, with the reason."""
    script = b"<</S/JavaScript/JS(app.alert\\(1\\))>>"
    fine, active = pdf(), "ATTACHMENT_ACTIVE_CONTENT"
    deep = 5_000
    found: dict[str, Sequence[object]] = {
        "nothing": ("NOT_PDF", b""),
        "a text": ("NOT_PDF", b"Hello"),
        "a program": ("NOT_PDF", b"MZ\x90\x00" + fine),
        "a page of HTML before it": ("NOT_PDF", b"<html><script>alert(1)</script>" + fine),
        "a space before it": ("NOT_PDF", b" " + fine),
        "a header alone": ("NOT_PDF", b"%PDF-1.7\n"),
        "a header and an end": ("NOT_PDF", b"%PDF-1.7\nhello\n%%EOF"),
        "the end cut off": ("NOT_PDF", fine[:-10]),
        "the middle cut out": ("NOT_PDF", fine[:80] + fine[-80:]),
        "an end too far from the end": ("NOT_PDF", fine + b"\n" * 2_000),
        "a program behind it": ("NOT_PDF", fine + b"#!/bin/sh\nrm -rf /\n"),
        "one byte too large": ("TOO_LARGE", of_size(LIMIT_BYTES) + b"\n"),
        "far too large": ("TOO_LARGE", b"%PDF-1.4\n" + bytes(LIMIT_BYTES)),
        "encrypted": ("ENCRYPTED", _encrypted("secret")),
        "encrypted for its owner": ("ENCRYPTED", _encrypted("")),
        "a script at the opening": (active, pdf(script, catalog=b"/OpenAction 5 0 R")),
        "a script by another spelling": (active, pdf(b"<</S/J#61vaScript/J#53(x)>>")),
        "a script in a list of names": (
            active, pdf(script, catalog=b"/Names<</JavaScript<</Names[(a) 5 0 R]>>>>")
        ),
        "a script in a packed object": (active, packed(_action)),
        "an object that nothing refers to": (active, pdf(b"<</S/Launch/F(calc.exe)>>")),
        "an object outside of the table": (
            active, fine.replace(b"xref\n0", b"9 0 obj\n<</OpenAction 8 0 R>>\nendobj\nxref\n0", 1)
        ),
        "an action that pages inherit": (active, packed(_inherited)),
        "an action of a page": (active, pdf(page=b"/AA<</O<</S/Launch/F(x)>>>>")),
        "a program inside": (active, packed(_names)),
        "a file inside": (active, pdf(stream(b"MZ", b"/Type/EmbeddedFile"))),
        "a form of XFA": (active, packed(_form)),
        "a form that is sent": (active, pdf(page=b"/Annots[<</A<</S/SubmitForm/F(http:)>>>>]")),
        "a film": (active, pdf(page=b"/Annots[<</Subtype/RichMedia/RichMediaContent<<>>>>]")),
        "an archive behind it": ("NOT_PDF", _zipped(fine)),
        "an archive that ends like a PDF": (active, _zipped(fine, comment=b"\n%%EOF\n")),
        "HTML in its first lines": (active, fine.replace(b"\n%", b"\n%<script>alert(1)</script>\n%", 1)),
        "values nested deeply": ("TOO_COMPLEX", pdf(b"[" * deep + b"]" * deep)),
        "a stream that grows without end": ("TOO_COMPLEX", pdf(stream(bomb(1), b"/Filter/FlateDecode"))),
        "a stream packed twice": (
            "TOO_COMPLEX", pdf(stream(bomb(2), b"/Filter[/FlateDecode/FlateDecode]"))
        ),
        "a picture without end": (
            "TOO_COMPLEX", pdf(stream(b"x", b"/Subtype/Image/Width 99999/Height 99999/BitsPerComponent 1"))
        ),
        "tables in a circle": ("NOT_PDF", pdf(trailer=b"/Prev @table")),
        "a table that is nowhere": ("NOT_PDF", pdf(start=5)),
        "pages in a circle": ("NOT_PDF", pdf().replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]")),
        "no page": ("NOT_PDF", pdf().replace(b"/Kids[3 0 R]/Count 1", b"/Kids[     ]/Count 0")),
        "a length that needs itself": ("NOT_PDF", pdf(b"<</Length 5 0 R>>stream\nabc\nendstream")),
    }  # fmt: skip
    return {
        name: (reason if str(reason).startswith("ATT") else f"ATTACHMENT_{reason}", bytes(data))  # type: ignore[call-overload,misc]
        for name, (reason, data) in found.items()
    }
