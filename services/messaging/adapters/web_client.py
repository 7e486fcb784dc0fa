"""Speaks HTTP for adapters: one client for the life of each, and one way to know whom TLS believes."""

from __future__ import annotations

import asyncio
import ssl
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


class WebClient:
    """Made at its first use: who asks nobody has neither the library nor the authorities in memory. Redirects
    are not followed, proxies of the environment are not used, cookies are not kept.
    """

    def __init__(self, *, seconds: float, encrypts: bool = True, reuses: bool = True) -> None:
        """`seconds` limits each step. `encrypts`: whether there will be TLS at all. `reuses` connections,
        which are told apart by the address alone: not by the name against which TLS was verified.
        """
        self._seconds = seconds
        self._encrypts = encrypts
        self._reuses = reuses
        self._making = asyncio.Lock()
        self._client: httpx.AsyncClient | None = None

    async def opened(self) -> httpx.AsyncClient:
        """The client."""
        import httpx

        async with self._making:
            if self._client is None:
                self._client = httpx.AsyncClient(
                    verify=await self._trusted(),
                    trust_env=False,
                    follow_redirects=False,
                    timeout=self._seconds,
                    limits=httpx.Limits(max_keepalive_connections=None if self._reuses else 0),
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                )
            return self._client

    async def _trusted(self) -> ssl.SSLContext:
        """The authorities of the web: reading them takes as long as many requests, so it is done once, beside
        the loop, and not at all where there is no TLS.
        """
        import httpx

        if not self._encrypts:
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return await asyncio.to_thread(httpx.create_ssl_context, trust_env=False)

    async def close(self) -> None:
        """Hangs up."""
        async with self._making:
            client, self._client = self._client, None
        if client is not None:
            await client.aclose()
