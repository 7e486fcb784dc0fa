"""Where webhooks may go: no form of an address leads to this machine, its networks or a cloud's services."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.kernel.refusal import Refusal
from services.messaging.adapters.libretranslate import LibreTranslate
from services.messaging.adapters.webhook_transport import HttpWebhookTransport
from services.messaging.app.translation_ports import TranslatorFailed
from services.messaging.app.webhook_addresses import checked_url
from services.messaging.domain.webhook import is_public
from stack.certificates import self_signed

FORMS = (
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
    "017700000001", "0x7f.0x0.0x0.0x1", "0", "0.0.0.0", "localhost", "localhost.", "LOCALHOST", "10.0.0.1",  # noqa: S104 - it is refused
    "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::]", "[2001:0:0:0:0:0:80ff:fffe]", "[fe80::1]",
    "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[2001:db8::1]", "[100::1]",
    "192.0.0.8", "192.88.99.1", "168.63.129.16", "[3fff::1]", "[::ffff:192.0.0.192]",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8")


async def test_no_connection_is_made_to_anything_that_is_not_public() -> None:
    assert len(set(FORMS)) >= 40
    connected = 0

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = HttpWebhookTransport(local=False)
    problems = {
        (scheme, form): await transport.post(f"{scheme}://{form}:{port}/hook", b"{}", {})
        for form in FORMS
        for scheme in ("http", "https")
    }
    server.close()
    # A form that is no host or that the resolver does not know leads nowhere; each other one is refused.
    refused = {form for form in FORMS if await leads_somewhere(form, port)}
    assert len(refused) >= 40
    assert {key: answer.problem for key, answer in problems.items()} == {
        key: "ADDRESS_NOT_PUBLIC" if key[1] in refused else "UNREACHABLE" for key in problems
    }
    assert {answer.status for answer in problems.values()} == {0}
    assert connected == 0


async def leads_somewhere(form: str, port: int) -> bool:
    """Whether it can stand in a URL, and this machine makes an address of it."""
    try:
        host = httpx.URL(f"http://{form}:{port}").host
        return bool(await asyncio.get_running_loop().getaddrinfo(host, port))
    except (OSError, httpx.InvalidURL):
        return False


async def test_the_host_that_is_looked_up_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """`faß.de` is `xn--fa-hia.de`, and `fass.de` where names are spelled by the rules of 2003."""
    asked: list[Any] = []

    def noted(host: Any, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))]

    monkeypatch.setattr(socket, "getaddrinfo", noted)
    answer = await HttpWebhookTransport(local=False).post("https://xn--fa-hia.de/hook", b"{}", {})
    assert (answer.problem, asked) == ("ADDRESS_NOT_PUBLIC", ["xn--fa-hia.de"])


async def _post(client: HttpWebhookTransport) -> None:
    assert (await client.post("https://127.0.0.1:1/hook", b"{}", {})).problem == "UNREACHABLE"


async def _detect(client: LibreTranslate) -> None:
    with pytest.raises(TranslatorFailed, match="UNREACHABLE"):
        await client.detect("Hello")


@pytest.mark.parametrize(
    ("make_client", "ask"),
    [
        (partial(HttpWebhookTransport, local=True), _post),
        (partial(LibreTranslate, "https://127.0.0.1:1", key="", seconds=5.0), _detect),
    ],
)
async def test_the_authorities_are_read_once_and_beside_the_loop(
    monkeypatch: pytest.MonkeyPatch, make_client: Callable[[], Any], ask: Callable[[Any], Awaitable[None]]
) -> None:
    made: list[int] = []
    make = ssl.create_default_context

    def noted(*arguments: Any, **named: Any) -> ssl.SSLContext:
        made.append(threading.get_ident())
        return make(*arguments, **named)

    monkeypatch.setattr(ssl, "create_default_context", noted)
    client = make_client()
    await asyncio.gather(*(ask(client) for _ in range(3)))
    await client.close()
    assert len(made) == 1
    assert made[0] != threading.get_ident()


async def test_no_endpoint_is_reached_by_the_certificate_of_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Many endpoints share an address: a connection to one of them is none to the next."""
    certificate, key = tmp_path / "certificate", tmp_path / "key"
    for path, content in zip((certificate, key), self_signed("a.example"), strict=True):
        path.write_text(content)
    make, connected = ssl.create_default_context, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        with suppress(asyncio.IncompleteReadError):
            while await reader.readuntil(b"{}"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    serving = make(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    where = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: where)
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: make(cafile=str(certificate)))
    transport = HttpWebhookTransport(local=True)
    answers = [
        await transport.post(f"https://{host}:{port}/hook", b"{}", {})
        for host in ("a.example", "b.example", "a.example")
    ]
    await transport.close()
    server.close()
    assert [(answer.status, answer.problem) for answer in answers] == [
        (200, ""),
        (0, "UNREACHABLE"),
        (200, ""),
    ]
    assert connected == 2


def test_public_addresses_are_public() -> None:
    assert [address for address in PUBLIC if not is_public(address)] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "https://", "https:///x", "https://user@example.org/",
        "https://user:pass@example.org/", "https://example.org/#a", "https://exam ple.org/", "https://example.org:0/",
        "https://example.org:99999/", "https://localhost/", "https://127.0.0.1/", "https://[::1]/",
        "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/", "https://x.internal/", "https://x\\@y/",
        "https://bücher.example/", "javascript:alert(1)", "https://[fe80::1%25eth0]/",
    ],
)  # fmt: skip
def test_addresses_that_are_refused_at_once(url: str) -> None:
    with pytest.raises(Refusal) as caught:
        checked_url(url, local=False)
    assert caught.value.reason == "WEBHOOK_URL_INVALID"


def test_addresses_that_are_taken() -> None:
    for url in ("https://example.org/hooks?x=1", "https://xn--bcher-kva.example:8443/", "https://8.8.8.8/"):
        assert checked_url(url, local=False) == url
    assert checked_url("http://127.0.0.1:1/", local=True)
