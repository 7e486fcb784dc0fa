"""A persistent pull from one durable consumer.

nats-py's own ``fetch(n)`` stalls for its full timeout in half of the calls (2.16, nats.py issue 986), so
this asks the server itself: one request stays open, and is renewed before it runs dry.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Final
from zlib import crc32

import nats.errors
from nats.aio.msg import Msg

from chassis.bus import Bus, BusUnavailable, stream_name
from chassis.telemetry import logger

_log = logger(__name__)

BATCH: Final = 64
EXPIRES_SECONDS: Final = 30
HEARTBEAT_SECONDS: Final = 5
RETRY_SECONDS: Final = 0.2
LANES: Final = 8
"""Handlers at work at once; events of one aggregate share a lane, so they never overtake each other."""
LANE_DEPTH: Final = 16

_NANOSECONDS: Final = 1_000_000_000
_HEARTBEAT, _NO_MESSAGES, _TIMED_OUT, _CONFLICT = "100", "404", "408", "409"

Handler = Callable[[Msg], Awaitable[None]]


class Puller:
    """Feeds each message of a consumer to `handler`, which acknowledges it and never raises."""

    def __init__(self, bus: Bus, producer: str, consumer: str, handler: Handler) -> None:
        self._bus = bus
        self._producer = producer
        self._consumer = consumer
        self._handler = handler
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream_name(producer)}.{consumer}"
        self._lanes: list[asyncio.Queue[Msg]] = [asyncio.Queue(LANE_DEPTH) for _ in range(LANES)]
        self._inbox = ""
        self._outstanding = 0
        self._heard = False
        self._broken = asyncio.Event()
        self._handled = asyncio.Event()
        self._stopping = False
        bus.on_connected(self._broken.set)

    async def run(self) -> None:
        """Pulls until cancelled or stopped, through every loss of the broker, the stream and the consumer."""
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._work(lane)) for lane in self._lanes]
            try:
                while not self._stopping:
                    try:
                        await self._pull()
                    except (BusUnavailable, nats.errors.Error) as error:
                        _log.debug("pull_failed", consumer=self._consumer, error=str(error))
                    if not self._stopping:
                        await asyncio.sleep(RETRY_SECONDS)
                await asyncio.gather(*(lane.join() for lane in self._lanes))
            finally:
                for worker in workers:
                    worker.cancel()

    def stop(self) -> None:
        """Asks for no more; `run` ends when everything that has arrived is handled."""
        self._stopping = True
        self._broken.set()

    async def caught_up(self) -> None:
        """Waits until the consumer has nothing left, retries included."""
        while True:
            self._handled.clear()
            # A consumer or a broker that is not there yet is not caught up either.
            with contextlib.suppress(BusUnavailable):
                if await self._bus.backlog(self._producer, self._consumer) == 0:
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._handled.wait(), 0.05)

    async def _pull(self) -> None:
        self._broken.clear()
        await self._bus.ensure_consumer(self._producer, self._consumer)
        client = self._bus.client
        self._inbox = client.new_inbox()
        subscription = await client.subscribe(self._inbox, cb=self._receive)
        try:
            self._outstanding = 0
            await self._ask()
            while not self._stopping and not self._broken.is_set():
                self._heard = False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._broken.wait(), 2 * HEARTBEAT_SECONDS)
                if not self._heard:
                    return
        finally:
            with contextlib.suppress(nats.errors.Error):
                await subscription.unsubscribe()

    async def _ask(self) -> None:
        wanted = BATCH - self._outstanding
        self._outstanding += wanted
        request = {
            "batch": wanted,
            "expires": EXPIRES_SECONDS * _NANOSECONDS,
            "idle_heartbeat": HEARTBEAT_SECONDS * _NANOSECONDS,
        }
        await self._bus.client.publish(self._subject, json.dumps(request).encode(), reply=self._inbox)

    async def _receive(self, message: Msg) -> None:
        self._heard = True
        headers = message.headers or {}
        if not message.reply and (status := headers.get("Status")):
            await self._notice(status, headers.get("Nats-Pending-Messages"))
            return
        self._outstanding -= 1
        # Waiting for room here holds back the whole pull, which is the back-pressure.
        await self._lanes[crc32(headers.get("ce-subject", "").encode()) % LANES].put(message)
        if self._outstanding <= BATCH // 2 and not self._stopping:
            await self._ask()

    async def _notice(self, status: str, unfilled: str | None) -> None:
        if status == _HEARTBEAT:
            return
        if status not in {_NO_MESSAGES, _TIMED_OUT, _CONFLICT} or (status == _CONFLICT and not unfilled):
            # Consumer deleted, no responders, a server that shuts down: start over from the beginning.
            self._broken.set()
            return
        self._outstanding = max(0, self._outstanding - int(unfilled or self._outstanding))
        if self._outstanding <= BATCH // 2 and not self._stopping:
            await self._ask()

    async def _work(self, lane: asyncio.Queue[Msg]) -> None:
        while True:
            message = await lane.get()
            try:
                await self._handler(message)
            except Exception:  # noqa: BLE001 - one message must not stop the others
                # The message stays unacknowledged and comes again.
                _log.exception("handler_failed", consumer=self._consumer)
            finally:
                lane.task_done()
                self._handled.set()
