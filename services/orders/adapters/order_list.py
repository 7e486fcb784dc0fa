"""The statement of a list of orders.

However many orders a seller has, no index is read further than a page: what is wanted is a few lanes, and
each of them is one range of an index in the order of the list.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from chassis.kernel.page import PageRequest
from chassis.paging import keyset, merged
from services.orders.adapters.tables import order_label, order_lane, order_note, orders
from services.orders.app.ports import OrderFilter
from services.orders.domain.note import NoteFilter

_AGE: Final = (orders.c.create_time, orders.c.id)
# Of the same seller: the team of another one may have a label of that name as well.
_LABELLED: Final = sa.select(order_label.c.order_id).where(order_label.c.seller == orders.c.seller)
_NOTED: Final = sa.select(order_note.c.order_id).where(order_note.c.seller == orders.c.seller)


def page_statement(wanted: OrderFilter, request: PageRequest) -> sa.Select[Any] | None:
    """Newest first, from behind the cursor on; None where no order can be meant."""
    if wanted.lanes == ():
        return None
    conditions = _conditions(wanted)
    if wanted.lanes is None:
        return keyset(sa.select(orders).where(*conditions), _AGE, request, descending=True)
    lanes = {"lane": (order_lane, wanted.lanes)}
    return merged(sa.select(orders).where(*conditions), lanes, _AGE, request, descending=True)


def _conditions(wanted: OrderFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    if wanted.seller:
        conditions.append(orders.c.seller == wanted.seller)
    if wanted.buyer:
        conditions.append(orders.c.buyer == wanted.buyer)
    conditions.extend(
        orders.c.id.in_(_LABELLED.where(order_label.c.label == label)) for label in wanted.labels
    )
    if wanted.note is not None:
        conditions.append(orders.c.id.in_(_noted(wanted.note)))
    return conditions


def _noted(note: NoteFilter) -> sa.Select[Any]:
    found = _NOTED
    if note.author:
        found = found.where(order_note.c.author == note.author)
    if note.start_time is not None:
        found = found.where(order_note.c.create_time >= note.start_time)
    if note.end_time is not None:
        found = found.where(order_note.c.create_time < note.end_time)
    return found
