"""Folders as sums of lanes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from services.orders.domain import desk
from services.orders.domain.desk import UNREAD_LANE, FolderCount
from services.orders.domain.order import Folder, Order, State
from tests.unit.orders.purchases import in_state

FOLDERS = [folder for folder in Folder if folder is not Folder.ALL]


def lane_of(order: Order) -> str:
    return UNREAD_LANE if order.state is State.PROCESSING and order.unread else order.state.value


@pytest.mark.parametrize("state", State)
def test_an_order_lies_in_the_lanes_of_its_folder_and_of_its_state_and_in_no_others(state: State) -> None:
    for unread in (0, 1, 3):
        order = replace(in_state(state), unread=unread)
        found = [folder for folder in FOLDERS if lane_of(order) in (desk.lanes(folder, ()) or ())]
        assert found == [order.folder]
        others = [other for other in State if lane_of(order) in (desk.lanes(None, [other]) or ())]
        assert others == [state]


def test_folder_and_states_are_both_meant() -> None:
    for folder, state in itertools.product(FOLDERS, State):
        lanes = desk.lanes(folder, [state])
        assert lanes is not None
        assert set(lanes) == set(desk.lanes(folder, ()) or ()) & set(desk.lanes(None, [state]) or ())
    assert desk.lanes(Folder.INBOX, [State.PROCESSING]) == (UNREAD_LANE,)
    assert desk.lanes(Folder.CLOSED, [State.PENDING]) == ()


@pytest.mark.parametrize("folder", [None, Folder.ALL])
def test_everything_needs_no_lanes(folder: Folder | None) -> None:
    assert desk.lanes(folder, ()) is None
    assert desk.lanes(folder, [*State, State.PENDING]) is None


def test_every_folder_is_counted_in_its_place_and_all_of_them_together() -> None:
    found = [FolderCount(Folder.CLOSED, 3, 1), FolderCount(Folder.INBOX, 2, 4)]
    assert [(one.folder.value, one.orders, one.unread) for one in desk.folder_counts(found)] == [
        ("INBOX", 2, 4),
        ("PROCESSING", 0, 0),
        ("AWAITING_ANSWER", 0, 0),
        ("CONFIRMED", 0, 0),
        ("CLOSED", 3, 1),
        ("ALL", 5, 5),
    ]
