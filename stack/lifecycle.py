"""The life of one supervised process, as data: phases, what moves between them, and how long to wait.

Pure: the instant (`now`, seconds on a monotonic clock) is an argument, and nothing here touches a process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class Phase(StrEnum):
    """Where a process is in its life."""

    IDLE = "idle"
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class Event(StrEnum):
    """What can happen to a process."""

    SPAWNED = "spawned"
    PROBED_READY = "probed ready"
    EXITED = "exited"
    STOP_ASKED = "stop asked"


class IllegalMove(Exception):
    """An event that cannot happen in the current phase: a bug of the supervisor, never of the process."""


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When to start a process again. All durations are in seconds.

    The delay doubles with each failure in a row. A process that was ready for `stable_seconds` has earned a
    fresh start. One that fails `first_attempts` times without ever getting ready is given up: then the
    mistake is in the set-up, and repeating it would only bury the reason.
    """

    first_delay_seconds: float = 0.2
    factor: float = 2.0
    longest_delay_seconds: float = 15.0
    stable_seconds: float = 30.0
    first_attempts: int = 3

    def delay_seconds(self, failures: int) -> float:
        """How long to wait after the given number of failures in a row (at least 1)."""
        if failures < 1:
            raise ValueError("a delay needs at least one failure")
        # The exponent is bounded so that a process that fails for days does not overflow a float.
        return min(
            self.first_delay_seconds * self.factor ** min(failures - 1, 64), self.longest_delay_seconds
        )


_TARGETS: Final[dict[tuple[Phase, Event], Phase]] = {
    (Phase.IDLE, Event.SPAWNED): Phase.STARTING,
    (Phase.IDLE, Event.STOP_ASKED): Phase.STOPPED,
    (Phase.IDLE, Event.EXITED): Phase.WAITING,
    (Phase.STARTING, Event.PROBED_READY): Phase.READY,
    (Phase.STARTING, Event.EXITED): Phase.WAITING,
    (Phase.STARTING, Event.STOP_ASKED): Phase.STOPPING,
    (Phase.READY, Event.EXITED): Phase.WAITING,
    (Phase.READY, Event.STOP_ASKED): Phase.STOPPING,
    (Phase.WAITING, Event.SPAWNED): Phase.STARTING,
    (Phase.WAITING, Event.EXITED): Phase.WAITING,
    (Phase.WAITING, Event.STOP_ASKED): Phase.STOPPED,
    (Phase.STOPPING, Event.EXITED): Phase.STOPPED,
    (Phase.STOPPING, Event.STOP_ASKED): Phase.STOPPING,
    (Phase.STOPPED, Event.STOP_ASKED): Phase.STOPPED,
    (Phase.FAILED, Event.STOP_ASKED): Phase.FAILED,
}


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The life of one process so far.

    `since` is the instant of the last change of phase, `failures` counts unasked exits in a row, `restarts`
    all starts after the first, and `ever_ready` says whether it was ready at least once.
    """

    since: float
    phase: Phase = Phase.IDLE
    failures: int = 0
    restarts: int = 0
    ever_ready: bool = False

    def on(self, event: Event, now: float, policy: RestartPolicy) -> Lifecycle:
        """The life after `event` at the instant `now`; IllegalMove if it cannot happen now."""
        target = _TARGETS.get((self.phase, event))
        if target is None:
            raise IllegalMove(f"{event.value!r} while {self.phase.value}")
        if target is self.phase and event is Event.STOP_ASKED:
            return self
        moved = replace(self, phase=target, since=now)
        if event is Event.SPAWNED and self.phase is Phase.WAITING:
            return replace(moved, restarts=self.restarts + 1)
        if event is Event.PROBED_READY:
            return replace(moved, ever_ready=True)
        if target is Phase.WAITING:
            return _failed(moved, was=self, now=now, policy=policy)
        return moved

    def restart_delay_seconds(self, policy: RestartPolicy) -> float:
        """How long to stay in WAITING."""
        return policy.delay_seconds(self.failures)


def _failed(moved: Lifecycle, *, was: Lifecycle, now: float, policy: RestartPolicy) -> Lifecycle:
    earned = was.phase is Phase.READY and now - was.since >= policy.stable_seconds
    failures = 1 if earned else was.failures + 1
    if not was.ever_ready and failures >= policy.first_attempts:
        return replace(moved, phase=Phase.FAILED, failures=failures)
    return replace(moved, failures=failures)
