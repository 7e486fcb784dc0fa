"""The record of changes on the wire."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from chassis.kernel.clock import utc_text
from chassis.kernel.money import Money
from chassis.kernel.page import Page
from chassis.paging import next_page_token, page_request
from chassis.wire import timestamp
from parley.orders.v1 import audit_pb2
from services.orders.app.audit import ListAuditEntries
from services.orders.domain.audit import AuditEntry, CauseKind, Operation, Party

_OPERATIONS = {one: audit_pb2.AuditEntry.Operation.Value(f"OPERATION_{one.value}") for one in Operation}
_KINDS = {one: audit_pb2.AuditCause.Kind.Value(f"KIND_{one.value}") for one in CauseKind}
_PARTIES = {one: audit_pb2.AuditCause.Party.Value(f"PARTY_{one.value}") for one in Party}
_AMOUNT: Final = re.compile(r"(-?\d+) ([A-Z]{3})")
_TIMES: Final = ("_time", "_at", "_since", "_until")
_AMOUNTS: Final = frozenset({"total", "refunded", "amount", "price", "balance"})


def list_audit_entries_query(request: audit_pb2.ListAuditEntriesRequest) -> ListAuditEntries:
    """Whose record. Refusal PAGE_TOKEN_INVALID."""
    return ListAuditEntries(request.parent, page_request(request))


def list_audit_entries_response(
    page: Page[AuditEntry], request: audit_pb2.ListAuditEntriesRequest
) -> audit_pb2.ListAuditEntriesResponse:
    """A page of the record; its token is bound to `request`."""
    return audit_pb2.ListAuditEntriesResponse(
        audit_entries=[_entry(one) for one in page.items],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def _entry(entry: AuditEntry) -> audit_pb2.AuditEntry:
    cause = entry.cause
    return audit_pb2.AuditEntry(
        name=entry.name,
        resource=entry.resource,
        version=entry.version,
        operation=_OPERATIONS[entry.operation],
        changes=[
            *(
                audit_pb2.AuditChange(
                    field=name,
                    before=_text(name, entry.before.get(name)),
                    after=_text(name, entry.after.get(name)),
                )
                for name in entry.fields
            ),
            *(audit_pb2.AuditChange(field=name, concealed=True) for name in entry.concealed),
        ],
        cause=audit_pb2.AuditCause(
            kind=_KINDS[cause.kind],
            action=cause.action,
            party=_PARTIES[entry.party],
            principal=cause.principal,
            request_id=cause.request_id,
            trace_id=cause.trace_id,
            event_id=cause.event_id,
        ),
        create_time=timestamp(entry.time),
    )


def _text(name: str, value: object) -> str | None:
    """A recorded value in the form that the contract promises."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    amount = _AMOUNT.fullmatch(text) if name in _AMOUNTS else None
    if amount is not None:
        return str(Money(amount[2], int(amount[1])))
    if name.endswith(_TIMES):
        return utc_text(datetime.fromisoformat(text))
    return text
