"""Databases for tests: without a row, with the schema of a service.

Making one takes many times as long as emptying one, so a test's database is emptied and lent to the next.
Whoever changes a schema, or needs statistics that nobody else left behind, makes a database of his own.
"""

from __future__ import annotations

import asyncpg
import pytest

from chassis import migrations
from chassis.testing.backends import SERVICE_ROLE, PostgresServer

_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_EMPTY = """
DO $$
DECLARE
    tables text[] := ARRAY(
        SELECT oid::regclass FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0);
    large text[] := ARRAY(SELECT t FROM unnest(tables) t WHERE pg_relation_size(t::regclass) > 256 * 1024);
    one text;
BEGIN
    -- Neither rules about what may be removed, nor bookkeeping about what was.
    SET LOCAL session_replication_role = replica;
    IF cardinality(large) > 0 THEN
        -- What is only deleted from a table is read again and again by those who look through all of it.
        EXECUTE 'TRUNCATE ' || array_to_string(large, ', ') || ' CASCADE';
    END IF;
    FOREACH one IN ARRAY tables LOOP
        EXECUTE 'DELETE FROM ' || one;
    END LOOP;
    PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL;
END $$
"""


class Databases:
    """The migrated databases of one server: those that are lent, and those that wait to be."""

    def __init__(self, postgres: PostgresServer) -> None:
        self._postgres = postgres
        self._free: dict[str, list[str]] = {}
        self._lent: dict[str, str] = {}

    async def lend(self, package: str) -> str:
        """The DSN, for SERVICE_ROLE, of a database without a row, with the schema of a migrations package."""
        free = self._free.setdefault(package, [])
        name = free.pop() if free else await self._make(package)
        self._lent[name] = package
        return self._postgres.dsn(name, user=SERVICE_ROLE)

    async def take_back(self) -> None:
        """Empties whatever is lent, so that it can be lent again; ends the sessions that still use it."""
        while self._lent:
            name, package = self._lent.popitem()
            connection = await asyncpg.connect(self._postgres.dsn(name))
            try:
                await connection.execute(_END_SESSIONS)
                await connection.execute(_EMPTY)
            finally:
                await connection.close()
            self._free[package].append(name)

    async def _make(self, package: str) -> str:
        template = await self._postgres.template(package, lambda dsn: migrations.upgrade(package, dsn))
        return await self._postgres.create_database(template=template)


@pytest.fixture(scope="session")
def databases(postgres_server: PostgresServer) -> Databases:
    """The migrated databases of this test process."""
    return Databases(postgres_server)
