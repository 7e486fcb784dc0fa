"""Wakes those who watch a conversation: in this process at once, in other replicas by a broadcast."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from chassis.bus import Bus
from chassis.telemetry import logger

LOOK_AGAIN_SECONDS: Final = 5.0
"""How often a watcher looks unasked, so that a lost broadcast delays an entry and never hides it."""
BROADCAST_LIMIT: Final = 1_000
"""Announcements that wait to be sent; what exceeds it is found by looking again."""
_SUBJECT: Final = "parley.live.messaging.conversation"
BROADCASTS: Final = f"{_SUBJECT}.*"
"""What replicas tell each other."""

_log = logger("live_feed")


class BroadcastFeed:
    """Implements `app.ports.LiveFeed`.

    `run` has to be running for other replicas to be told, and `heard` has to be given what they tell.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._announced: asyncio.Queue[str] = asyncio.Queue(BROADCAST_LIMIT)

    @property
    def watchers(self) -> int:
        """How many watch in this process."""
        return sum(len(events) for events in self._watchers.values())

    def announce(self, conversation: str) -> None:
        """Something was added to the conversation."""
        self._wake(conversation)
        try:
            self._announced.put_nowait(conversation)
        except asyncio.QueueFull:
            _log.warning("announcement_dropped")

    @asynccontextmanager
    async def watch(self, conversation: str) -> AsyncIterator[AsyncIterator[None]]:
        """One item at once, then one for each growth; the registration ends with the context."""
        grown = asyncio.Event()
        grown.set()
        self._watchers[conversation].add(grown)
        try:
            yield _each(grown)
        finally:
            self._watchers[conversation].discard(grown)
            if not self._watchers[conversation]:
                del self._watchers[conversation]

    async def run(self) -> None:
        """Passes announcements on to the other replicas, for ever."""
        while True:
            conversation = await self._announced.get()
            await self._bus.broadcast(f"{_SUBJECT}.{conversation.rpartition('/')[2]}", b"")

    async def heard(self, subject: str, _body: bytes) -> None:
        """A replica announced growth."""
        self._wake(f"conversations/{subject.rpartition('.')[2]}")

    def _wake(self, conversation: str) -> None:
        for grown in self._watchers.get(conversation, ()):
            grown.set()


async def _each(grown: asyncio.Event) -> AsyncIterator[None]:
    while True:
        try:
            async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                await grown.wait()
        except TimeoutError:
            pass
        # Cleared before the watcher looks: what is added while it looks wakes it once more.
        grown.clear()
        yield
