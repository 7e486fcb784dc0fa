"""The schema of a service: bring it to the newest revision, and tell cheaply whether it is there.

A service's `migrations` package holds `versions/NNNN_*.py` in alembic's format and nothing else; there is no
`env.py`, because this module is the environment. alembic is imported only where something is migrated, so
that a running service does not carry it. alembic keeps its environment in its modules: one
migration at a time in a process.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from chassis import row_security

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.ext.asyncio import AsyncEngine

VERSION_TABLE = "alembic_version"
FIND_VERSION_TABLE = text(f"SELECT to_regclass('{VERSION_TABLE}')::text AS found")
CURRENT_VERSION = text(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 -- a constant of ours
LOCK_TIMEOUT_SECONDS = 10
# Two processes that create the version table at the same time: one of them fails and finds the work done.
ATTEMPTS = 3


class MigrationError(Exception):
    """The migrations of a service cannot be read or applied."""


def folder_of(package: str) -> Path:
    """The folder of a migrations package such as `services.offers.migrations`; MigrationError without one."""
    spec = importlib.util.find_spec(package)
    locations = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not locations or not Path(locations[0], "versions").is_dir():
        raise MigrationError(f"{package} is no package with a folder `versions`")
    return Path(locations[0])


def head_of(package: str) -> str:
    """The newest revision of a package, read without running it; MigrationError unless there is exactly
    one.
    """
    revisions = revisions_of(package)
    heads = set(revisions) - {str(parent) for parent in revisions.values() if parent is not None}
    if len(heads) != 1:
        raise MigrationError(f"{package} has {len(heads)} newest revisions instead of one: {sorted(heads)}")
    return heads.pop()


@lru_cache(maxsize=16)
def revisions_of(package: str) -> Mapping[str, object]:
    """Every revision of a package with the one before it, read without running any."""
    revisions: dict[str, object] = {}
    for file in sorted((folder_of(package) / "versions").glob("*.py")):
        values = _constants(file)
        if "revision" in values:
            revisions[str(values["revision"])] = values.get("down_revision")
    return revisions


def _constants(file: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in ast.parse(file.read_text("utf-8")).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant):
            found[target.id] = value.value
    return found


async def upgrade(package: str, dsn: str, target: str = "head") -> str:
    """Bring the database at `dsn` to `target` and answer the revision it has then; a database at it is
    untouched.
    """
    return await _migrate(package, dsn, target, forwards=True)


async def downgrade(package: str, dsn: str, target: str = "base") -> str:
    """Take the database at `dsn` back to `target` and answer the revision it has then (empty at `base`)."""
    return await _migrate(package, dsn, target, forwards=False)


async def _migrate(package: str, dsn: str, target: str, *, forwards: bool) -> str:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(_async_dsn(dsn))
    try:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await _migrate_once(engine, folder_of(package), target, forwards)
            except (IntegrityError, ProgrammingError):
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("the last attempt either returns or raises")
    finally:
        await engine.dispose()


async def _migrate_once(engine: AsyncEngine, folder: Path, target: str, forwards: bool) -> str:
    async with engine.begin() as connection:
        await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
        # Rows that a migration moves may be under row-level security.
        await connection.execute(text(row_security.set_statement(row_security.PROCESS)))
        return await connection.run_sync(_apply, folder, target, forwards)


def _apply(connection: Connection, folder: Path, target: str, forwards: bool) -> str:
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(revision: Any, _context: MigrationContext) -> Any:
        move = script._upgrade_revs if forwards else script._downgrade_revs  # noqa: SLF001 -- what alembic's own commands call
        return move(target, revision)

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        with environment.begin_transaction():
            environment.run_migrations()
    return MigrationContext.configure(connection).get_current_revision() or ""


def _async_dsn(dsn: str) -> str:
    scheme, separator, rest = dsn.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise MigrationError("the DSN does not begin with postgresql://")
    return f"postgresql+asyncpg://{rest}"
