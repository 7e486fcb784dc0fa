"""The mails of this stack, to be read in a browser of this machine: an operator's tool, not a part of Parley.

It serves the folder into which messaging writes its mails. It listens on the loopback interface only, answers
only for names of that interface (no page of another site can reach it by a name of its own), changes nothing,
and shows HTML in a frame that may neither run scripts nor load anything.
"""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, quote, urlsplit

from stack.ports import LOOPBACK

if TYPE_CHECKING:
    from email.message import EmailMessage

REQUEST_SECONDS: Final = 5.0
HEAD_LIMIT_BYTES: Final = 16 * 1024
HEADER_LIMIT: Final = 100
PAGE_MAILS: Final = 100
"""Mails on one page, the newest first."""
_NAME: Final = re.compile(r"[0-9TZ]+-[0-9a-f-]+\.eml")
_LINK: Final = re.compile(r"https?://[^\s<>\"]+")
_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
# What a mail shows runs nothing and loads nothing; its links open beside the page.
_SANDBOX: Final = "allow-popups allow-popups-to-escape-sandbox"
_MAIL_POLICY: Final = (
    f"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox {_SANDBOX}"
)


class MailPage:
    """Serves a folder of mails at one port."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """OSError where the port is taken."""
        self._server = await asyncio.start_server(self._answer, LOOPBACK, self._port, limit=HEAD_LIMIT_BYTES)

    async def stop(self) -> None:
        """Answers nobody any more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            async with asyncio.timeout(REQUEST_SECONDS):
                method, target, host = await _head(reader)
                status, body, policy = await asyncio.to_thread(self.page, method, target, host)
                writer.write(_response(status, b"" if method == "HEAD" else body, policy))
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def page(self, method: str, target: str, host: str) -> tuple[str, bytes, str]:
        """Status, body and policy of what was asked for."""
        if host.rpartition(":")[0] not in _HOSTS and host not in _HOSTS:
            return "421 Misdirected Request", b"this page is for this machine only\n", _PAGE_POLICY
        if method not in ("GET", "HEAD"):
            return "405 Method Not Allowed", b"mails are read here, nothing else\n", _PAGE_POLICY
        parts = urlsplit(target)
        if parts.path == "/":
            to = parse_qs(parts.query).get("to", [""])[0]
            return "200 OK", self._list(to), _PAGE_POLICY
        kind, _, name = parts.path.removeprefix("/").partition("/")
        show = _SHOWN.get(kind)
        mail = self._mail(name) if show is not None else None
        if show is None or mail is None:
            return "404 Not Found", b"there is no such mail\n", _PAGE_POLICY
        policy = _MAIL_POLICY if kind == "html" else _PAGE_POLICY
        return "200 OK", show(mail, name).encode(), policy

    def _list(self, to: str) -> bytes:
        rows: list[str] = []
        more = False
        for path in sorted(self._folder.glob("*.eml"), reverse=True):
            mail = self._mail(path.name)
            if mail is None or (to and to.casefold() not in str(mail["To"]).casefold()):
                continue
            if len(rows) == PAGE_MAILS:
                more = True
                break
            rows.append(_row(mail, path.name))
        return _document("Mails", _list_body(rows, to=to, more=more)).encode()

    def _mail(self, name: str) -> EmailMessage | None:
        # Loaded with the first mail that somebody looks at: the supervisor stays small without it.
        import email
        from email import policy

        if not _NAME.fullmatch(name):
            return None
        try:
            content = (self._folder / name).read_bytes()
        except OSError:
            return None
        return email.message_from_bytes(content, policy=policy.default)


async def _head(reader: asyncio.StreamReader) -> tuple[str, str, str]:
    """Method, target and host of a request; ValueError for what is none."""
    method, target, _version = (await reader.readline()).decode("ascii").split(" ", 2)
    host = ""
    for _ in range(HEADER_LIMIT):
        line = (await reader.readline()).decode("latin-1")
        if line in ("\r\n", "\n"):
            return method, target, host
        name, _, value = line.partition(":")
        if name.lower() == "host":
            host = value.strip().lower()
    raise ValueError("too many headers")


def _response(status: str, body: bytes, policy: str) -> bytes:
    kind = "text/html" if status.startswith("200") else "text/plain"
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {kind}; charset=utf-8\r\ncontent-length: {len(body)}\r\n"
        f"content-security-policy: {policy}\r\nx-content-type-options: nosniff\r\n"
        "referrer-policy: no-referrer\r\ncache-control: no-store\r\nconnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body


# ---------------------------------------------------------------------------------------------- what is shown


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return "" if part is None else str(part.get_content())


def _as_html(mail: EmailMessage, _name: str) -> str:
    # Links open in a page of their own: inside of the frame nothing else is shown.
    return _body(mail, "html").replace("<head>", '<head><base target="_blank">', 1)


def _as_text(mail: EmailMessage, name: str) -> str:
    linked = _LINK.sub(
        lambda found: f'<a href="{found[0]}" rel="noreferrer">{found[0]}</a>',
        html.escape(_body(mail, "plain")),
    )
    return _document(str(mail["Subject"]), _head_of(mail, name, "text") + f"<pre>{linked}</pre>")


def _as_mail(mail: EmailMessage, name: str) -> str:
    frame = f'<iframe sandbox="{_SANDBOX}" title="mail" src="/html/{quote(name)}"></iframe>'
    return _document(str(mail["Subject"]), _head_of(mail, name, "mail") + frame)


def _as_headers(mail: EmailMessage, name: str) -> str:
    rows = "".join(
        f"<dt>{html.escape(key)}</dt><dd>{html.escape(str(value))}</dd>" for key, value in mail.items()
    )
    return _document(str(mail["Subject"]), _head_of(mail, name, "headers") + f"<dl>{rows}</dl>")


_SHOWN: Final[dict[str, Callable[[EmailMessage, str], str]]] = {
    "mail": _as_mail,
    "text": _as_text,
    "headers": _as_headers,
    "html": _as_html,
}


def _row(mail: EmailMessage, name: str) -> str:
    subject, to = html.escape(str(mail["Subject"])), html.escape(str(mail["To"]))
    return (
        f'<li><a href="/mail/{quote(name)}"><span class="subject">{subject}</span>'
        f'<span class="to">{to}</span><time>{_time(mail)}</time></a></li>'
    )


def _time(mail: EmailMessage) -> str:
    moment = mail["Date"].datetime if mail["Date"] is not None else None
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _list_body(rows: list[str], *, to: str, more: bool) -> str:
    filtered = f' to {html.escape(to)} · <a href="/">all</a>' if to else ""
    body = f"<header><h1>Mails</h1><p>{len(rows)}{' newest' if more else ''}{filtered}</p></header>"
    if not rows:
        body += (
            '<p class="empty">No mail yet. Whoever saves an address in his profile gets one that verifies '
            "it, and then whatever happens in his conversations.</p>"
        )
    return body + f"<ol>{''.join(rows)}</ol>"


def _head_of(mail: EmailMessage, name: str, shown: str) -> str:
    tabs = " ".join(
        f'<a href="/{kind}/{quote(name)}"{" aria-current=page" if kind == shown else ""}>{label}</a>'
        for kind, label in (("mail", "HTML"), ("text", "Text"), ("headers", "Headers"))
    )
    to = str(mail["To"])
    return (
        f'<header><p><a href="/">← Mails</a></p><h1>{html.escape(str(mail["Subject"]))}</h1>'
        f'<p>to <a href="/?to={quote(to)}">{html.escape(to)}</a> · <time>{_time(mail)}</time></p>'
        f"<nav>{tabs}</nav></header>"
    )


_STYLE: Final = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6470;--line:#dfe3e8;--link:#0b5cad;--page:#fff;
--pick:#f3f4f6}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4b0;--line:#2c333b;--link:#7db8f5;--page:#14181d;
--pick:#1d232a}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.375rem;margin:.25rem 0;overflow-wrap:anywhere}header p{margin:.25rem 0;color:var(--soft)}
a{color:var(--link)}ol{list-style:none;margin:1rem 0;padding:0;border-top:1px solid var(--line)}
li a{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.1rem 1rem;padding:.7rem .5rem;
color:inherit;text-decoration:none;border-bottom:1px solid var(--line)}
li a:hover,li a:focus-visible{background:var(--pick)}
.subject{flex:1 0 100%;font-weight:600;overflow-wrap:anywhere}.to,time{color:var(--soft);font-size:.875rem}
.to{overflow-wrap:anywhere}nav{display:flex;gap:.5rem;margin:.75rem 0}
nav a{padding:.35rem .8rem;border:1px solid var(--line);border-radius:.4rem;text-decoration:none}
nav a[aria-current]{background:var(--pick);color:var(--ink)}
iframe{width:100%;height:75vh;border:1px solid var(--line);border-radius:.4rem;background:#fff;
color-scheme:light}
pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:1rem;border:1px solid var(--line);border-radius:.4rem}
dt{color:var(--soft);font-size:.875rem}dd{margin:0 0 .5rem;overflow-wrap:anywhere}.empty{color:var(--soft)}
""".strip()


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)} – Parley</title><style>{_STYLE}</style></head>"
        f"<body>{body}</body></html>"
    )
