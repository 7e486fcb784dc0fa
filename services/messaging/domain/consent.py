"""What a buyer allows sellers to do with his contact data."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class ConsentType(StrEnum):
    """The names of `parley.messaging.v1.ConsentType` without the prefix."""

    CONTACT_ABOUT_REQUEST = "CONTACT_ABOUT_REQUEST"
    MARKETING = "MARKETING"


@dataclass(frozen=True, slots=True)
class Decision:
    """What `user` decided. `seller` is empty for all sellers, `conversation` where it was not with an
    inquiry. `position` numbers the decisions in the order in which they were made; 0 before it is kept.
    """

    user: str
    seller: str
    type: ConsentType
    granted: bool
    time: datetime
    conversation: str = ""
    position: int = 0


def holding(decisions: Iterable[Decision], seller: str) -> dict[ConsentType, Decision]:
    """The decisions that hold for a seller, by type: of those about him and about all, the newest."""
    newest: dict[ConsentType, Decision] = {}
    for each in sorted(decisions, key=lambda each: each.position):
        if each.seller in ("", seller):
            newest[each.type] = each
    return newest


def given(decisions: Iterable[Decision], seller: str) -> dict[ConsentType, Decision]:
    """The consents that a seller has."""
    return {kind: each for kind, each in holding(decisions, seller).items() if each.granted}


def standing(decisions: Iterable[Decision], seller: str, kind: ConsentType) -> Decision | None:
    """The decision that holds for a seller, or (empty) for all of them alike; None where none does."""
    of_kind = [each for each in decisions if each.type is kind]
    if not seller and any(each.seller for each in of_kind):
        newest = max(of_kind, key=lambda each: each.position)
        return newest if not newest.seller else None
    return holding(of_kind, seller).get(kind)


def added(decisions: Collection[Decision], made: Decision) -> list[Decision]:
    """The decisions with one more behind all others."""
    last = max((each.position for each in decisions), default=0)
    return [*decisions, replace(made, position=last + 1)]
