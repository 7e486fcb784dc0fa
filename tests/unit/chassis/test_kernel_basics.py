"""Clocks, ids, names, pages, refusals and callers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.caller import ANONYMOUS, Caller, Role
from chassis.kernel.clock import ManualClock, SystemClock
from chassis.kernel.ids import SequentialIds, UuidV7, is_id, parse_name
from chassis.kernel.page import Page, PageRequest, page_of
from chassis.kernel.refusal import (
    Kind,
    Refusal,
    Violation,
    denied,
    exists,
    invalid,
    not_found,
    precondition,
    stale_etag,
    unavailable,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_manual_clock_moves_only_when_told_to() -> None:
    clock = ManualClock(NOW)
    assert clock.now() == clock.now() == NOW
    assert clock.advance(timedelta(hours=1)) == NOW + timedelta(hours=1) == clock.now()
    clock.set(datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2020, 1, 1, tzinfo=UTC)
    assert clock.now().tzinfo is UTC
    with pytest.raises(ValueError):
        clock.advance(timedelta(seconds=-1))
    with pytest.raises(ValueError):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point


def test_the_system_clock_speaks_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


@given(st.lists(st.integers(-10_000, 10_000), max_size=50), st.integers())
def test_ids_are_unique_ordered_and_well_formed_whatever_the_clock_does(jumps: list[int], seed: int) -> None:
    clock = ManualClock(NOW)
    ids = UuidV7(clock, Random(seed))
    made = []
    for jump in jumps:
        clock.set(clock.now() + timedelta(milliseconds=jump))
        made += [ids.new(), ids.new()]
    assert made == sorted(set(made))
    for text in made:
        assert is_id(text)
        parsed = UUID(text)
        assert (parsed.version, parsed.variant) == (7, "specified in RFC 4122")


def test_an_id_tells_its_millisecond() -> None:
    text = UuidV7(ManualClock(NOW)).new()
    assert int(text.replace("-", "")[:12], 16) == int(NOW.timestamp() * 1000)


class Ones(Random):
    def getrandbits(self, k: int, /) -> int:
        return (1 << k) - 1


def test_an_exhausted_millisecond_borrows_the_next() -> None:
    ids = UuidV7(ManualClock(NOW), Ones())
    assert ids.new() < ids.new()


def test_sequential_ids_repeat_from_run_to_run_and_not_across_families() -> None:
    one, other = SequentialIds(), SequentialIds(family=1)
    first = one.new()
    assert first == "01900000-0000-7000-8000-000000000001"
    assert is_id(first)
    assert len({first, one.new(), other.new(), other.new()}) == 4


@pytest.mark.parametrize(
    "text", ["", "x", "01900000-0000-7000-8000-00000000000A", "01900000000070008000000000000001"]
)
def test_only_one_spelling_of_a_uuid_is_an_id(text: str) -> None:
    assert not is_id(text)


@pytest.mark.parametrize(
    ("name", "pattern", "parts"),
    [
        ("sellers/acme/listings/logo-2", "sellers/*/listings/*", ("acme", "logo-2")),
        ("sellers/acme/orderSettings", "sellers/*/orderSettings", ("acme",)),
        ("users/ana", "users/*", ("ana",)),
    ],
)
def test_names_are_taken_apart(name: str, pattern: str, parts: tuple[str, ...]) -> None:
    assert parse_name(name, pattern) == parts


@pytest.mark.parametrize(
    "name",
    ["", "sellers/", "sellers/acme/", "sellers/Acme", "sellers/a.b", "sellers/a b", "users/ana", "sellers/-a",
     "sellers/acme\n", "sellers/" + "a" * 64, "sellers/acme/listings/x"],
)  # fmt: skip
def test_malformed_names_are_refused(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_name(name, "sellers/*", field="parent")
    assert refused.value.kind is Kind.INVALID
    assert refused.value.violations[0].field == "parent"


def test_a_page_ends_where_nothing_follows() -> None:
    items = ["a", "b", "c"]
    assert page_of(items, PageRequest(2), lambda item: (item,)) == Page(("a", "b"), ("b",))
    assert page_of(items, PageRequest(3), lambda item: (item,)) == Page(("a", "b", "c"), None)
    assert page_of([], PageRequest(3), lambda item: (item,)) == Page((), None)


@pytest.mark.parametrize(
    ("refusal", "kind", "reason"),
    [
        (not_found("orders/1"), Kind.NOT_FOUND, "NOT_FOUND"),
        (denied("accept", "offers/1"), Kind.DENIED, "PERMISSION_DENIED"),
        (stale_etag("offers/1", "v1", "v2"), Kind.STALE, "ETAG_MISMATCH"),
        (invalid("price", "is wrong", reason="AMOUNT_INVALID"), Kind.INVALID, "AMOUNT_INVALID"),
        (precondition("OFFER_EXPIRED", "too late", offer="offers/1"), Kind.PRECONDITION, "OFFER_EXPIRED"),
        (exists("REQUEST_OPEN", "again"), Kind.EXISTS, "REQUEST_OPEN"),
        (unavailable("PEER_UNAVAILABLE", "later"), Kind.UNAVAILABLE, "PEER_UNAVAILABLE"),
    ],
)
def test_refusals_say_what_and_why(refusal: Refusal, kind: Kind, reason: str) -> None:
    assert (refusal.kind, refusal.reason) == (kind, reason)
    assert reason in repr(refusal)
    assert str(refusal) == refusal.message


def test_an_invalid_field_is_a_violation() -> None:
    refusal = invalid("price.nanos", "is too fine", reason="AMOUNT_INVALID", currency="EUR")
    assert refusal.violations == (Violation("price.nanos", "is too fine", "AMOUNT_INVALID"),)
    assert refusal.metadata == {"field": "price.nanos", "currency": "EUR"}


def test_a_caller_has_the_roles_of_all_it_belongs_to() -> None:
    caller = Caller(
        "users/ana",
        teams={"sellers/acme": Role.SELLER_OWNER},
        observers=frozenset({"observers/bosch"}),
        is_buyer=True,
        is_operator=True,
        is_service=True,
    )
    assert caller.roles == {Role.BUYER, Role.SELLER_OWNER, Role.OBSERVER, Role.OPERATOR, Role.SERVICE}
    assert caller.role_in("sellers/acme") is Role.SELLER_OWNER
    assert caller.role_in("sellers/other") is None
    assert ANONYMOUS.roles == frozenset()
    assert hash(caller) == hash(caller)
