"""How the timers of each service are found: those of one kind without reading those of the others."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import asyncpg
import pytest

from chassis import migrations
from chassis.testing import PostgresServer
from chassis.timers import CLAIM, CONCURRENCY
from tests.integration.chassis.test_outbox import rows_read

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OTHERS, WANTED = 5_000, 3
_FILL = (
    "INSERT INTO timer (kind, key, due_time, payload, visible_time) "
    "SELECT $1, to_char(n, 'FM00000'), $2, '{}', $2 FROM generate_series(1, $3) AS n"
)


@pytest.mark.parametrize("service", ["gating", "orders", "offers", "messaging"])
async def test_timers_of_a_kind_are_found_beside_thousands_that_are_due(
    postgres_server: PostgresServer, service: str
) -> None:
    # One of its own: it leaves statistics behind that would mislead other tests.
    database = await postgres_server.create_database()
    try:
        await migrations.upgrade(f"services.{service}.migrations", postgres_server.dsn(database))
        connection = await asyncpg.connect(postgres_server.dsn(database))
        try:
            await connection.execute(_FILL, "others", NOW.replace(hour=1), OTHERS)
            await connection.execute(_FILL, "wanted", NOW, WANTED)
            await connection.execute("VACUUM (ANALYZE) timer")
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {CLAIM}"
            until = NOW.replace(hour=13)
            plan = await connection.fetchval(explain, "claim", until, NOW, ["wanted"], CONCURRENCY, [])
        finally:
            await connection.close()
    finally:
        await postgres_server.drop_database(database)
    [found] = json.loads(plan)
    assert found["Plan"]["Actual Rows"] == WANTED
    assert rows_read(found["Plan"]) < 10 * WANTED
