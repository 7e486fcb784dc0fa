"""The schema, up and down, and as the code believes it to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy.dialects import postgresql

from chassis import migrations, schema
from chassis.testing import PostgresServer
from services.gating.adapters.tables import METADATA

PACKAGE = "services.gating.migrations"
BEFORE_FACTS = """
INSERT INTO order_settings_version (seller, version, document, save_time)
VALUES ('sellers/acme', 1, '{"enabled": true}', '2026-06-01T12:00Z');
INSERT INTO confirmed_order VALUES ('orders/1', 'users/ana', 'sellers/acme', '2026-06-01T12:00Z');
INSERT INTO order_request (id, version, seller, buyer, package, state, snapshot, needs, decision, inquiries,
    decline_reason, decline_text, offer, order_name, ttl, first_response_time, create_time, update_time)
VALUES ('1', 2, 'sellers/acme', 'users/ana', 'sellers/acme/listings/logo/packages/basic', 'declined',
    '{}', '{}', '{"reason": "ALWAYS", "settings_version": 1}', '[]', 'BUDGET', '', '', '', '7 days',
    '2026-06-01T15:00Z', '2026-06-01T12:00Z', '2026-06-01T15:00Z')
"""
BEFORE_ANSWERS_WERE_DUE = """
INSERT INTO order_request (id, version, seller, buyer, package, state, snapshot, needs, decision, inquiries,
    decline_text, offer, order_name, ttl, remaining, first_response_time, create_time, update_time)
VALUES ('2', 2, 'sellers/acme', 'users/ana', 'sellers/acme/listings/logo/packages/basic', 'info_requested',
    '{}', '{}', '{}', '[]', '', '', '', '7 days', '6 days',
    '2026-06-01T15:00Z', '2026-06-01T12:00Z', '2026-06-01T15:00Z')
"""
COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
    " WHERE table_schema = 'public' AND table_name <> 'alembic_version'"
)
INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"


async def query(server: PostgresServer, database: str, statement: str) -> list[Any]:
    connection = await asyncpg.connect(server.dsn(database))
    try:
        found: list[Any] = await connection.fetch(statement)
        return found
    finally:
        await connection.close()


async def test_up_and_down(postgres_server: PostgresServer) -> None:
    database = await postgres_server.create_database()
    dsn = postgres_server.dsn(database)
    try:
        assert await migrations.upgrade(PACKAGE, dsn) == migrations.head_of(PACKAGE)
        assert await query(postgres_server, database, COLUMNS)
        assert await migrations.downgrade(PACKAGE, dsn) == ""
        assert await query(postgres_server, database, COLUMNS) == []
        assert await migrations.upgrade(PACKAGE, dsn) == migrations.head_of(PACKAGE)
    finally:
        await postgres_server.drop_database(database)


async def test_the_tables_are_what_the_code_believes(postgres_server: PostgresServer) -> None:
    database = await postgres_server.create_database()
    try:
        await migrations.upgrade(PACKAGE, postgres_server.dsn(database))
        columns = {tuple(row) for row in await query(postgres_server, database, COLUMNS)}
        indexes = {row["indexname"] for row in await query(postgres_server, database, INDEXES)}
    finally:
        await postgres_server.drop_database(database)
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    expected, named = set(), set()
    for table in (*METADATA.tables.values(), *schema.METADATA.tables.values()):
        named |= {str(index.name) for index in table.indexes} | {f"pk_{table.name}"}
        for column in table.columns:
            kind = column.type.compile(dialect).lower()
            expected.add((table.name, column.name, kind, "YES" if column.nullable else "NO"))
    assert columns == expected
    # The first migration made it; timers are found by kind since a later one.
    assert named - {"ix_timer_visible_time"} <= indexes


async def test_what_was_known_before_facts_were_kept_becomes_facts(postgres_server: PostgresServer) -> None:
    database = await postgres_server.create_database()
    dsn = postgres_server.dsn(database)
    noon, later = datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2026, 6, 1, 15, tzinfo=UTC)
    try:
        await migrations.upgrade(PACKAGE, dsn, "0006")
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(BEFORE_FACTS)
            await migrations.upgrade(PACKAGE, dsn, "0015")
            await connection.execute(BEFORE_ANSWERS_WERE_DUE)
            await migrations.upgrade(PACKAGE, dsn)
            (waits,) = await connection.fetch(
                "SELECT key, due_time - now() AS left FROM timer JOIN order_request ON id = key "
                "WHERE kind = 'order_request_answer' AND due_time = answer_expire_time"
            )
            facts = await connection.fetch("SELECT kind, about FROM metric_fact ORDER BY about, version")
            (request,) = await connection.fetch("SELECT * FROM metric_request")
            (order,) = await connection.fetch("SELECT * FROM metric_order")
        finally:
            await connection.close()
    finally:
        await postgres_server.drop_database(database)
    assert waits["key"] == "2"
    assert timedelta(days=29) < waits["left"] <= timedelta(days=30)
    assert [tuple(fact) for fact in facts] == [
        ("request_submitted", "orderRequests/1"),
        ("request_declined", "orderRequests/1"),
        ("order_confirmed", "orders/1"),
        ("settings_saved", "sellers/acme/orderSettings"),
    ]
    assert (request["listing"], request["gate_reason"]) == ("sellers/acme/listings/logo", "ALWAYS")
    assert (request["submit_time"], request["response_time"]) == (noon, later)
    assert request["decline_time"] == later
    assert (order["name"], order["confirm_time"]) == ("orders/1", noon)
