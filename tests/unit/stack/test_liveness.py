"""When silence means that a process hangs: never after one answer in between, and never too early."""

from __future__ import annotations

import asyncio

import pytest

from stack.failure import StackError
from stack.liveness import QUESTIONS, VARIABLE, Patience, silence

SECONDS = 0.06


async def test_one_answer_between_many_failures_is_a_sign_of_life() -> None:
    given = [*[False] * (QUESTIONS - 1), True, *[False] * QUESTIONS]
    left = list(given)

    async def answers(seconds: float) -> bool:
        assert seconds == pytest.approx(SECONDS / QUESTIONS)
        return left.pop(0)

    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.wait_for(silence(answers, SECONDS), 10)
    assert left == []
    # Failures that come at once take as long as those that are waited for.
    assert loop.time() - started >= len(given) * SECONDS / QUESTIONS * 0.9


async def test_who_always_answers_is_asked_for_ever() -> None:
    asked, often = 0, asyncio.Event()

    async def answers(_: float) -> bool:
        nonlocal asked
        asked += 1
        if asked > 3 * QUESTIONS:
            often.set()
        return asked % QUESTIONS == 0

    watching = asyncio.ensure_future(silence(answers, SECONDS))
    await asyncio.wait_for(often.wait(), 10)
    assert not watching.done()
    watching.cancel()


def test_the_variable_says_how_long() -> None:
    assert Patience.of({}) == Patience(60, 60)
    assert Patience.of({VARIABLE: "0"}) == Patience(0, 0)
    # A start takes as long as it takes, however soon a silence is noticed later.
    assert Patience.of({VARIABLE: "2.5"}) == Patience(2.5, 60)
    assert Patience.of({VARIABLE: "90"}) == Patience(90, 90)
    for text in ("soon", "-1", "nan", "inf"):
        with pytest.raises(StackError, match=f"{VARIABLE} is '{text}'"):
            Patience.of({VARIABLE: text})
