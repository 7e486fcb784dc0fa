"""The schema, up and down, and as the code believes it to be."""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlalchemy.dialects import postgresql

from chassis import migrations, schema
from chassis.testing import PostgresServer
from services.gating.adapters.tables import METADATA

PACKAGE = "services.gating.migrations"
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
    assert named <= indexes
