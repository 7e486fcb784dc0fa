"""The sides of a conversation, and the places of those who take part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.kernel.machine import Actor


class Side(StrEnum):
    """A side of a conversation."""

    BUYER = "buyer"
    SELLER = "seller"
    SYSTEM = "system"


def side_of(actor: Actor) -> Side:
    """The side on which an actor stands."""
    return {Actor.BUYER: Side.BUYER, Actor.SELLER: Side.SELLER}.get(actor, Side.SYSTEM)


def other(side: Side) -> Side:
    """The side across the table."""
    return Side.SELLER if side is Side.BUYER else Side.BUYER


@dataclass(frozen=True, slots=True)
class Seat:
    """The place from which `user` takes part. `since`: he sees nothing that was before."""

    actor: Actor
    user: str
    side: Side
    since: datetime | None = None

    @property
    def in_team(self) -> bool:
        """Whether he sees what is for the seller's team only."""
        return self.actor is Actor.SELLER

    @property
    def in_copy(self) -> bool:
        """Whether he is in copy."""
        return self.actor is Actor.COPY
