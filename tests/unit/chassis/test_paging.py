"""Page tokens: opaque, bound to the other arguments, and never a way to make the server stumble."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from chassis.kernel.page import PageRequest
from chassis.kernel.refusal import Refusal
from chassis.paging import cursor_of, keyset, next_page_token, page_request
from parley.offers.v1 import offers_service_pb2

ListListings = offers_service_pb2.ListListingsRequest
TABLE = sa.table("item", sa.column("time", sa.DateTime(timezone=True)), sa.column("id", sa.Text))
KEYS = (TABLE.c.time, TABLE.c.id)


@pytest.mark.parametrize(
    ("asked", "given_size"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)]
)
def test_sizes_have_a_default_and_a_limit(asked: int, given_size: int) -> None:
    assert page_request(ListListings(parent="sellers/acme", page_size=asked)) == PageRequest(given_size)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        page_request(ListListings(page_size=-1))
    assert refused.value.violations[0].field == "page_size"


@given(st.lists(st.text(), min_size=1, max_size=4).map(tuple))
def test_a_token_leads_back_to_its_cursor(cursor: tuple[str, ...]) -> None:
    request = ListListings(parent="sellers/acme")
    token = next_page_token(request, cursor, scope="users/ana")
    again = ListListings(parent="sellers/acme", page_size=7, page_token=token)
    if len(token) <= 2048:
        assert page_request(again, scope="users/ana") == PageRequest(7, cursor)


def test_the_last_page_has_no_token() -> None:
    assert next_page_token(ListListings(), None) == ""


@pytest.mark.parametrize(
    ("parent", "scope"), [("sellers/other", "users/ana"), ("sellers/acme", "users/bea"), ("sellers/acme", "")]
)
def test_a_token_is_no_good_for_other_arguments(parent: str, scope: str) -> None:
    token = next_page_token(ListListings(parent="sellers/acme"), ("x",), scope="users/ana")
    with pytest.raises(Refusal) as refused:
        page_request(ListListings(parent=parent, page_token=token), scope=scope)
    assert refused.value.reason == "PAGE_TOKEN_INVALID"


def _token(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    "token",
    ["x", "%%%", "é", "a" * 3000, "W1tb" * 400, _token([]), _token({}), _token(["0"]), _token([1, 2]),
     _token("x"), _token(None)],
)  # fmt: skip
def test_anything_else_is_refused(token: str) -> None:
    with pytest.raises(Refusal) as refused:
        page_request(ListListings(page_token=token))
    assert refused.value.reason == "PAGE_TOKEN_INVALID"


@given(st.text(max_size=50))
def test_no_text_makes_the_server_stumble(token: str) -> None:
    if token:
        with pytest.raises(Refusal):
            page_request(ListListings(page_token=token))


def _text(statement: sa.Select[tuple[object, ...]]) -> str:
    return " ".join(str(statement).split())


def test_a_keyset_goes_on_behind_the_cursor() -> None:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    request = PageRequest(10, cursor_of(moment, "a"))
    assert request.cursor == ("2026-06-01T00:00:00+00:00", "a")
    up = keyset(sa.select(TABLE), KEYS, request)
    assert "(item.time, item.id) > (" in _text(up)
    assert "ORDER BY item.time ASC, item.id ASC" in _text(up)
    assert {moment, "a", 11} <= set(up.compile().params.values())
    down = keyset(sa.select(TABLE), KEYS, request, descending=True)
    assert "(item.time, item.id) < (" in _text(down)
    assert "ORDER BY item.time DESC, item.id DESC" in _text(down)
    assert "WHERE" not in _text(keyset(sa.select(TABLE), KEYS, PageRequest(10)))


@pytest.mark.parametrize(
    "cursor",
    [
        ("yesterday", "a"),
        ("2026-06-01T00:00:00+00:00",),
        ("a", "b", "c"),
        # Whoever makes a token up himself finds nothing that storage chokes on.
        ("2026-06-01", "a"),
        ("0001-01-01T00:00:00+14:00", "a"),
        ("9999-12-31T23:59:59-14:00", "a"),
        ("2026-06-01T00:00:00+00:00", "\x00"),
        ("2026-06-01T00:00:00+00:00", "\ud800"),
    ],
)
def test_a_cursor_that_does_not_fit_is_refused(cursor: tuple[str, ...]) -> None:
    with pytest.raises(Refusal) as refused:
        keyset(sa.select(TABLE), KEYS, PageRequest(10, cursor))
    assert refused.value.reason == "PAGE_TOKEN_INVALID"
