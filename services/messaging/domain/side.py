"""The sides of a conversation."""

from __future__ import annotations

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
