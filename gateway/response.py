"""A complete answer, and the headers that answers have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

Headers = Mapping[bytes, bytes]
HeaderList = list[tuple[bytes, bytes]]

# The ASGI callables; their messages are free-form by definition.
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON_TYPE = (b"content-type", b"application/json")
PROBLEM_TYPE = (b"content-type", b"application/problem+json")
EVENT_STREAM_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")

SECURITY_HEADERS: HeaderList = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
"""For answers that no browser should render. Pages bring a policy of their own."""

NO_STORE = (b"cache-control", b"no-store")


@dataclass(frozen=True, slots=True)
class Response:
    """An answer whose body is known. The app adds the length and the trace to its headers."""

    status: int
    body: bytes
    headers: HeaderList


@dataclass(frozen=True, slots=True)
class Page:
    """A document for people: may be cached briefly, and declares what a browser may load."""

    body: bytes
    content_type: bytes
    policy: bytes = b"default-src 'none'; frame-ancestors 'none'"

    def response(self) -> Response:
        """The page as an answer."""
        headers = [(name, value) for name, value in SECURITY_HEADERS if name != b"content-security-policy"]
        headers += [
            (b"content-type", self.content_type),
            (b"content-security-policy", self.policy),
            (b"cache-control", b"no-cache"),
        ]
        return Response(200, self.body, headers)
