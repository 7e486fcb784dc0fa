"""The record of changes in PostgreSQL, which triggers write (`chassis.audit`)."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from chassis.audit import audit_entry
from chassis.db import Transaction
from chassis.kernel.page import Cursor, Page, PageRequest, page_of
from chassis.paging import cursor_of, keyset
from services.orders.domain.audit import BUYER_SEES, AuditEntry, Cause, CauseKind, Operation

_OPERATIONS: Final = {
    "INSERT": Operation.CREATED,
    "UPDATE": Operation.CHANGED,
    "DELETE": Operation.REMOVED,
}
_COLUMNS: Final = audit_entry.c
_KEY: Final = (_COLUMNS.time, _COLUMNS.resource, _COLUMNS.version, _COLUMNS.id)


def _holds_any(fields: frozenset[str]) -> sa.ColumnElement[bool]:
    names = sa.literal(sorted(fields), ARRAY(sa.Text))
    return sa.or_(
        _COLUMNS.before.has_any(names), _COLUMNS.after.has_any(names), _COLUMNS.concealed.op("&&")(names)
    )


_FOR_BUYER: Final = sa.or_(
    *(sa.and_(_COLUMNS.source == source, _holds_any(fields)) for source, fields in BUYER_SEES.items())
)


class AuditRepository:
    """Implements the port `AuditRecord`."""

    async def page(
        self, tx: Transaction, subject: str, request: PageRequest, *, for_buyer: bool
    ) -> Page[AuditEntry]:
        """The changes of `subject`, oldest first."""
        statement = sa.select(audit_entry).where(_COLUMNS.subject == subject)
        if for_buyer:
            statement = statement.where(_FOR_BUYER)
        rows = await tx.fetch_all(keyset(statement, _KEY, request))
        return page_of([_read(row) for row in rows], request, _cursor)


def _cursor(entry: AuditEntry) -> Cursor:
    return cursor_of(entry.time, entry.resource, entry.version, entry.id)


def _read(row: Any) -> AuditEntry:
    cause = row.cause
    return AuditEntry(
        id=str(row.id),
        subject=row.subject,
        resource=row.resource,
        source=row.source,
        version=row.version,
        time=row.time,
        operation=_OPERATIONS[row.operation],
        before=row.before,
        after=row.after,
        concealed=tuple(row.concealed),
        cause=Cause(
            CauseKind(cause.get("kind", "UNSPECIFIED")),
            cause.get("action", ""),
            cause.get("principal", ""),
            tuple(cause.get("teams", ())),
            cause.get("request_id", ""),
            cause.get("trace_id", ""),
            cause.get("event_id", ""),
        ),
    )
