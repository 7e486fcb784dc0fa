"""The connection to NATS: streams that keep events, and broadcasts that nobody keeps.

JetStream is a replayable cache of what the producers' databases hold, so losing it loses nothing.
Connecting never blocks and never gives up: while the broker is away, commands go on and events wait in the
outbox.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from chassis.telemetry import logger

_log = logger(__name__)

PING_SECONDS: Final = 10
RECONNECT_SECONDS: Final = 0.5
CONNECT_SECONDS: Final = 2
REQUEST_SECONDS: Final = 5.0
KEEP_SECONDS: Final = 7 * 24 * 3600
"""How long a stream keeps an event: no shorter than the outbox does."""
DUPLICATE_WINDOW_SECONDS: Final = 120
MAX_MESSAGE_BYTES: Final = 1_000_000
ACK_WAIT_SECONDS: Final = 30
MAX_ACK_PENDING: Final = 256

_NANOSECONDS: Final = 1_000_000_000
_NAME_IN_USE: Final = 10058
_NO_MESSAGE: Final = 10037


class BusUnavailable(Exception):
    """The broker did not answer, or refused; the same may succeed later."""


class StreamMissing(BusUnavailable):
    """No stream takes the subject: the broker lost it, or never had it."""


class RefusedByBroker(BusUnavailable):
    """The broker answered, and the answer is no. `code` is its own number for the reason."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("description", "refused")))
        self.code = int(error.get("err_code", 0))


@dataclass(frozen=True, slots=True)
class Published:
    """The broker's promise that it keeps an event."""

    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as the broker has it; `created` changes when it was lost and made again."""

    name: str
    created: str


def stream_name(producer: str) -> str:
    """The stream of a service: ``offers`` publishes into ``PARLEY_OFFERS``."""
    return f"PARLEY_{producer.upper()}"


class Bus:
    """One connection, shared by everything in the process."""

    def __init__(self, client: Client, connecting: asyncio.Task[None], *, replicas: int) -> None:
        self._client = client
        self._connecting = connecting
        self._replicas = replicas
        self._on_connected: list[Callable[[], None]] = []
        self._listeners: list[tuple[str, Callable[[Msg], Awaitable[None]]]] = []

    @classmethod
    async def connect(cls, url: str, *, name: str = "parley", replicas: int = 1) -> Bus:
        """Starts connecting, and answers at once; `wait_connected` waits. `replicas` is how many servers
        keep each stream.
        """
        client = Client()

        async def reconnected() -> None:
            bus._connected()

        async def disconnected() -> None:
            _log.warning("bus_disconnected")

        async def failed(error: Exception) -> None:
            _log.debug("bus_error", error_type=type(error).__name__)

        async def connect() -> None:
            await client.connect(
                url,
                name=name,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RECONNECT_SECONDS,  # type: ignore[arg-type]
                connect_timeout=CONNECT_SECONDS,
                ping_interval=PING_SECONDS,
                reconnected_cb=reconnected,
                disconnected_cb=disconnected,
                error_cb=failed,
            )
            await bus._resume()

        bus = cls(client, asyncio.create_task(connect(), name="bus-connect"), replicas=replicas)
        # nats-py can be closed only once its connect has begun.
        await asyncio.sleep(0)
        return bus

    @property
    def client(self) -> Client:
        """The connection of nats-py, for the puller."""
        return self._client

    @property
    def is_connected(self) -> bool:
        """Whether the broker can be reached right now, as far as this side knows."""
        return bool(self._client.is_connected)

    def on_connected(self, callback: Callable[[], None]) -> None:
        """Calls back after each connect and reconnect; for whatever may have been missed meanwhile."""
        self._on_connected.append(callback)

    async def wait_connected(self, seconds: float) -> bool:
        """Waits for the first connection; answers whether there is one now."""
        await asyncio.wait([self._connecting], timeout=seconds)
        return self.is_connected

    async def close(self) -> None:
        """Sends what is pending, then disconnects."""
        self._connecting.cancel()
        await asyncio.wait([self._connecting])
        try:
            if self.is_connected:
                await self._client.flush(timeout=CONNECT_SECONDS)
        except nats.errors.Error:
            _log.debug("bus_closed_with_pending_messages")
        await self._client.close()

    async def publish(self, subject: str, headers: Mapping[str, str], body: bytes) -> Published:
        """Hands an event to its stream and waits for the promise; else BusUnavailable (StreamMissing)."""
        reply = await self._request(subject, body, headers=dict(headers))
        return Published(int(reply["seq"]), bool(reply.get("duplicate", False)))

    async def keeps(self, producer: str, sequence: int, event_id: str) -> bool:
        """Whether the stream of a producer has an event at a position now; BusUnavailable."""
        found = await self._api(
            f"STREAM.MSG.GET.{stream_name(producer)}", {"seq": sequence}, tolerate=_NO_MESSAGE
        )
        return found is not None and event_id.encode() in base64.b64decode(found["message"].get("hdrs", ""))

    async def ensure_stream(self, producer: str) -> Stream:
        """Makes the stream of a producer, or leaves it as it is."""
        name = stream_name(producer)
        wanted = {
            "name": name,
            "subjects": [f"parley.{producer}.v1.>"],
            "retention": "limits",
            "storage": "file",
            # An event that does not fit is refused and stays in the outbox; none is ever pushed out by
            # another.
            "discard": "new",
            "max_age": KEEP_SECONDS * _NANOSECONDS,
            "max_msg_size": MAX_MESSAGE_BYTES,
            "max_bytes": -1,
            "max_msgs": -1,
            "max_consumers": -1,
            "duplicate_window": DUPLICATE_WINDOW_SECONDS * _NANOSECONDS,
            "num_replicas": self._replicas,
        }
        info = await self._api(f"STREAM.CREATE.{name}", wanted, tolerate=_NAME_IN_USE)
        if info is None:
            info = await self._api(f"STREAM.UPDATE.{name}", wanted)
        assert info is not None
        return Stream(name, str(info["created"]))

    async def ensure_consumer(self, producer: str, consumer: str) -> None:
        """Makes the durable pull consumer of a reader, and the stream it reads, where they are missing."""
        await self.ensure_stream(producer)
        stream = stream_name(producer)
        wanted = {
            "durable_name": consumer,
            "deliver_policy": "all",
            "ack_policy": "explicit",
            "replay_policy": "instant",
            "ack_wait": ACK_WAIT_SECONDS * _NANOSECONDS,
            "max_ack_pending": MAX_ACK_PENDING,
            "max_deliver": -1,
        }
        await self._api(
            f"CONSUMER.CREATE.{stream}.{consumer}", {"stream_name": stream, "config": wanted, "action": ""}
        )

    async def delete_stream(self, producer: str) -> None:
        """Removes a stream and all it keeps; for repairs and tests."""
        await self._api(f"STREAM.DELETE.{stream_name(producer)}", {})

    async def backlog(self, producer: str, consumer: str) -> int:
        """Events that a consumer has not acknowledged yet, whether delivered or not."""
        stream = stream_name(producer)
        kept = await self._api(f"STREAM.INFO.{stream}", {})
        info = await self._api(f"CONSUMER.INFO.{stream}.{consumer}", {})
        assert kept is not None
        assert info is not None
        state = kept["state"]
        known = int(info["num_pending"]) + int(info["num_ack_pending"])
        # The broker tells its consumers of a message a moment after it has promised to keep it.
        unknown = int(state["last_seq"]) - int(info["delivered"]["stream_seq"]) if state["messages"] else 0
        return known or max(unknown, 0)

    async def broadcast(self, subject: str, body: bytes) -> None:
        """Tells whoever listens right now. Best effort: nothing is kept, nothing is sent while
        disconnected.
        """
        if self.is_connected:
            await self._client.publish(subject, body)

    async def listen(self, subject: str, callback: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Calls back with the subject and body of each broadcast, from now on and across reconnects."""

        async def deliver(message: Msg) -> None:
            try:
                await callback(message.subject, message.data)
            except Exception:  # noqa: BLE001 - the next broadcast may be a better one
                _log.exception("broadcast_failed", subject=message.subject)

        self._listeners.append((subject, deliver))
        if self.is_connected:
            await self._client.subscribe(subject, cb=deliver)

    async def listen_for_loss(self, producer: str, callback: Callable[[], None]) -> None:
        """Calls back when the stream of a producer is deleted or made anew, whoever does it. Best effort."""

        async def lost(_subject: str, _advisory: bytes) -> None:
            callback()

        for change in ("CREATED", "DELETED"):
            await self.listen(f"$JS.EVENT.ADVISORY.STREAM.{change}.{stream_name(producer)}", lost)

    async def _resume(self) -> None:
        # nats-py subscribes again by itself after a reconnect; only the first connection has to catch up.
        for subject, deliver in self._listeners:
            await self._client.subscribe(subject, cb=deliver)
        self._connected()

    def _connected(self) -> None:
        _log.info("bus_connected")
        for callback in self._on_connected:
            callback()

    async def _api(
        self, subject: str, content: Mapping[str, Any], *, tolerate: int | None = None
    ) -> dict[str, Any] | None:
        try:
            return await self._request(f"$JS.API.{subject}", json.dumps(content).encode())
        except RefusedByBroker as refused:
            if refused.code == tolerate:
                return None
            raise

    async def _request(
        self, subject: str, body: bytes, *, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        if not self.is_connected:
            raise BusUnavailable("not connected")
        try:
            message = await self._client.request(subject, body, timeout=REQUEST_SECONDS, headers=headers)
        except nats.errors.NoRespondersError:
            raise StreamMissing(subject) from None
        except (nats.errors.Error, OSError, TimeoutError) as error:
            raise BusUnavailable(type(error).__name__) from error
        reply: dict[str, Any] = json.loads(message.data)
        if "error" in reply:
            raise RefusedByBroker(reply["error"])
        return reply
