"""Whether a process that exists still answers, and after how much silence it counts as hung."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from stack.failure import StackError

VARIABLE: Final = "PARLEY_STACK_HANG_SECONDS"
DEFAULT_SECONDS: Final = 60.0
START_SECONDS: Final = 60.0
"""How long a process may take to its first answer: starting is slow where everything starts together."""
QUESTIONS: Final = 6
"""How many in a row have to stay without an answer. One that is late may be the fault of whoever asks: of a
machine that slept, or of a supervisor that got no turn.
"""

Answers = Callable[[float], Awaitable[bool]]
"""Asks once whether a process lives, and waits for the answer for so many seconds."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a process may be silent until it counts as hung, in seconds; 0: for ever. Until it was ready
    for the first time, it has `start_seconds`.
    """

    seconds: float = DEFAULT_SECONDS
    start_seconds: float = START_SECONDS

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Patience:
        """What the variable says; StackError for what is no duration."""
        text = environ.get(VARIABLE) or str(DEFAULT_SECONDS)
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            raise StackError(f"{VARIABLE} is {text!r}, which is no number of seconds.", "0 waits for ever.")
        return cls(seconds, max(seconds, START_SECONDS) if seconds else 0.0)


async def silence(answers: Answers, seconds: float) -> None:
    """Return when QUESTIONS questions in a row had no answer, which takes `seconds` at least."""
    loop = asyncio.get_running_loop()
    question_seconds = seconds / QUESTIONS
    unanswered = 0
    while unanswered < QUESTIONS:
        next_at = loop.time() + question_seconds
        unanswered = 0 if await answers(question_seconds) else unanswered + 1
        # Also a connection that is refused at once counts for the whole of its time.
        await asyncio.sleep(max(0.0, next_at - loop.time()))
