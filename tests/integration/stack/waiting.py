"""The one way in which these tests wait: for a condition, up to a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

POLL_SECONDS = 0.02


def until(condition: Callable[[], Value], what: str, *, seconds: float = 30.0) -> Value:
    """Ask until the answer is true, and return it; AssertionError after the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(POLL_SECONDS)
    return answer
