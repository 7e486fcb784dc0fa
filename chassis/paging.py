"""Page tokens and keyset pages.

A token is opaque, holds the sort key of the last item, and is bound to the other arguments of the list
call: with other arguments it is refused, because it would point into another list. It is no secret and
grants nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from google.protobuf.message import Message

from chassis.kernel.page import Cursor, Page, PageRequest
from chassis.kernel.refusal import Refusal, invalid

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 1_000
MAX_TOKEN_LENGTH: Final = 2_048
_CHECKSUM_BYTES: Final = 8
_NUMBERS_BELOW: Final = 2**63

T = TypeVar("T")

Facets = Mapping[str, tuple[sa.ColumnElement[Any], Sequence[Any]]]
"""By a name of the caller's choice: a column or an expression, and the values that are wanted of it."""


def page_request(request: Message, *, scope: str = "") -> PageRequest:
    """What a list request asks for, from its `page_size` and `page_token`.

    A size of 0 means 50, more than 1000 means 1000. Refusal INVALID for a negative size, and
    PAGE_TOKEN_INVALID for a token that was not issued for these arguments. `scope` adds what else the list
    depends on, such as the caller.
    """
    size: int = request.page_size  # type: ignore[attr-defined]
    token: str = request.page_token  # type: ignore[attr-defined]
    if size < 0:
        raise invalid("page_size", "must not be negative")
    cursor = _decode(token, fingerprint(request, scope=scope)) if token else None
    return PageRequest(min(size or DEFAULT_SIZE, MAX_SIZE), cursor)


def next_page_token(request: Message, cursor: Cursor | None, *, scope: str = "") -> str:
    """The token for what follows `cursor`; empty when nothing does. `scope` as in `page_request`."""
    if cursor is None:
        return ""
    content = json.dumps(
        [_checksum(cursor, fingerprint(request, scope=scope)), *cursor], separators=(",", ":")
    )
    return base64.urlsafe_b64encode(content.encode()).rstrip(b"=").decode()


def fingerprint(request: Message, *, scope: str = "") -> bytes:
    """A digest of every argument but size and token."""
    rest = type(request)()
    rest.CopyFrom(request)
    for name in ("page_size", "page_token"):
        rest.ClearField(name)
    content = rest.SerializeToString(deterministic=True)
    return hashlib.sha256(f"{scope}\n{rest.DESCRIPTOR.full_name}\n".encode() + content).digest()


def cursor_of(*values: datetime | int | str) -> Cursor:
    """A sort key as text."""
    return tuple(value.isoformat() if isinstance(value, datetime) else str(value) for value in values)


def texts_of(cursor: Cursor | None, first: Cursor) -> Cursor:
    """The texts of a cursor, as many as in `first`, which stands for none. Refusal PAGE_TOKEN_INVALID."""
    if cursor is None:
        return first
    if len(cursor) != len(first):
        raise _token_invalid()
    return tuple(_value(text, str) for text in cursor)


def position_of(cursor: Cursor | None) -> int:
    """The number that a cursor of a single number holds; 0 without a cursor. Refusal PAGE_TOKEN_INVALID."""
    if cursor is None:
        return 0
    if len(cursor) != 1:
        raise _token_invalid()
    number: int = _value(cursor[0], int)
    return number


async def all_pages(
    read: Callable[[PageRequest], Awaitable[Page[T]]], *, size: int
) -> AsyncIterator[Page[T]]:
    """One page after the other until the last; at least one, which may be empty."""
    page = await read(PageRequest(size))
    yield page
    while page.next_cursor is not None:
        page = await read(PageRequest(size, page.next_cursor))
        yield page


def keyset(
    statement: sa.Select[Any],
    columns: Sequence[sa.ColumnElement[Any]],
    request: PageRequest,
    *,
    descending: bool = False,
) -> sa.Select[Any]:
    """`statement` ordered by `columns`, which must be unique together, from behind the cursor on, with one
    row to spare for `chassis.kernel.page.page_of`.
    """
    ordered = statement.order_by(*(column.desc() if descending else column.asc() for column in columns))
    if request.cursor is not None:
        values = sa.tuple_(*_typed(columns, request.cursor))
        keys = sa.tuple_(*columns)
        ordered = ordered.where(keys < values if descending else keys > values)
    # Written out, because a plan for any number of rows is made for a tenth of the table.
    return ordered.limit(sa.literal(request.size + 1, literal_execute=True))


def walks(
    statement: sa.Select[Any],
    facets: Facets,
    columns: Sequence[sa.ColumnElement[Any]],
    request: PageRequest,
    *,
    descending: bool = False,
) -> sa.Select[Any]:
    """What `keyset` answers for `statement`, which selects `columns` and nothing else, where each facet has
    one of its values. Those stand behind the columns, under their names.

    Each combination of values is one range of an index that holds the facets before the columns. There is a
    walk along each of them, and the walks are merged: none goes further than a page, however much lies behind
    or between.
    """
    each = [_each(name, *facet) for name, facet in facets.items()]
    held = (column == one.c.value for (column, _), one in zip(facets.values(), each, strict=True))
    walk = keyset(statement.where(*held), columns, request, descending=descending).lateral("walk")
    joined = reduce(lambda left, right: left.join(right, sa.true()), [*each, walk])
    names = (one.c.value.label(name) for name, one in zip(facets, each, strict=True))
    found = sa.select(*walk.c, *names).select_from(joined)
    return keyset(found, tuple(walk.c), PageRequest(request.size), descending=descending)


def merged(
    statement: sa.Select[Any],
    facets: Facets,
    columns: Sequence[sa.ColumnElement[Any]],
    request: PageRequest,
    *,
    descending: bool = False,
) -> sa.Select[Any]:
    """The rows of one table, of which `statement` is a selection, found by `walks`. Only those of the page
    are read from the table; `columns` are unique together among all of its rows.
    """
    if all(len(values) == 1 for _, values in facets.values()):
        held = (column == value for column, (value,) in facets.values())
        return keyset(statement.where(*held), columns, request, descending=descending)
    keys = walks(statement.with_only_columns(*columns), facets, columns, request, descending=descending)
    found = keys.subquery("merged")
    # The columns of the facets come behind those of the order.
    same = (column == key for column, key in zip(columns, found.c, strict=False))
    (table,) = statement.get_final_froms()
    return (
        sa.select(table)
        .join(found, sa.and_(*same))
        .order_by(*(column.desc() if descending else column.asc() for column in columns))
    )


def _each(name: str, column: sa.ColumnElement[Any], values: Sequence[Any]) -> sa.FromClause:
    given = sa.literal(list(values), sa.ARRAY(type(column.type)))
    return sa.select(sa.func.unnest(given).label("value")).subquery(f"each_{name}")


def _typed(columns: Sequence[sa.ColumnElement[Any]], cursor: Cursor) -> list[sa.ColumnElement[Any]]:
    if len(columns) != len(cursor):
        raise _token_invalid()
    return [
        sa.literal(_value(text, column.type.python_type), column.type)
        for column, text in zip(columns, cursor, strict=True)
    ]


def _value(text: str, kind: type[Any]) -> Any:
    """What storage can compare with. Tokens are no secret, so a caller may have made this one up."""
    try:
        if kind is datetime:
            return _instant(text)
        if kind is not int:
            return _storable(text)
        number = int(text)
        if abs(number) >= _NUMBERS_BELOW:
            raise _token_invalid()
        return number
    except (ValueError, OverflowError):
        raise _token_invalid() from None


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise _token_invalid()
    return found.astimezone(UTC)


def _storable(text: str) -> str:
    if b"\x00" in text.encode():
        raise _token_invalid()
    return text


def _decode(token: str, bound_to: bytes) -> Cursor:
    try:
        if len(token) > MAX_TOKEN_LENGTH:
            raise _token_invalid()
        padded = token.encode() + b"=" * (-len(token) % 4)
        content = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _token_invalid() from None
    if not isinstance(content, list) or not all(isinstance(part, str) for part in content) or not content:
        raise _token_invalid()
    cursor = tuple(content[1:])
    if content[0] != _checksum(cursor, bound_to):
        raise _token_invalid()
    return cursor


def _checksum(cursor: Cursor, bound_to: bytes) -> str:
    digest = hashlib.sha256(bound_to + json.dumps(cursor).encode())
    return digest.hexdigest()[: 2 * _CHECKSUM_BYTES]


def _token_invalid() -> Refusal:
    return invalid("page_token", "was not issued for these arguments", reason="PAGE_TOKEN_INVALID")
