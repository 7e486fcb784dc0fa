"""What errors of the database driver mean to a caller. They are logged, never shown."""

from __future__ import annotations

from typing import Final

import asyncpg

from chassis.kernel.refusal import Kind, Refusal, invalid
from chassis.telemetry import logger

_log = logger(__name__)

RETRY_AFTER_SECONDS: Final = 1.0
OUTBOX_VERSION_CONSTRAINT: Final = "uq_outbox_aggregate_version"

_CONTENTION = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
_UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    # What asyncpg makes of a server that ends the session while a statement is on its way.
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# PostgreSQL stores every character but one.
_UNSTORABLE = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
)
_FULL = (
    asyncpg.InsufficientResourcesError,
    asyncpg.TooManyConnectionsError,
)


class ConstraintError(Exception):
    """A write broke a constraint of the schema, named as in the migration. The transaction is over."""

    def __init__(self, constraint: str, table: str) -> None:
        super().__init__(f"{constraint} of {table}")
        self.constraint = constraint
        self.table = table


def is_contention(error: BaseException) -> bool:
    """Whether the same work may succeed when it is done again from the start."""
    if isinstance(error, ConstraintError):
        # Two writers took the same version of an aggregate: the loser decides anew on what the winner left.
        return error.constraint == OUTBOX_VERSION_CONSTRAINT
    return isinstance(error, _CONTENTION)


def translated(error: Exception) -> Exception:
    """The error that callers see instead: Refusal UNAVAILABLE or EXHAUSTED when the database cannot answer,
    ConstraintError for a broken constraint, the error itself when it is a defect of ours.
    """
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return ConstraintError(error.constraint_name or "", error.table_name or "")
    if isinstance(error, _UNSTORABLE):
        return invalid("", "text must not contain the character NUL")
    if isinstance(error, _FULL):
        return _refused(error, Kind.EXHAUSTED, "OVERLOADED")
    if isinstance(error, (*_UNREACHABLE, *_CONTENTION)) or _is_lost_connection(error):
        return _refused(error, Kind.UNAVAILABLE, "STORAGE_UNAVAILABLE")
    return error


def overloaded() -> Refusal:
    """Every connection of the pool is taken, and stayed so for as long as a call may wait."""
    _log.warning("connection_pool_exhausted")
    return Refusal(
        Kind.EXHAUSTED, "OVERLOADED", "too many calls at once", retry_after_seconds=RETRY_AFTER_SECONDS
    )


def _is_lost_connection(error: Exception) -> bool:
    # asyncpg has one error for misuse and for a connection that the server ended; only the text differs.
    text = str(error)
    return isinstance(error, asyncpg.InterfaceError) and (
        "clos" in text or "released back to the pool" in text
    )


def _refused(error: Exception, kind: Kind, reason: str) -> Refusal:
    _log.warning(
        "database_refused", error_type=type(error).__name__, sqlstate=getattr(error, "sqlstate", None)
    )
    return Refusal(kind, reason, "the storage cannot answer now", retry_after_seconds=RETRY_AFTER_SECONDS)
