"""State machines as data: from, event, actors, to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from chassis.kernel.refusal import Kind, Refusal, denied

S = TypeVar("S", bound=StrEnum)


class Actor(StrEnum):
    """Who moves a machine."""

    BUYER = "buyer"
    SELLER = "seller"
    OBSERVER = "observer"
    COPY = "copy"
    OPERATOR = "operator"
    SERVICE = "service"
    TIMER = "timer"


@dataclass(frozen=True, slots=True)
class Transition(Generic[S]):
    """`event` by one of `actors` moves from any state of `source` to `target`; None keeps the state."""

    source: tuple[S, ...]
    event: str
    actors: tuple[Actor, ...]
    target: S | None = None


@dataclass(frozen=True, slots=True)
class ActionState:
    """Whether an action is open to an actor now; `reason` is an error reason when it is not, else empty."""

    action: str
    allowed: bool
    reason: str = ""


def transition_forbidden(subject: str, *, state: str, event: str, allowed: Sequence[str]) -> Refusal:
    """The present state forbids `event`; `allowed` is what can be done instead."""
    possible = ",".join(allowed)
    return Refusal(
        Kind.PRECONDITION,
        "TRANSITION_FORBIDDEN",
        f"{subject} is {state.upper()}: {event} is not possible; possible: {possible or 'nothing'}",
        metadata={
            "resource": subject,
            "state": state.upper(),
            "action": event,
            "allowed_actions": possible,
        },
    )


class Machine(Generic[S]):
    """A table of transitions for one kind of `resource` (``"offer"``).

    The table must be deterministic: one target for each state, event and actor (ValueError otherwise).
    """

    def __init__(self, resource: str, transitions: Sequence[Transition[S]]) -> None:
        self.resource = resource
        self.transitions = tuple(transitions)
        self._targets: dict[tuple[S, str, Actor], S] = {}
        self._actors: dict[str, set[Actor]] = {}
        for transition in self.transitions:
            self._actors.setdefault(transition.event, set()).update(transition.actors)
            for state in transition.source:
                for actor in transition.actors:
                    self._add((state, transition.event, actor), transition.target or state)

    def _add(self, cell: tuple[S, str, Actor], target: S) -> None:
        if self._targets.setdefault(cell, target) != target:
            raise ValueError(f"{self.resource}: two targets for {cell}")

    @property
    def events(self) -> tuple[str, ...]:
        """Every event of the table, in table order."""
        return tuple(self._actors)

    def can(self, state: S, event: str, actor: Actor) -> bool:
        """Whether `move` would succeed."""
        return (state, event, actor) in self._targets

    def move(self, state: S, event: str, actor: Actor, *, name: str = "") -> S:
        """The state after `event`; `name` is the resource that a refusal speaks of.

        An event that `actor` may never cause is DENIED (PERMISSION_DENIED); one that only the present state
        forbids is a PRECONDITION (TRANSITION_FORBIDDEN) which names the actions that are allowed instead.
        KeyError for an event that the table does not know.
        """
        target = self._targets.get((state, event, actor))
        if target is not None:
            return target
        if actor not in self._actors[event]:
            raise denied(event, name or self.resource)
        raise transition_forbidden(
            name or self.resource, state=state.value, event=event, allowed=self.allowed(state, actor)
        )

    def allowed(self, state: S, actor: Actor) -> tuple[str, ...]:
        """What `actor` can do now, in table order."""
        return tuple(event for event in self._actors if (state, event, actor) in self._targets)

    def explain(self, state: S, actor: Actor) -> tuple[ActionState, ...]:
        """Every action that `actor` can ever take, with the reason for each that is missing now."""
        return tuple(
            ActionState(event, True)
            if (state, event, actor) in self._targets
            else ActionState(event, False, "TRANSITION_FORBIDDEN")
            for event, actors in self._actors.items()
            if actor in actors
        )
