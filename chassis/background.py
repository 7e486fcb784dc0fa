"""Tasks that run for as long as their process: none of them may end unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from chassis import metrics, telemetry

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
HEALTHY_SECONDS = 60.0
FAILURE_LIMIT = 20

_log = telemetry.logger("background")


class BackgroundFailure(Exception):
    """A background task failed FAILURE_LIMIT times in a row: the process has to end, and its supervisor to
    act.
    """


@dataclass(slots=True)
class _Running:
    name: str
    task: asyncio.Task[None] = field(repr=False)


class Background:
    """Starts tasks, restarts those that fail, and ends the process when one cannot be kept running.

    A task that fails is logged with its stack and restarted after a pause that doubles; HEALTHY_SECONDS
    without a failure reset the count. A task that returns by itself failed too, unless it was started with
    `ends=True`.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._running: list[_Running] = []
        self._finishing: set[str] = set()
        self._failure: BackgroundFailure | None = None
        self._failed = asyncio.Event()

    def start(self, name: str, run: Callable[[], Awaitable[None]], *, ends: bool = False) -> None:
        """Run `run()` until `stop`."""
        task = asyncio.create_task(self._keep(name, run, ends), name=f"{self._service}:{name}")
        self._running.append(_Running(name, task))

    async def failed(self) -> BackgroundFailure:
        """Return when a task could not be kept running."""
        await self._failed.wait()
        assert self._failure is not None
        return self._failure

    async def finish(self, names: Iterable[str], seconds: float) -> bool:
        """Wait until the named tasks have returned by themselves, after they were asked to; whichever has not
        within `seconds` is cancelled, and left to `stop` if even that takes time. Answers whether all of them
        did.
        """
        chosen = [running for running in self._running if running.name in set(names)]
        if not chosen:
            return True
        self._finishing.update(running.name for running in chosen)
        _, late = await asyncio.wait([running.task for running in chosen], timeout=seconds)
        await self.stop(*(running.name for running in chosen), seconds=0)
        return not late

    async def stop(self, *names: str, seconds: float | None = None) -> None:
        """Cancel the named tasks (all of them without a name), the last started first, and wait for their
        end, `seconds` altogether where that is given.
        """
        loop = asyncio.get_running_loop()
        until = None if seconds is None else loop.time() + seconds
        for running in [one for one in reversed(self._running) if one.name in names or not names]:
            running.task.cancel()
            left = None if until is None else max(0.0, until - loop.time())
            await asyncio.wait([running.task], timeout=left)
            if running.task.done():
                self._running.remove(running)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]], ends: bool) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                await run()
                if ends or name in self._finishing:
                    return
                problem = "it returned"
                _log.error("background_ended", task=name)
            except Exception as error:  # noqa: BLE001 -- whatever it is, it must not pass silently
                problem = type(error).__name__
                _log.error("background_failed", task=name, error=problem, exc_info=error)
            failures = 1 if loop.time() - started > HEALTHY_SECONDS else failures + 1
            metrics.BACKGROUND_RESTARTS.labels(self._service, name).inc()
            if failures >= FAILURE_LIMIT:
                self._failure = BackgroundFailure(f"{name} failed {failures} times in a row, last: {problem}")
                self._failed.set()
                return
            await asyncio.sleep(min(FIRST_PAUSE_SECONDS * 2 ** (failures - 1), LONGEST_PAUSE_SECONDS))
