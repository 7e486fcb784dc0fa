"""Serves the console: fixed files, with what browsers need to keep them and to run nothing else."""

from __future__ import annotations

from console import Asset, Site
from console.site import POLICY
from gateway.app import PageHandler
from gateway.exchange import Exchange
from gateway.response import SECURITY_HEADERS, HeaderList, Response

_FOREVER = b"public, max-age=31536000, immutable"
# Kept, but asked about before each use: a new version shows with the next visit.
_ASK_FIRST = b"no-cache"
_HEADERS: HeaderList = [
    *((name, value) for name, value in SECURITY_HEADERS if name != b"content-security-policy"),
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]


class ConsoleFiles:
    """What a console answers at which path."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, path: str) -> tuple[str, PageHandler] | None:
        """What to call the path in metrics, and who answers it; None where the console has nothing."""
        asset = self._site.find(path)
        return None if asset is None else (asset.label, _handler(asset))


def _handler(asset: Asset) -> PageHandler:
    async def answer(exchange: Exchange) -> Response:
        is_packed = _takes_gzip(exchange.headers.get(b"accept-encoding", b""))
        etag = f'{asset.etag[:-1]}-gzip"' if is_packed else asset.etag
        headers: HeaderList = [
            *_HEADERS,
            (b"cache-control", _FOREVER if asset.is_immutable else _ASK_FIRST),
            (b"etag", etag.encode()),
            (b"vary", b"accept-encoding"),
        ]
        if _is_known(etag, exchange.headers.get(b"if-none-match", b"")):
            return Response(304, b"", headers)
        headers.append((b"content-type", asset.content_type.encode()))
        if not is_packed:
            return Response(200, asset.body, headers)
        return Response(200, asset.packed, [*headers, (b"content-encoding", b"gzip")])

    return answer


def _takes_gzip(accepted: bytes) -> bool:
    """Whether gzip is named and not refused by a weight of zero."""
    for part in accepted.decode("latin-1").lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "").removeprefix("q=").rstrip("0") not in ("0.", "") or not weight
    return False


def _is_known(etag: str, names: bytes) -> bool:
    """RFC 9110: the weak comparison with each of a list, or any."""
    known = (name.strip().removeprefix("W/") for name in names.decode("latin-1").split(","))
    return any(name in (etag, "*") for name in known)
