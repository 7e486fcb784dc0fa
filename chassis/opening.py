"""Opening the database of a service: not before its schema is the one that the code expects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chassis import migrations, row_security, telemetry
from chassis.config import StorageConfig
from chassis.db import Database, Transaction
from chassis.envelope import EventRecord
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import Refusal

if TYPE_CHECKING:
    from chassis.host import Definition

START_SECONDS = 60.0
START_PAUSE_SECONDS = 0.25

_log = telemetry.logger("opening")


class StartError(Exception):
    """The process cannot start; the text says why and what to do."""


async def open_database(
    definition: Definition[Any],
    config: StorageConfig,
    *,
    clock: Clock,
    encode: Callable[[Any], EventRecord],
    seconds: float = START_SECONDS,
) -> Database:
    """The database of a service, once it can be reached and its schema is the one that this code expects.

    StartError when that is not so after `seconds`.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    database: Database | None = None
    while True:
        try:
            database = database or await Database.open(
                config.dsn.reveal(),
                clock=clock,
                encode_event=encode,
                pool_size=config.database_pool_size,
                audited=definition.audited,
                guarded=definition.guarded,
            )
            problem = await schema_problem(definition, database)
            if definition.guarded and not problem:
                await _warn_where_bypassed(database)
        except Refusal:
            problem = "the database cannot be reached"
        except (ValueError, OSError) as error:
            raise StartError(f"the DSN of {definition.name} cannot be used: {error}") from error
        if not problem and database is not None:
            return database
        if loop.time() >= until:
            if database is not None:
                await database.close()
            raise StartError(f"{definition.name}: {problem}")
        _log.warning("waiting_for_database", problem=problem)
        await asyncio.sleep(START_PAUSE_SECONDS)


async def schema_problem(definition: Definition[Any], database: Database) -> str:
    """Why the schema is not the one that this code expects, empty if it is.

    A revision that this code does not know is newer than it, which the order expand, deploy, contract allows.
    """
    head, known = migrations.head_of(definition.migrations), migrations.revisions_of(definition.migrations)

    async def current(tx: Transaction) -> str:
        table = await tx.scalar(migrations.FIND_VERSION_TABLE)
        return "" if table is None else str(await tx.scalar(migrations.CURRENT_VERSION) or "")

    revision = await database.read(current)
    if revision == head or (revision and revision not in known):
        return ""
    at = f"is at {revision}" if revision else "is empty"
    return f"the schema {at}, {head} is needed: run `python -m services.{definition.name} migrate`"


async def _warn_where_bypassed(database: Database) -> None:
    async with database.connection() as connection:
        if await connection.fetchval(row_security.BYPASSED):
            _log.warning("row_security_bypassed")
