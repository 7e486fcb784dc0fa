"""Finds the endpoint of a path in one step per segment, however many routes there are.

All templates are merged into a deterministic automaton when the process starts. A state is the set of
templates that may still match; each segment leads to exactly one next state, so nothing is ever scanned
or tried again. Where two templates match the same path, the one whose first difference is a literal wins
(`/v1/users/me` before `/v1/users/*`), then `*` before `**`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.transcode.template import ANY_SEGMENT, ANY_SEGMENTS, EncodingError, Template, decode

T = TypeVar("T")

# An automaton of ordinary templates has about as many states as templates have segments. One that needs more
# than this comes from templates that overlap without end, which is a mistake in the contract.
STATES_MAX = 20_000


class RouteConflict(ValueError):
    """Two endpoints claim the same HTTP method and the same path."""


@dataclass(slots=True)
class _State(Generic[T]):
    """`accepts`: verb -> HTTP method -> endpoint, for a path that ends here."""

    literals: dict[str, _State[T]] = field(default_factory=dict)
    other: _State[T] | None = None
    accepts: dict[str, dict[str, T]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Route(Generic[T]):
    template: Template
    method: str
    endpoint: T


# A route and how many of its segments are behind us.
_Position = tuple[int, int]


class RouteIndex(Generic[T]):
    """An immutable index over (template, HTTP method, endpoint)."""

    def __init__(self, routes: Iterable[tuple[Template, str, T]]) -> None:
        """Raises RouteConflict if two routes cannot be told apart."""
        self._routes = [_Route(*route) for route in routes]
        self._refuse_conflicts()
        self._states: dict[frozenset[_Position], _State[T]] = {}
        start = frozenset((number, 0) for number in range(len(self._routes)))
        self._start = self._state(start)
        self._states.clear()

    def find(self, raw_segments: list[str]) -> Mapping[str, T]:
        """The endpoints by HTTP method at a path, given as its still encoded segments; maybe none."""
        state = self._start
        for raw in raw_segments[:-1]:
            following = _step(state, raw)
            if following is None:
                return {}
            state = following
        last = raw_segments[-1]
        bare, colon, verb = last.rpartition(":")
        if colon and (end := _step(state, bare)) is not None and (found := end.accepts.get(verb)):
            return found
        end = _step(state, last)
        return end.accepts.get("", {}) if end is not None else {}

    def _state(self, positions: frozenset[_Position]) -> _State[T]:
        known = self._states.get(positions)
        if known is not None:
            return known
        if len(self._states) >= STATES_MAX:
            raise RouteConflict(f"the path templates overlap in more than {STATES_MAX} ways")
        state: _State[T] = _State()
        self._states[positions] = state
        self._accept(positions, state)
        literals: set[str] = set()
        for number, done in positions:
            segments = self._routes[number].template.segments
            if done < len(segments) and segments[done] not in (ANY_SEGMENT, ANY_SEGMENTS):
                literals.add(segments[done])
        others = self._after(positions, None)
        state.other = self._state(others) if others else None
        for literal in sorted(literals):
            state.literals[literal] = self._state(self._after(positions, literal))
        return state

    def _after(self, positions: frozenset[_Position], literal: str | None) -> frozenset[_Position]:
        following: set[_Position] = set()
        for number, done in positions:
            segments = self._routes[number].template.segments
            if done == len(segments):
                continue
            if segments[done] == ANY_SEGMENTS:
                following.add((number, done))
            elif segments[done] in (ANY_SEGMENT, literal):
                following.add((number, done + 1))
        return frozenset(following)

    def _accept(self, positions: frozenset[_Position], state: _State[T]) -> None:
        ended = []
        for number, done in positions:
            segments = self._routes[number].template.segments
            if done == len(segments) or segments[done:] == (ANY_SEGMENTS,):
                ended.append(self._routes[number])
        # The most specific comes last and overwrites the others.
        for route in sorted(ended, key=_specificity, reverse=True):
            state.accepts.setdefault(route.template.verb, {})[route.method] = route.endpoint

    def _refuse_conflicts(self) -> None:
        taken: dict[tuple[str, tuple[str, ...], str], str] = {}
        for route in self._routes:
            key = (route.method, route.template.segments, route.template.verb)
            if key in taken:
                raise RouteConflict(f"{route.method} {route.template.text} is the same as {taken[key]}")
            taken[key] = route.template.text


def _specificity(route: _Route[T]) -> tuple[int, ...]:
    ranks = {ANY_SEGMENT: 1, ANY_SEGMENTS: 2}
    return tuple(ranks.get(segment, 0) for segment in route.template.segments)


def _step(state: _State[T], raw: str) -> _State[T] | None:
    if not raw:
        return None
    if "%" in raw:
        try:
            raw = decode(raw)
        except EncodingError:
            # A broken escape can still reach a variable, whose decoding then explains it to the caller.
            return state.other
    return state.literals.get(raw, state.other)
