"""Cross-origin requests: refused unless an origin is configured."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.response import HeaderList, Headers, Response

_EXPOSED = b"ETag, Retry-After, Traceparent, Allow"
_ALLOWED_HEADERS = (
    b"Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Traceparent, X-Request-Timeout"
)
_MAX_AGE_SECONDS = b"600"


class Cors:
    """Which origins a browser may call from. Tokens travel in a header, so credentials are never allowed."""

    def __init__(self, origins: Sequence[str] = ()) -> None:
        """Exact origins (`https://app.example.org`); `*` allows all; none switches CORS off."""
        self._origins = frozenset(origin.encode() for origin in origins)
        self._any = b"*" in self._origins
        self.enabled = bool(origins)

    def headers(self, request: Headers) -> HeaderList:
        """What to add to an answer."""
        if not self.enabled:
            return []
        origin = request.get(b"origin")
        vary = (b"vary", b"Origin")
        if origin is None or not (self._any or origin in self._origins):
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
        ]

    def preflight(self, request: Headers, allowed: str) -> Response | None:
        """The answer to a browser's question before the request; `None` if this is none."""
        if not self.enabled or b"access-control-request-method" not in request:
            return None
        headers = [
            (b"access-control-allow-methods", allowed.encode()),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _MAX_AGE_SECONDS),
        ]
        return Response(204, b"", headers)
