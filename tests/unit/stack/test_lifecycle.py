"""The life of a supervised process: every phase against every event, and the delays between attempts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.lifecycle import Event, IllegalMove, Lifecycle, Phase, RestartPolicy

POLICY = RestartPolicy(
    first_delay_seconds=0.5, factor=2, longest_delay_seconds=10, stable_seconds=30, first_attempts=3
)

# Everything that may happen; what is not here must be refused.
MOVES = {
    (Phase.IDLE, Event.SPAWNED): Phase.STARTING,
    (Phase.IDLE, Event.EXITED): Phase.WAITING,
    (Phase.IDLE, Event.STOP_ASKED): Phase.STOPPED,
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


@pytest.mark.parametrize(("phase", "event"), list(itertools.product(Phase, Event)))
def test_every_phase_against_every_event(phase: Phase, event: Event) -> None:
    life = Lifecycle(since=0.0, phase=phase)
    target = MOVES.get((phase, event))
    if target is None:
        with pytest.raises(IllegalMove, match=event.value):
            life.on(event, 1.0, POLICY)
    else:
        assert life.on(event, 1.0, POLICY).phase is target


def after(*events: tuple[Event, float], policy: RestartPolicy = POLICY) -> Lifecycle:
    life = Lifecycle(since=0.0)
    for event, now in events:
        life = life.on(event, now, policy)
    return life


def test_a_process_that_never_gets_ready_is_given_up() -> None:
    crash = [(Event.SPAWNED, 1.0), (Event.EXITED, 2.0)]
    assert after(*crash, *crash).phase is Phase.WAITING
    assert after(*crash, *crash, *crash).phase is Phase.FAILED


def test_a_process_that_was_ready_once_is_never_given_up() -> None:
    ready_then_crash = [(Event.SPAWNED, 0.0), (Event.PROBED_READY, 1.0), (Event.EXITED, 2.0)]
    crash = [(Event.SPAWNED, 3.0), (Event.EXITED, 4.0)]
    life = after(*ready_then_crash, *(crash * 50))
    assert (life.phase, life.failures, life.restarts) == (Phase.WAITING, 51, 50)
    assert life.restart_delay_seconds(POLICY) == 10


@pytest.mark.parametrize(("lived", "failures"), [(29.9, 3), (30.0, 1), (3_000.0, 1)])
def test_a_stable_time_forgives_earlier_failures(lived: float, failures: int) -> None:
    restarted = [(Event.EXITED, 2.0), (Event.SPAWNED, 3.0), (Event.PROBED_READY, 4.0)]
    ready = [(Event.SPAWNED, 0.0), (Event.PROBED_READY, 1.0)]
    again = [(Event.EXITED, 5.0), (Event.SPAWNED, 6.0), (Event.PROBED_READY, 7.0)]
    life = after(*ready, *restarted, *again, (Event.EXITED, 7.0 + lived))
    assert life.failures == failures


def test_time_spent_starting_does_not_count_as_stable() -> None:
    life = after(
        (Event.SPAWNED, 0.0),
        (Event.PROBED_READY, 1.0),
        (Event.EXITED, 2.0),
        (Event.SPAWNED, 3.0),
        (Event.EXITED, 999.0),
    )
    assert life.failures == 2


def test_the_first_start_is_no_restart() -> None:
    assert after((Event.SPAWNED, 0.0)).restarts == 0
    assert after((Event.SPAWNED, 0.0), (Event.EXITED, 1.0), (Event.SPAWNED, 2.0)).restarts == 1


def test_asking_twice_to_stop_changes_nothing() -> None:
    once = after((Event.SPAWNED, 0.0), (Event.STOP_ASKED, 1.0))
    assert once.on(Event.STOP_ASKED, 2.0, POLICY) == once


def test_delays_double_up_to_the_longest() -> None:
    assert [POLICY.delay_seconds(n) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 10, 10]


@given(st.integers(min_value=1, max_value=10**9))
def test_delays_are_bounded_and_never_shrink(failures: int) -> None:
    delay = POLICY.delay_seconds(failures)
    assert 0 < delay <= POLICY.longest_delay_seconds
    assert delay <= POLICY.delay_seconds(failures + 1)


def test_no_failure_has_no_delay() -> None:
    with pytest.raises(ValueError, match="at least one"):
        POLICY.delay_seconds(0)
