"""What a service keeps about a person: read for him.

A service says in SQL what that is, kind by kind; `records` reads it page by page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from chassis import paging
from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.page import Page, PageRequest
from chassis.kernel.refusal import invalid
from parley.type.v1 import personal_data_pb2

_PAGE: Final = (
    "SELECT key, record::text AS content FROM ({query}) AS found (key, record) "
    "WHERE key > :after ORDER BY key LIMIT :room"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of records. `query` selects two columns for `:user`: what tells the record from others of its
    kind (text), and the record (jsonb).
    """

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class PersonalRecord:
    """Something that is kept about a person; `content` is a JSON object."""

    kind: str
    key: str
    content: str


async def records(
    tx: Transaction, kinds: Sequence[Kind], user: str, page: PageRequest
) -> Page[PersonalRecord]:
    """A page of what is kept about `user` (`users/{user}`). Refusal PAGE_TOKEN_INVALID."""
    names = [kind.name for kind in kinds]
    name, after = paging.texts_of(page.cursor, (names[0], ""))
    if name not in names:
        raise invalid("page_token", "was not issued for these arguments", reason="PAGE_TOKEN_INVALID")
    found: list[PersonalRecord] = []
    for kind in kinds[names.index(name) :]:
        values = {"user": user, "after": after, "room": page.size + 1 - len(found)}
        rows = await tx.fetch_all(_statement(kind.query), values)
        found += [PersonalRecord(kind.name, row.key, row.content) for row in rows]
        if len(found) > page.size:
            last = found[page.size - 1]
            return Page(tuple(found[: page.size]), (last.kind, last.key))
        after = ""
    return Page(tuple(found), None)


@lru_cache(maxsize=100)
def _statement(query: str) -> Any:
    binds = (sa.bindparam("user", type_=sa.Text), sa.bindparam("after", type_=sa.Text))
    return sa.text(_PAGE.format(query=query)).bindparams(*binds, sa.bindparam("room", type_=sa.BigInteger))


@dataclass(frozen=True, slots=True)
class ListRecords:
    """What is kept about `user`."""

    user: str
    page: PageRequest


class PersonalRecords:
    """Answers the method that lists them."""

    def __init__(self, database: Database, kinds: Sequence[Kind]) -> None:
        self._database = database
        self._kinds = kinds

    async def list(self, _call: Call, query: ListRecords) -> Page[PersonalRecord]:
        """A page of them. Refusal PAGE_TOKEN_INVALID."""
        return await self._database.read(lambda tx: records(tx, self._kinds, query.user, query.page))


def list_query(request: Any) -> ListRecords:
    """Decodes the request of such a method. Refusal PAGE_TOKEN_INVALID."""
    return ListRecords(request.parent, paging.page_request(request))


def list_response(request: Any, answer: Callable[..., Any]) -> Callable[[Page[PersonalRecord]], Any]:
    """Encodes a page of records as `answer`; its token is bound to the request."""

    def encode(page: Page[PersonalRecord]) -> Any:
        return answer(
            records=[
                personal_data_pb2.PersonalRecord(kind=each.kind, key=each.key, content=each.content)
                for each in page.items
            ],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode
