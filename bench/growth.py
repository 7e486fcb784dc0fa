"""A service over little and over a thousand times as much: what a caller asks for must not take longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from google.protobuf.message import Message

from bench import load
from bench.figures import Figure
from bench.rig import Rig
from chassis.kernel.page import Cursor
from chassis.paging import next_page_token

SMALL, LARGE = 1_000, 1_000_000
GOAL = 1.5
TURNS = 9
SECONDS = 1.0
PAGES = 40
"""Different pages of each list that are asked for, from the first to one near the end."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to ask. `place` is the place of thing `number` in the order of a list, which a page follows; None
    where there are no pages. `scope`: what page tokens are bound to beside the request. `token`: that of a
    caller of its own; empty: of the one who asks for all kinds.
    """

    name: str
    method: str
    request: Message
    place: Callable[[int], Cursor] | None = None
    scope: str = ""
    token: str = ""

    def requests(self, count: int) -> list[str]:
        """Requests for pages that lie all over a list of `count` things, in hex."""
        if self.place is None:
            return [self.request.SerializeToString().hex()]
        made = []
        for page in range(PAGES):
            request = type(self.request)()
            request.CopyFrom(self.request)
            place = self.place(page * count // (PAGES + 2))
            token = next_page_token(request, place, scope=self.scope)
            request.page_token = token  # type: ignore[attr-defined]
            made.append(request.SerializeToString().hex())
        return made


@dataclass(frozen=True, slots=True)
class Growth:
    """What grows. `grow` makes the first number of things for one owner and the second for another."""

    name: str
    service: str
    kinds: Sequence[Kind]
    goal: str
    grow: Callable[[Rig, int, int], Coroutine[Any, Any, None]]


def compare_in_turn(rig: Rig, token: str, growth: Growth, others: Sequence[Kind]) -> Figure:
    """One caller, requests from all over; the slowest kind decides. `others` are the same kinds for the owner
    with little. Both are there at the same time and asked in turn, so that both meet the same machine.
    """
    asyncio.run(growth.grow(rig, SMALL, LARGE))
    small, large = [], []
    for _ in range(TURNS):
        small.append(_measure(rig, token, growth, others, SMALL))
        large.append(_measure(rig, token, growth, growth.kinds, LARGE))
    return _figure(growth, _medians(small), _medians(large))


def _figure(growth: Growth, small: dict[str, float], large: dict[str, float]) -> Figure:
    ratios = {kind.name: large[kind.name] / small[kind.name] for kind in growth.kinds}
    worst = max(ratios, key=lambda name: ratios[name])
    return Figure(
        name=growth.name,
        measured=f"{large[worst]:.1f} ({worst})",
        floor=f"{small[worst]:.1f} (the same at 1,000)",
        result=f"{ratios[worst]:.2f} times",
        goal=f"at most {GOAL} times, {growth.goal}",
        reached=ratios[worst] <= GOAL,
        details=tuple(
            f"{kind.name}: p99 {small[kind.name]:.1f} ms at 1,000, {large[kind.name]:.1f} ms at 1,000,000"
            for kind in growth.kinds
        ),
    )


def _measure(rig: Rig, token: str, growth: Growth, kinds: Sequence[Kind], count: int) -> dict[str, float]:
    """The p99 of each kind in one round."""
    address, found = rig.stack.grpc[growth.service], {}
    for kind in kinds:
        job = load.Job(address, kind.method, kind.requests(count), kind.token or token, 1, SECONDS)
        found[kind.name] = load.run(job).p99
    return found


def _medians(rounds: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: median(one[name] for one in rounds) for name in rounds[0]}
