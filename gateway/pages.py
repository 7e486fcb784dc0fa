"""The few fixed pages: an index, health, the contract as OpenAPI, and its reference for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gateway.app import PageHandler
from gateway.exchange import Exchange
from gateway.response import JSON_TYPE, NO_STORE, SECURITY_HEADERS, Page, Response
from gateway.transcode import dumps

SERVING = "SERVING"

# Asks every service for its health.
HealthOf = Callable[[], Awaitable[Mapping[str, str]]]


class Readiness:
    """Whether requests should be sent here: not while shutting down, and not without the services."""

    def __init__(self, health: HealthOf) -> None:
        self._health = health
        self.is_stopping = False

    async def problem(self) -> str:
        """Why the gateway is not ready; empty if it is."""
        if self.is_stopping:
            return "stopping"
        states = await self._health()
        missing = sorted(name for name, state in states.items() if state != SERVING)
        return f"not serving: {', '.join(missing)}" if missing else ""

    async def answer(self, _exchange: Exchange) -> Response:
        """`/readyz`: 200 or 503, with the state of each service."""
        states = {} if self.is_stopping else await self._health()
        is_ready = not self.is_stopping and all(state == SERVING for state in states.values())
        status = "ready" if is_ready else ("stopping" if self.is_stopping else "not ready")
        return _json({"status": status, "services": dict(states)}, 200 if is_ready else 503)


def fixed_pages(
    readiness: Readiness,
    *,
    document: Callable[[], dict[str, Any]],
    reference: Callable[[], Page],
    has_console: bool,
) -> dict[str, PageHandler]:
    """The pages by path. `document` and `reference` are made when they are first asked for, and kept."""
    links = {**_CONSOLE_LINK, **_LINKS} if has_console else _LINKS
    index_html, index_json = _index_html(links), _index_json(links)
    openapi = _once(lambda: Page(dumps(document()), JSON_TYPE[1]).response())
    docs = _once(lambda: reference().response())

    async def index(exchange: Exchange) -> Response:
        wants_html = b"text/html" in exchange.headers.get(b"accept", b"")
        return index_html if wants_html else index_json

    async def live(_exchange: Exchange) -> Response:
        return _LIVE

    async def openapi_json(_exchange: Exchange) -> Response:
        return openapi()

    async def docs_html(_exchange: Exchange) -> Response:
        return docs()

    return {
        "/": index,
        "/healthz": live,
        "/readyz": readiness.answer,
        "/openapi.json": openapi_json,
        "/docs": docs_html,
    }


def _once(make: Callable[[], Response]) -> Callable[[], Response]:
    made: list[Response] = []

    def get() -> Response:
        if not made:
            made.append(make())
        return made[0]

    return get


def _json(value: Any, status: int = 200) -> Response:
    return Response(status, dumps(value), [JSON_TYPE, NO_STORE, *SECURITY_HEADERS])


_CONSOLE_LINK = {"console": ("/console", "Read and answer conversations")}
_LINKS = {
    "docs": ("/docs", "Reference of every method, field and error"),
    "openapi": ("/openapi.json", "The same for programs, OpenAPI 3.1"),
    "live": ("/healthz", "Whether this process works"),
    "ready": ("/readyz", "Whether every service behind it does"),
}
_LIVE = _json({"status": "live"})
_INDEX = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Parley</title>
<style>
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6470;--line:#dfe3e8;--link:#0b5cad;--page:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4b0;--line:#2c333b;--link:#7db8f5;--page:#14181d}}
body{margin:12vh auto 0;max-width:34rem;padding:0 1.25rem;background:var(--page);color:var(--ink);
font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.75rem;margin:0}p{color:var(--soft);margin:.25rem 0 1.5rem}
ul{list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}
li{display:flex;flex-wrap:wrap;gap:.25rem 1rem;padding:.7rem 0;border-bottom:1px solid var(--line)}
a{color:var(--link);min-width:8rem;font-family:ui-monospace,SFMono-Regular,Menlo,monospace;font-size:.95rem}
span{color:var(--soft)}
</style>
<h1>Parley</h1><p>Gated orders, versioned offers, conversations. This is the HTTP API.</p>
<ul><!-- items --></ul></html>
"""


def _index_json(links: Mapping[str, tuple[str, str]]) -> Response:
    return _json({"name": "parley", **{key: path for key, (path, _) in links.items()}})


def _index_html(links: Mapping[str, tuple[str, str]]) -> Response:
    items = "".join(
        f'<li><a href="{path}">{path}</a><span>{text}</span></li>' for path, text in links.values()
    )
    return Page(
        _INDEX.replace("<!-- items -->", items).encode(),
        b"text/html; charset=utf-8",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ).response()
