"""The desk of a seller's team: folders are views of its orders, and lanes are what folders are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from services.orders.domain.order import Folder, State

UNREAD_LANE: Final = "UNREAD"
"""The lane of orders in processing with something unread; every other order is in the lane of its state."""

_FOLDERS: Final[Mapping[Folder, tuple[str, ...]]] = {
    Folder.INBOX: ("PENDING", UNREAD_LANE),
    Folder.PROCESSING: ("PROCESSING",),
    Folder.AWAITING_ANSWER: ("AWAITING_ANSWER",),
    Folder.CONFIRMED: ("CONFIRMED", "IN_PROGRESS", "DELIVERED"),
    Folder.CLOSED: ("DECLINED", "WITHDRAWN", "COMPLETED", "CANCELLED"),
}
_ALL: Final = tuple(lane for lanes in _FOLDERS.values() for lane in lanes)


@dataclass(frozen=True, slots=True)
class FolderCount:
    """How many orders lie in a folder, and how much of them is unread."""

    folder: Folder
    orders: int
    unread: int


def lanes(folder: Folder | None, states: Iterable[State]) -> tuple[str, ...] | None:
    """The lanes in which the orders of `folder` (any if None) in one of `states` (any if empty) lie.

    None where that is every lane; an empty tuple where no order can be meant.
    """
    found = _FOLDERS.get(folder, _ALL) if folder is not None else _ALL
    wanted = {lane for state in states for lane in _lanes_of(state)} or set(_ALL)
    found = tuple(lane for lane in found if lane in wanted)
    return None if len(found) == len(_ALL) else found


def _lanes_of(state: State) -> tuple[str, ...]:
    return (state.value, UNREAD_LANE) if state is State.PROCESSING else (state.value,)


def folder_counts(found: Iterable[FolderCount]) -> tuple[FolderCount, ...]:
    """One for each folder in their order, those included where nothing lies; `ALL` is the sum."""
    known = {one.folder: one for one in found}
    each = [known.get(folder, FolderCount(folder, 0, 0)) for folder in _FOLDERS]
    everything = FolderCount(Folder.ALL, sum(one.orders for one in each), sum(one.unread for one in each))
    return (*each, everything)
