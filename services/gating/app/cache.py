"""Values in memory with a bounded age and a bounded number."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from services.gating.app.ports import Monotonic

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Entry(Generic[V]):
    __slots__ = ("loaded", "value")

    def __init__(self, value: V, loaded: float) -> None:
        self.value = value
        self.loaded = loaded


class FreshCache(Generic[K, V]):
    """The result of `load` for the most recently used keys, never older than `max_age_seconds`.

    The age counts from before the load began, so that a value is never older than what it says of its source.
    Concurrent misses of a key share one load. `forget` also keeps a load that is under way from being kept.
    `load` is given the outdated value, which it may answer again where nothing changed.
    """

    def __init__(
        self,
        load: Callable[[K, V | None], Awaitable[V]],
        *,
        capacity: int,
        max_age_seconds: float,
        monotonic: Monotonic,
    ) -> None:
        self._load = load
        self._capacity = capacity
        self._max_age_seconds = max_age_seconds
        self._monotonic = monotonic
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._loading: dict[K, asyncio.Task[V]] = {}

    def fresh(self, key: K) -> V | None:
        """The value where it is at hand and young enough; else None."""
        entry = self._entries.get(key)
        if entry is None or self._monotonic() - entry.loaded >= self._max_age_seconds:
            return None
        return entry.value

    async def get(self, key: K) -> V:
        """The value, loaded where it is missing or too old."""
        value = self.fresh(key)
        if value is not None:
            self._entries.move_to_end(key)
            return value
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(self._fill(key))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._loaded(key, done))
        # The load outlives a caller who goes away: others may wait for it.
        return await asyncio.shield(task)

    def forget(self, key: K) -> None:
        """Makes the next `get` load again."""
        self._entries.pop(key, None)
        self._loading.pop(key, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._entries.clear()
        self._loading.clear()

    async def _fill(self, key: K) -> V:
        started = self._monotonic()
        outdated = self._entries.get(key)
        task = asyncio.current_task()
        value = await self._load(key, None if outdated is None else outdated.value)
        if self._loading.get(key) is task:
            self._entries[key] = _Entry(value, started)
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
        return value

    def _loaded(self, key: K, task: asyncio.Task[V]) -> None:
        if self._loading.get(key) is task:
            del self._loading[key]
        if not task.cancelled():
            # Retrieved here too, so that a failure whose callers all went away is not reported as unseen.
            task.exception()
