"""Which addresses may be told anything."""

from __future__ import annotations

from urllib.parse import urlsplit

from services.messaging.domain import webhook_refusals as refusals
from services.messaging.domain.webhook import is_public


def checked_url(url: str, *, local: bool) -> str:
    """The address as it may be stored; `local` allows http and this machine, for development.

    Refusal WEBHOOK_URL_INVALID.
    """
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise refusals.url_invalid("contains characters that no URL has")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refusals.url_invalid("cannot be read") from None
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise refusals.url_invalid("must begin with https://")
    if not parts.hostname or parts.username is not None or parts.password is not None or parts.fragment:
        raise refusals.url_invalid("must have a host, and neither user, password nor fragment")
    if port == 0:
        raise refusals.url_invalid("has no possible port")
    if not local and not _may_be_public(parts.hostname):
        raise refusals.url_invalid("leads to no public address")
    return url


def _may_be_public(host: str) -> bool:
    try:
        return is_public(host)
    except ValueError:
        # A name: where it leads is looked up each time.
        return host != "localhost" and not host.endswith((".localhost", ".local", ".internal"))
