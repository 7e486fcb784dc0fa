"""The difference between two revisions, as laws that hold for any two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.money import Money
from services.offers.domain.chain import Author, Revision
from services.offers.domain.difference import (
    LineItemChange,
    changed_fields,
    difference,
    line_item_changes,
)
from services.offers.domain.terms import Interval, LineItem, LocalDay, PaymentMethod, Plan, Terms, total_of
from tests.unit.offers.negotiation import NOW, terms

# Few values, so that equal positions and equal titles are frequent.
ITEMS = st.builds(
    LineItem,
    st.sampled_from(["Logo", "Card", "Flyer"]),
    st.integers(1, 2),
    st.integers(1, 3).map(lambda amount: Money("EUR", amount)),
)
POSITIONS = st.lists(ITEMS, min_size=1, max_size=6).map(tuple)
TIMES = st.sampled_from([None, NOW, NOW + timedelta(hours=1)])
PROPOSALS = st.builds(
    Terms,
    line_items=POSITIONS,
    delivery_days=st.integers(1, 2),
    payment_method=st.sampled_from(PaymentMethod),
    package=st.sampled_from(["", "sellers/acme/listings/logo/packages/basic"]),
    scope=st.sampled_from(["", "one draft"]),
    start_time=TIMES,
    expire_time=TIMES,
    plan=st.sampled_from([None, Plan(Money("EUR", 5), Interval.MONTH, 1)]),
)


def revision(number: int, proposal: Terms) -> Revision:
    return Revision(number, Author.SELLER, proposal, total_of(proposal), "", NOW)


def applied(items: Sequence[LineItem], changes: Sequence[LineItemChange]) -> Counter[LineItem]:
    result = Counter(items)
    for change in changes:
        if change.before is not None:
            assert result[change.before] > 0
            result[change.before] -= 1
        if change.after is not None:
            result[change.after] += 1
    return +result


@given(before=POSITIONS, after=POSITIONS)
def test_applied_to_the_one_it_gives_the_other(
    before: tuple[LineItem, ...], after: tuple[LineItem, ...]
) -> None:
    changes = line_item_changes(before, after)
    assert applied(before, changes) == Counter(after)
    turned = [LineItemChange(change.after, change.before) for change in changes]
    assert applied(after, turned) == Counter(before)


@given(before=POSITIONS, after=POSITIONS)
def test_backwards_it_is_the_opposite(before: tuple[LineItem, ...], after: tuple[LineItem, ...]) -> None:
    forth = line_item_changes(before, after)
    back = line_item_changes(after, before)
    assert Counter((c.before, c.after) for c in forth) == Counter((c.after, c.before) for c in back)


@given(before=POSITIONS, after=POSITIONS)
def test_it_names_no_more_than_it_must(before: tuple[LineItem, ...], after: tuple[LineItem, ...]) -> None:
    changes = line_item_changes(before, after)
    for change in changes:
        assert change.before != change.after
        if change.before is not None and change.after is not None:
            assert change.before.title == change.after.title
    added = {c.after.title for c in changes if c.before is None and c.after is not None}
    removed = {c.before.title for c in changes if c.after is None and c.before is not None}
    assert not added & removed


@given(items=POSITIONS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_positions_does_not_matter(items: tuple[LineItem, ...], order: object) -> None:
    shuffled = list(items)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    assert line_item_changes(items, shuffled) == ()
    assert changed_fields(terms(line_items=items), terms(line_items=tuple(shuffled))) == ()


@given(proposal=PROPOSALS)
def test_nothing_differs_from_itself(proposal: Terms) -> None:
    found = difference(revision(1, proposal), revision(2, proposal))
    assert (found.fields, found.line_items) == ((), ())
    assert found.total_change is not None
    assert found.total_change.is_zero


@given(before=PROPOSALS, after=PROPOSALS)
def test_it_names_exactly_the_fields_that_differ(before: Terms, after: Terms) -> None:
    found = difference(revision(1, before), revision(2, after))
    assert bool(found.line_items) is ("line_items" in found.fields)
    assert found.total_change == total_of(after) - total_of(before)
    back = difference(revision(2, after), revision(1, before))
    assert (back.fields, back.total_change) == (found.fields, -found.total_change)
    for name in {field.name for field in fields(Terms)} - {"line_items", "expire_day"}:
        assert (name in found.fields) is (getattr(before, name) != getattr(after, name))


def test_no_field_of_the_terms_is_forgotten() -> None:
    one = terms()
    other = replace(
        terms(1, scope="x", package="p", delivery_days=9, payment_method=PaymentMethod.ONLINE),
        start_time=NOW,
        expire_time=NOW,
        plan=Plan(Money("EUR", 5), Interval.MONTH, 1),
    )
    # The day is another word for the instant.
    assert {*changed_fields(one, other), "expire_day"} == {field.name for field in fields(Terms)}
    assert changed_fields(one, replace(one, expire_day=LocalDay(date(2026, 6, 1), "UTC"))) == ()


def test_totals_of_two_currencies_have_no_difference() -> None:
    found = difference(revision(1, terms()), revision(2, terms(currency="JPY")))
    assert (found.total_change, found.fields) == (None, ("line_items",))
