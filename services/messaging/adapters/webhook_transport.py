"""Posts to addresses that strangers chose, and reaches nothing but the public internet.

The name is looked up once; every address that it has must be public, and one of them is connected to, so that
nobody can answer the check with one address and the connection with another. TLS is verified against the
name. Nothing of the answer but its status is read.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from chassis.telemetry import logger
from services.messaging.adapters.web_client import WebClient
from services.messaging.domain.webhook import Answer, is_public

ANSWER_SECONDS: Final = 10.0
"""Far below the time for which a timer is claimed."""
LOOKUP_THREADS: Final = 16
NOT_PUBLIC: Final = "ADDRESS_NOT_PUBLIC"
UNREACHABLE: Final = "UNREACHABLE"
TIMEOUT: Final = "TIMEOUT"

_log = logger("webhooks")


class HttpWebhookTransport:
    """Implements `app.webhook_ports.WebhookTransport`. `local` allows this machine and its networks."""

    def __init__(self, *, local: bool) -> None:
        self._local = local
        self._lookups = _Lookups()
        # Two endpoints may have one address, and only one of them the certificate that a connection showed.
        self._client = WebClient(seconds=ANSWER_SECONDS, reuses=False)

    async def close(self) -> None:
        """Hangs up."""
        await self._client.close()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What the endpoint said within `ANSWER_SECONDS`."""
        import httpx

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._post(httpx.URL(url), body, headers)
        except TimeoutError:
            return Answer(problem=TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            _log.info("webhook_unreachable", error=type(error).__name__)
            return Answer(problem=UNREACHABLE)

    async def _post(self, url: Any, body: bytes, headers: Mapping[str, str]) -> Answer:
        # As the request spells it: `host` is Unicode, which Python's lookups turn into another name for some.
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._lookups.addresses(host, port)
        if not self._local and not all(_public(address) for address in addresses):
            return Answer(problem=NOT_PUBLIC)
        client = await self._client.opened()
        async with client.stream(
            "POST",
            url.copy_with(host=addresses[0]),
            content=body,
            headers={**headers, "host": url.netloc.decode("ascii")},
            extensions={"sni_hostname": host},
        ) as response:
            return Answer(status=response.status_code)


class _Lookups:
    """Looks names up in threads of its own: nothing else waits for a name server that does not answer, and
    the endpoints of one host have one thread among them.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "webhook-lookups")
        self._running: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where a host is now. OSError, UnicodeError."""
        key = (host, port)
        found = self._running.get(key)
        if found is None:
            found = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
            self._running[key] = found
            found.add_done_callback(lambda done: self._ended(key, done))
        # Whoever stops waiting leaves it to the others.
        return await asyncio.shield(found)

    def _ended(self, key: tuple[str, int], done: asyncio.Future[list[str]]) -> None:
        del self._running[key]
        if not done.cancelled():
            # Seen, also where nobody waits for it any more.
            done.exception()


def _look_up(host: str, port: int) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _public(address: str) -> bool:
    try:
        return is_public(address)
    except ValueError:
        return False
