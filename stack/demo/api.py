"""Parley over HTTP, as one party sees it: calls with a token, repeated where the answer was lost.

Every POST and PATCH carries an `Idempotency-Key` that stays the same over all its repetitions, so a call that
arrived but whose answer was lost is not done twice.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

Json = dict[str, Any]
Value = TypeVar("Value")

CALL_SECONDS: Final = 20.0
CONNECTIONS: Final = 64
_REPEATABLE: Final = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call whose answer was lost is repeated, and with which pauses; all in seconds."""

    seconds: float = 0.0
    first_pause_seconds: float = 0.05
    longest_pause_seconds: float = 1.0


IMPATIENT: Final = Patience()


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the last call was, for people."""

    method: str
    path: str
    status: int
    seconds: float
    attempts: int


class Refused(Exception):
    """The API answered with a problem (RFC 9457); `document` is the whole of it."""

    def __init__(self, status: int, document: Json, call: str) -> None:
        self.status = status
        self.document = document
        self.reason: str = document.get("reason", "")
        self.detail: str = document.get("detail", "")
        self.metadata: Mapping[str, str] = document.get("metadata", {})
        super().__init__(f"{call}: {status} {self.reason}: {self.detail}")


class Unanswered(Exception):
    """Nobody answered, or only to say that it does not work now; whether the call was done is unknown."""


class NotYet(Exception):
    """A condition did not become true before its deadline."""


class Api:
    """A gateway and the means to speak to it in anybody's name. Use it inside `async with`."""

    def __init__(self, address: str, tokens: Callable[..., str], *, patience: Patience = IMPATIENT) -> None:
        """`tokens` makes one that the gateway accepts; its arguments are those of `stack.keys.identity`."""
        self.address = address
        self.patience = patience
        self._tokens = tokens
        self._parties: dict[tuple[str, str, str], Party] = {}
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        # Proxy variables are for the outside world, not for a gateway that this machine runs.
        self.http = httpx.AsyncClient(base_url=address, timeout=CALL_SECONDS, limits=limits, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    def buyer(self, user: str) -> Party:
        """The buyer `users/{user}`."""
        return self._party("buyer", user, "")

    def seller(self, seller: str, *, role: str = "owner") -> Party:
        """A member of the team of `sellers/{seller}`: its owner, or an agent."""
        return self._party("seller", seller, role)

    def operator(self) -> Party:
        """The operator of the marketplace."""
        return self._party("operator", "operator", "")

    def anonymous(self) -> Party:
        """Somebody without a token."""
        return Party(self, "anonymous", "")

    def _party(self, kind: str, name: str, role: str) -> Party:
        known = self._parties.get((kind, name, role))
        if known is None:
            who: dict[str, str | None] = (
                {"seller": name, "role": role} if kind == "seller" else {"user": name}
            )
            known = self._parties[kind, name, role] = Party(self, name, self._tokens(kind, **who))
        return known


class Party:
    """One caller."""

    def __init__(self, api: Api, name: str, token: str) -> None:
        self.name = name
        self.token = token
        self.last: Exchange | None = None
        self._api = api
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, **query: Any) -> Json:
        """Read `/v1/{path}`. Refused for a problem, Unanswered when the patience ended."""
        return await self.call("GET", path, query=query)

    async def post(self, path: str, body: Json | None = None, *, key: str = "", **query: Any) -> Json:
        """Do something; `key` makes it the same call as an earlier one with that key."""
        return await self.call("POST", path, body=body or {}, query=query, key=key)

    async def patch(self, path: str, body: Json, *, key: str = "", **query: Any) -> Json:
        """Change a resource."""
        return await self.call("PATCH", path, body=body, query=query, key=key)

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Json | None = None,
        key: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """One call, repeated within the patience of the API while its answer is lost."""
        headers = {**self._headers, **(headers or {})}
        if method != "GET":
            headers["idempotency-key"] = key or str(uuid.uuid4())
        patience = self._api.patience
        started = time.monotonic()
        pause, attempts = patience.first_pause_seconds, 0
        while True:
            attempts += 1
            response, trouble = await self._attempt(method, path, body=body, query=query, headers=headers)
            if response is not None and response.status_code not in _REPEATABLE:
                elapsed = time.monotonic() - started
                self.last = Exchange(method, f"/v1/{path}", response.status_code, elapsed, attempts)
                return _body(response, f"{self.name}: {method} /v1/{path}")
            if time.monotonic() + pause - started > patience.seconds:
                raise Unanswered(f"{self.name}: {method} /v1/{path}: {trouble} ({attempts} attempts)")
            await asyncio.sleep(pause)
            pause = min(pause * 2, patience.longest_pause_seconds)

    async def _attempt(
        self, method: str, path: str, *, body: Json | None, query: Json | None, headers: dict[str, str]
    ) -> tuple[httpx.Response | None, str]:
        try:
            response = await self._api.http.request(
                method, f"/v1/{path}", json=body, params=query, headers=headers
            )
        except httpx.TransportError as error:
            return None, f"{type(error).__name__} {error}".strip()
        return response, f"{response.status_code} {response.text[:200]}"


async def until(
    ask: Callable[[], Awaitable[Value | None]], what: str, *, seconds: float, pause_seconds: float = 0.02
) -> Value:
    """Ask until the answer is neither None nor false, and return it; NotYet after the deadline.

    A refusal NOT_FOUND counts as no answer yet: facts cross between services within moments, not at once.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = await ask()
        except Refused as refusal:
            if refusal.reason != "NOT_FOUND":
                raise
            answer = None
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise NotYet(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(pause_seconds)
        pause_seconds = min(pause_seconds * 1.5, 0.25)


def _body(response: httpx.Response, call: str) -> Json:
    try:
        found = response.json()
    except ValueError:
        # A file, or what stands in front of the gateway.
        found = {"reason": "", "detail": response.text if response.is_success else response.text[:500]}
    body: Json = found if isinstance(found, dict) else {"detail": str(found)}
    if response.is_error:
        raise Refused(response.status_code, body, call)
    return body
