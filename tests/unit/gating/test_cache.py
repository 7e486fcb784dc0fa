"""Bounded number, one load at a time."""

from __future__ import annotations

import asyncio

import pytest

from services.gating.app.cache import LoadingCache


class Source:
    """Counts loads; `open` lets them end."""

    def __init__(self) -> None:
        self.value = "a"
        self.loads = 0
        self.open = asyncio.Event()
        self.open.set()

    async def load(self, key: str) -> str:
        self.loads += 1
        value = f"{key}={self.value}"
        await self.open.wait()
        return value

    def cache(self, capacity: int = 10) -> LoadingCache[str, str]:
        return LoadingCache(self.load, capacity=capacity)


async def test_a_value_is_kept_until_it_is_forgotten() -> None:
    source = Source()
    cache = source.cache()
    assert cache.known("x") is None
    assert await cache.get("x") == "x=a"
    source.value = "b"
    assert (await cache.get("x"), cache.known("x"), source.loads) == ("x=a", "x=a", 1)
    cache.forget("x")
    assert cache.known("x") is None
    assert (await cache.get("x"), source.loads) == ("x=b", 2)


async def test_concurrent_misses_share_one_load() -> None:
    source = Source()
    cache = source.cache()
    source.open.clear()
    readers = [asyncio.create_task(cache.get("x")) for _ in range(50)]
    await asyncio.sleep(0)
    source.open.set()
    assert {await reader for reader in readers} == {"x=a"}
    assert source.loads == 1


async def test_what_is_forgotten_during_a_load_is_not_kept() -> None:
    source = Source()
    cache = source.cache()
    source.open.clear()
    early = asyncio.create_task(cache.get("x"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    source.value = "b"
    cache.forget("x")
    late = asyncio.create_task(cache.get("x"))
    await asyncio.sleep(0)
    source.open.set()
    assert (await early, await late, await cache.get("x")) == ("x=a", "x=b", "x=b")
    assert source.loads == 2
    cache.clear()
    assert cache.known("x") is None


async def test_the_least_recently_used_value_makes_room() -> None:
    source = Source()
    cache = source.cache(capacity=2)
    for key in ("x", "y", "x", "z"):
        await cache.get(key)
    assert (cache.known("x"), cache.known("y"), cache.known("z")) == ("x=a", None, "z=a")


async def test_a_failed_load_is_tried_again_and_reaches_everybody_who_waits() -> None:
    failing = True

    async def load(key: str) -> str:
        if failing:
            raise ConnectionError(key)
        return key

    cache: LoadingCache[str, str] = LoadingCache(load, capacity=2)
    results = await asyncio.gather(cache.get("x"), cache.get("x"), return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError, ConnectionError]
    failing = False
    assert await cache.get("x") == "x"


async def test_a_caller_who_goes_away_takes_nobody_with_him() -> None:
    source = Source()
    cache = source.cache()
    source.open.clear()
    leaving, staying = asyncio.create_task(cache.get("x")), asyncio.create_task(cache.get("x"))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    source.open.set()
    assert await staying == "x=a"
