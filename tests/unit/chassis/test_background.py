from __future__ import annotations

import asyncio
import functools

import pytest

from chassis import background
from chassis.background import Background, BackgroundFailure
from chassis.metrics import BACKGROUND_RESTARTS


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_SECONDS", 0)


async def test_a_task_that_fails_is_restarted_and_counted() -> None:
    tasks, runs, healthy = Background("probe"), 0, asyncio.Event()

    async def fails_twice() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise KeyError("first")
        if runs == 2:
            return
        healthy.set()
        await asyncio.Event().wait()

    tasks.start("flaky", fails_twice)
    await asyncio.wait_for(healthy.wait(), 10)
    assert runs == 3
    assert BACKGROUND_RESTARTS.labels("probe", "flaky")._value.get() == 2
    await tasks.stop()


async def test_a_task_that_cannot_be_kept_running_ends_the_process_with_a_reason() -> None:
    tasks = Background("probe")

    async def fails() -> None:
        raise KeyError("always")

    tasks.start("hopeless", fails)
    failure = await asyncio.wait_for(tasks.failed(), 10)
    assert isinstance(failure, BackgroundFailure)
    assert str(failure) == "hopeless failed 20 times in a row, last: KeyError"
    await tasks.stop()


async def test_a_task_that_may_end_is_left_alone() -> None:
    tasks, runs = Background("probe"), 0

    async def once() -> None:
        nonlocal runs
        runs += 1

    tasks.start("once", once, ends=True)
    await tasks.stop()
    tasks.start("again", once, ends=True)
    await asyncio.gather(*(running.task for running in tasks._running))
    assert runs == 1


async def test_tasks_stop_in_reverse_order_and_by_name() -> None:
    tasks = Background("probe")
    ended: list[str] = []

    async def run(name: str) -> None:
        started[name].set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    started = {name: asyncio.Event() for name in ("a", "b", "c")}
    for name in started:
        tasks.start(name, functools.partial(run, name))
    for event in started.values():
        await event.wait()
    await tasks.stop("b")
    await tasks.stop()
    assert ended == ["b", "c", "a"]


async def test_a_task_that_ignores_its_end_is_waited_for_no_longer_than_told() -> None:
    tasks, asked, may_end = Background("probe"), asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                asked.set()

    tasks.start("stubborn", stubborn, ends=True)
    await asyncio.sleep(0)
    assert not await tasks.finish(["stubborn"], 0)
    await asyncio.wait_for(tasks.stop(seconds=0), 10)
    assert asked.is_set()
    # It is still known: a stop without a limit waits for it.
    may_end.set()
    await tasks.stop()
