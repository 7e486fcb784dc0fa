"""Reads a mail that came in. Whoever wrote it may have meant harm: everything is bounded before it is looked
at, and nothing in it can make the reading fail otherwise than by `Unreadable`.
"""

from __future__ import annotations

import binascii
import codecs
import email
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import policy
from email.header import decode_header
from email.message import Message
from typing import Any, Final

from services.messaging.domain import mail_html, mail_quotes

LINES_LIMIT: Final = 250_000
"""Lines of a mail: more than the largest one has whose parts are encoded as usual."""
PARTS_LIMIT: Final = 32
"""How often a mail may say that something consists of parts."""
BOUNDARIES_LIMIT: Final = 1_000
"""Lines that may begin another part."""
HEAD_LIMIT_BYTES: Final = 131_072
"""Where the headers of a mail end at the latest."""
HEADER_LIMIT: Final = 1_000
"""Characters of a header that are looked at."""
HEADERS_LIMIT: Final = 500
ATTACHMENTS_LIMIT: Final = 10
HOPS_LIMIT: Final = 30
"""Servers through which a mail may have come."""
ORIGINAL_LIMIT: Final = 20_000
"""Characters of a text that are kept as they came."""

_INNER_PARTS: Final = re.compile(rb"(multipart|message)/", re.IGNORECASE)
_BARE_BREAK: Final = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_ADDRESS: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9.-]{1,253}"
_BARE_SENDER: Final = re.compile(rf"\s*({_ADDRESS})\s*")
_NAMED_SENDER: Final = re.compile(rf"[^<>]*<\s*({_ADDRESS})\s*>\s*")
_CHARSETS: Final = re.compile(
    r"utf-?(8|16|32)|ascii|(iso8859|cp|koi8|mac)[-_a-z0-9]*|gb(18030|2312|k)|big5(hkscs)?|hz|johab|"
    r"(euc|shift)_[a-z_0-9]*|iso2022_[a-z_0-9]*|tis-620"
)
"""Those that only turn bytes into characters, by the names that Python gives them."""
_SIGNATURES: Final = frozenset(
    {"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"}
)
_UNSEEN: Final = frozenset({"text/x-amp-html", "text/watch-html"})
_CONTROL: Final = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127))


class Unreadable(Exception):
    """The mail is not taken; `problem` completes a sentence about it."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Document:
    """A file that came with a mail."""

    filename: str
    content_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """What a mail says. `sender` is its one author's address, empty where that is not clear. `text` is what
    is new, `original` what it said before that was found out. `left_out` counts pictures within the text
    and signatures of programs. `headers` holds the first value of each. `digest` is the same in every copy of
    it, and is made where it is read: a thread has the time for it.
    """

    sender: str
    message_id: str
    subject: str
    text: str
    original: str
    documents: tuple[Document, ...]
    left_out: int
    headers: dict[str, str]
    hops: int
    content_type: str
    digest: str
    failed_addresses: tuple[str, ...] = ()


def breaks_lines_otherwise(content: bytes) -> bool:
    """Whether lines end by a CR or an LF alone: servers disagree about where such a mail ends, which lets one
    mail carry another one past the first of them.
    """
    return _BARE_BREAK.search(content) is not None


def read(content: bytes) -> Letter:
    """The mail. Raises Unreadable."""
    if breaks_lines_otherwise(content):
        raise Unreadable("ends lines by a CR or an LF alone")
    if content.count(b"\n") > LINES_LIMIT:
        raise Unreadable("has too many lines")
    if (
        sum(1 for _ in _INNER_PARTS.finditer(content)) > PARTS_LIMIT
        or content.count(b"\n--") > BOUNDARIES_LIMIT
    ):
        raise Unreadable("has too many parts")
    head, _, _ = content[: HEAD_LIMIT_BYTES + 1].partition(b"\r\n\r\n")
    if len(head) > HEAD_LIMIT_BYTES:
        raise Unreadable("has too many headers")
    try:
        return _letter(email.message_from_bytes(content, policy=policy.compat32))
    except Unreadable:
        raise
    except Exception as error:
        # The library promises to read everything, and has broken the promise before.
        raise Unreadable("cannot be understood") from error


def _letter(message: Message) -> Letter:
    if len(message.items()) > HEADERS_LIMIT:
        raise Unreadable("has too many headers")
    headers: dict[str, str] = {}
    for name, value in message.items():
        headers.setdefault(name.lower()[:HEADER_LIMIT], str(value)[:HEADER_LIMIT])
    found = _Found()
    texts = found.read(message)
    original = _clean("\n".join(text for text in texts if text.strip()))
    written = mail_quotes.written(original)
    return Letter(
        sender=_sender(message),
        message_id=headers.get("message-id", "").strip(),
        subject=decoded(headers.get("subject", "")),
        text=written,
        original=original[:ORIGINAL_LIMIT],
        documents=tuple(found.documents),
        left_out=found.left_out,
        headers=headers,
        hops=len(message.get_all("received", [])),
        content_type=message.get_content_type(),
        digest=_digest(written, found.documents),
        failed_addresses=tuple(found.failed_addresses),
    )


def _digest(text: str, documents: Iterable[Document]) -> str:
    said = hashlib.sha256(text.encode())
    for document in documents:
        said.update(hashlib.sha256(document.data).digest())
    return said.hexdigest()


def _sender(message: Message) -> str:
    """The one address of the one From header."""
    values = message.get_all("from", [])
    if len(values) != 1 or len(str(values[0])) > HEADER_LIMIT:
        return ""
    value = str(values[0])
    found = _BARE_SENDER.fullmatch(value) or _NAMED_SENDER.fullmatch(value)
    return found[1] if found is not None else ""


class _Found:
    """Goes through the parts of a mail, of which there are at most PARTS_LIMIT inside each other."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.failed_addresses: list[str] = []
        self.left_out = 0

    def read(self, part: Message) -> list[str]:
        """The texts of a part, in their order."""
        if any(len(str(value)) > HEADER_LIMIT for value in _described(part)):
            raise Unreadable("describes its parts at too great length")
        kind, inner = part.get_content_type(), part.get_payload()
        if isinstance(inner, list):
            if kind == "message/delivery-status":
                self.failed_addresses += _failed_addresses(inner)
                return []
            if not kind.startswith("message/"):
                return self._inner(kind, inner)
            data = inner[0].as_bytes() if isinstance(inner[0], Message) else b""
            self._keep(Document(_filename(part), kind, data))
            return []
        return self._leaf(part, kind)

    def _inner(self, kind: str, inner: list[Any]) -> list[str]:
        read = [(child, self.read(child)) for child in inner]
        if kind != "multipart/alternative":
            return [text for _, texts in read for text in texts]
        plain = [texts for child, texts in read if _has_plain(child) and any(map(str.strip, texts))]
        others = [texts for _, texts in read if any(map(str.strip, texts))]
        return plain[0] if plain else others[-1] if others else []

    def _leaf(self, part: Message, kind: str) -> list[str]:
        is_file = part.get_content_disposition() == "attachment" or bool(_filename(part))
        if kind in _SIGNATURES or kind in _UNSEEN or (kind.startswith("image/") and _is_within_text(part)):
            self.left_out += 1
        elif kind.startswith("text/") and not is_file:
            text = _text(part)
            return [mail_html.text_of(text) if kind == "text/html" else text]
        else:
            self._keep(Document(_filename(part), kind, _bytes(part)))
        return []

    def _keep(self, document: Document) -> None:
        if len(self.documents) >= ATTACHMENTS_LIMIT:
            raise Unreadable(f"has more than {ATTACHMENTS_LIMIT} attachments")
        self.documents.append(document)


def _described(part: Message) -> Iterator[object]:
    for name in ("content-type", "content-disposition", "content-transfer-encoding"):
        yield from part.get_all(name, [])


def _has_plain(part: Message) -> bool:
    return any(each.get_content_type() == "text/plain" for each in part.walk())


def _is_within_text(part: Message) -> bool:
    return part.get_content_disposition() == "inline" or part.get("content-id") is not None


def _filename(part: Message) -> str:
    try:
        return decoded(part.get_filename() or "")[:HEADER_LIMIT]
    except (ValueError, LookupError, TypeError):
        return ""


def _text(part: Message) -> str:
    data = _bytes(part)
    charset = part.get_param("charset", "utf-8")
    name = charset if isinstance(charset, str) else "utf-8"
    return in_charset(data, name)


def in_charset(data: bytes, name: str) -> str:
    """The characters of a text, whatever its charset claims to be."""
    try:
        codec = codecs.lookup(name.strip("\"' ")[:40])
        if _CHARSETS.fullmatch(codec.name):
            return data.decode(codec.name, "replace")
    except (LookupError, ValueError):
        pass
    return data.decode("utf-8", "replace")


def _bytes(part: Message) -> bytes:
    encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
    if encoding in ("base64", "quoted-printable"):
        payload = part.get_payload()
        raw = payload.encode("ascii", "replace") if isinstance(payload, str) else b""
        return _from_base64(raw) if encoding == "base64" else binascii.a2b_qp(raw)
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _from_base64(raw: bytes) -> bytes:
    try:
        return binascii.a2b_base64(raw)
    except binascii.Error:
        # The end is missing: what is whole is read.
        clean = re.sub(rb"[^A-Za-z0-9+/]", b"", raw)
        return binascii.a2b_base64(clean[: len(clean) // 4 * 4])


def decoded(value: str) -> str:
    """A header as people read it."""
    pieces = []
    try:
        for data, charset in decode_header(value[:HEADER_LIMIT].replace("\r", "").replace("\n", " ")):
            pieces.append(data if isinstance(data, str) else in_charset(data, charset or "utf-8"))
    except (ValueError, LookupError):
        pieces = [value[:HEADER_LIMIT]]
    return _clean("".join(pieces)).strip()


def _clean(text: str) -> str:
    """Without what neither a reader sees nor the database keeps."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CONTROL)
    return text.encode("utf-8", "replace").decode("utf-8")


def _failed_addresses(blocks: list[Any]) -> list[str]:
    """For whom a server gave a mail up for good, because of the address (RFC 3464)."""
    found = []
    for block in blocks:
        action = str(block.get("action", "")).strip().lower()
        status = str(block.get("status", "")).strip()
        recipient = str(block.get("final-recipient", block.get("original-recipient", "")))[:HEADER_LIMIT]
        kind, _, address = recipient.partition(";")
        if action == "failed" and status.startswith("5.1.") and kind.strip().lower() == "rfc822":
            found.append(address.strip().strip("<>"))
    return found
