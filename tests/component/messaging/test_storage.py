"""The schema, up and down, and as the code believes it to be."""

from __future__ import annotations

import asyncpg

from chassis import migrations, schema
from chassis.testing import Backends
from services.messaging.__main__ import DEFINITION
from services.messaging.adapters.tables import METADATA

COLUMNS = "SELECT column_name, is_nullable FROM information_schema.columns WHERE table_name = $1"
INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'"
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"


async def test_the_migrations_make_the_tables_that_the_code_uses_and_remove_them(backends: Backends) -> None:
    package = DEFINITION.migrations
    dsn = await backends.database(package)
    connection = await asyncpg.connect(dsn)
    try:
        for table in (*METADATA.tables.values(), *schema.METADATA.tables.values()):
            found = {tuple(row) for row in await connection.fetch(COLUMNS, table.name)}
            assert found == {(column.name, "YES" if column.nullable else "NO") for column in table.columns}, (
                table.name
            )
        named = {str(index.name) for table in METADATA.tables.values() for index in table.indexes}
        assert named <= {row["indexname"] for row in await connection.fetch(INDEXES)}
        assert await migrations.downgrade(package, dsn) == ""
        assert [row["table_name"] for row in await connection.fetch(TABLES)] == ["alembic_version"]
        # Another test gets this database.
        assert await migrations.upgrade(package, dsn) == migrations.head_of(package)
    finally:
        await connection.close()
