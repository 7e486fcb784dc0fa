"""Values in memory, loaded when they are first asked for, and bounded in number."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LoadingCache(Generic[K, V]):
    """The result of `load` for keys, until they are forgotten; beyond `capacity`, those go whose last `get`
    is the longest ago.

    Concurrent misses of a key share one load. `forget` also keeps a load that is under way from being kept.
    """

    def __init__(self, load: Callable[[K], Awaitable[V]], *, capacity: int) -> None:
        self._load = load
        self._capacity = capacity
        self._values: OrderedDict[K, V] = OrderedDict()
        self._loading: dict[K, asyncio.Task[V]] = {}

    def known(self, key: K) -> V | None:
        """The value where it is at hand; else None."""
        return self._values.get(key)

    async def get(self, key: K) -> V:
        """The value, loaded where it is missing."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
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
        self._values.pop(key, None)
        self._loading.pop(key, None)

    def clear(self) -> None:
        """Forgets everything."""
        self._values.clear()
        self._loading.clear()

    async def _fill(self, key: K) -> V:
        task = asyncio.current_task()
        value = await self._load(key)
        if self._loading.get(key) is task:
            self._values[key] = value
            while len(self._values) > self._capacity:
                self._values.popitem(last=False)
        return value

    def _loaded(self, key: K, task: asyncio.Task[V]) -> None:
        if self._loading.get(key) is task:
            del self._loading[key]
        if not task.cancelled():
            # Retrieved here too, so that a failure whose callers all went away is not reported as unseen.
            task.exception()
