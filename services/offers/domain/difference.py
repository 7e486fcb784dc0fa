"""What differs between two revisions of a chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from chassis.kernel.money import Money
from services.offers.domain.chain import Revision
from services.offers.domain.terms import LineItem, Terms


@dataclass(frozen=True, slots=True)
class LineItemChange:
    """A position that was added (`before` is None), removed (`after` is None) or changed."""

    before: LineItem | None
    after: LineItem | None


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs. `fields` are those of the terms; `total_change` is None where the currency changed."""

    before: Revision
    after: Revision
    fields: tuple[str, ...]
    line_items: tuple[LineItemChange, ...]
    total_change: Money | None


def difference(before: Revision, after: Revision) -> Difference:
    """What differs between two revisions of one chain, in either direction."""
    items = line_item_changes(before.terms.line_items, after.terms.line_items)
    same_currency = before.total.currency == after.total.currency
    return Difference(
        before,
        after,
        fields=changed_fields(before.terms, after.terms),
        line_items=items,
        total_change=after.total - before.total if same_currency else None,
    )


def changed_fields(before: Terms, after: Terms) -> tuple[str, ...]:
    """The fields of the terms that differ. An expiry differs by its instant, in whatever words it was given,
    and the order of the positions does not matter.
    """
    pairs = (
        ("line_items", Counter(before.line_items), Counter(after.line_items)),
        ("package", before.package, after.package),
        ("scope", before.scope, after.scope),
        ("start_time", before.start_time, after.start_time),
        ("delivery_days", before.delivery_days, after.delivery_days),
        ("expire_time", before.expire_time, after.expire_time),
        ("payment_method", before.payment_method, after.payment_method),
        ("plan", before.plan, after.plan),
    )
    return tuple(name for name, was, then in pairs if was != then)


def line_item_changes(before: Sequence[LineItem], after: Sequence[LineItem]) -> tuple[LineItemChange, ...]:
    """The positions that differ: those that changed or went, in their old order, then the new ones.

    Equal positions are taken out first. Of what remains, positions of the same title belong together, one to
    one in the order in which they stand.
    """
    gone, come = _without(before, after), _without(after, before)
    changes = []
    for item in gone:
        successor = next((other for other in come if other.title == item.title), None)
        if successor is not None:
            come.remove(successor)
        changes.append(LineItemChange(item, successor))
    changes.extend(LineItemChange(None, item) for item in come)
    return tuple(changes)


def _without(items: Sequence[LineItem], others: Sequence[LineItem]) -> list[LineItem]:
    """The items that have no equal among `others`, one to one."""
    left = Counter(others)
    kept = []
    for item in items:
        if left[item]:
            left[item] -= 1
        else:
            kept.append(item)
    return kept
