"""How PostgreSQL finds what is kept about a person: by an index of him, whatever else there is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from chassis import personal_data
from chassis.erasure import bound
from chassis.testing import Backends
from services.gating.adapters import personal_data as of_gating
from services.messaging.adapters import erasure_repository as of_erasures
from services.messaging.adapters import old_conversations as of_conversations
from services.messaging.adapters import personal_data as of_messaging
from services.offers.adapters import personal_data as of_offers
from services.orders.adapters import personal_data as of_orders

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_VALUES: Mapping[str, Any] = {
    "user": "users/ana",
    "after": "",
    "room": 50,
    "batch": 50,
    "keys": ["c"],
    "now": datetime(2026, 6, 1, tzinfo=UTC),
}
# Nothing is stored, so every way is as good as another; these are taken where there is no index alone.
_RELUCTANT = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off"
_FIRST_COLUMNS = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid, 1, true) AS first
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid WHERE relnamespace = 'public'::regnamespace
"""


def _kept(kinds: tuple[personal_data.Kind, ...]) -> list[Any]:
    return [personal_data._statement(kind.query) for kind in kinds]


STATEMENTS: Mapping[str, list[Any]] = {
    "gating": [*_kept(of_gating.KINDS), *map(bound, of_gating.ERASURES)],
    "offers": [*_kept(of_offers.KINDS), *map(bound, of_offers.ERASURES)],
    "orders": [*_kept(of_orders.KINDS), *map(bound, of_orders.ERASURES), bound(of_orders.HOLDS)],
    "messaging": [
        *_kept(of_messaging.KINDS),
        bound(of_messaging.UPLOADED),
        of_erasures._LOCK_OF_PERSON,
        of_erasures._ERASE_MESSAGES,
        *of_erasures._ERASE_ABOUT,
        *of_erasures._ERASE_REST,
        of_erasures._GIVE_UP_FILES,
        of_erasures._COUNT_FILES,
        *of_conversations._END,
        of_conversations._GIVE_UP_FILES,
    ],
}


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("service", STATEMENTS)
async def test_what_is_kept_about_a_person_is_found_by_an_index(backends: Backends, service: str) -> None:
    connection = await asyncpg.connect(await backends.database(f"services.{service}.migrations"))
    try:
        await connection.execute(_RELUCTANT)
        first = {row["name"]: row["first"] for row in await connection.fetch(_FIRST_COLUMNS)}
        for statement in STATEMENTS[service]:
            text = _written(statement)
            found = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {text}"))
            for node in nodes(found[0]["Plan"]):
                assert node["Node Type"] != "Seq Scan", json.dumps(found, indent=1)
                if "Index Name" in node:
                    column = first[node["Index Name"]].strip('()"')
                    assert column in node.get("Index Cond", ""), f"{node['Index Name']}: {text}"
    finally:
        await connection.close()


def _written(statement: sa.TextClause) -> str:
    values = {name: _VALUES[name] for name in statement._bindparams}
    filled = statement.bindparams(**values)
    return str(filled.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))
