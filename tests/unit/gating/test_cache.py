"""Bounded age, bounded number, one load at a time."""

from __future__ import annotations

import asyncio

import pytest

from services.gating.app.cache import FreshCache


class Source:
    """Counts loads; `hold` keeps them waiting."""

    def __init__(self) -> None:
        self.value = "a"
        self.loads = 0
        self.outdated: list[str | None] = []
        self.open = asyncio.Event()
        self.open.set()
        self.seconds = 0.0

    async def load(self, key: str, outdated: str | None) -> str:
        self.loads += 1
        self.outdated.append(outdated)
        value = f"{key}={self.value}"
        await self.open.wait()
        return value

    def cache(self, capacity: int = 10) -> FreshCache[str, str]:
        return FreshCache(self.load, capacity=capacity, max_age_seconds=1.0, monotonic=lambda: self.seconds)


async def test_a_value_is_kept_until_it_is_a_second_old() -> None:
    source = Source()
    cache = source.cache()
    assert await cache.get("x") == "x=a"
    source.value, source.seconds = "b", 0.999
    assert (await cache.get("x"), source.loads) == ("x=a", 1)
    source.seconds = 1.0
    assert cache.fresh("x") is None
    assert (await cache.get("x"), source.loads) == ("x=b", 2)
    assert source.outdated == [None, "x=a"]


async def test_the_age_counts_from_the_beginning_of_the_load() -> None:
    source = Source()
    cache = source.cache()
    source.open.clear()
    reading = asyncio.create_task(cache.get("x"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    source.seconds = 0.9
    source.open.set()
    assert await reading == "x=a"
    source.seconds = 1.0
    assert cache.fresh("x") is None


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
    assert cache.fresh("x") is None


async def test_the_least_recently_used_value_makes_room() -> None:
    source = Source()
    cache = source.cache(capacity=2)
    for key in ("x", "y", "x", "z"):
        await cache.get(key)
    assert (cache.fresh("x"), cache.fresh("y"), cache.fresh("z")) == ("x=a", None, "z=a")


async def test_a_failed_load_is_tried_again_and_reaches_everybody_who_waits() -> None:
    failing = True

    async def load(key: str, _outdated: str | None) -> str:
        if failing:
            raise ConnectionError(key)
        return key

    cache: FreshCache[str, str] = FreshCache(load, capacity=2, max_age_seconds=1.0, monotonic=lambda: 0.0)
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
