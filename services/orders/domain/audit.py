"""Who changed what in an order or a subscription: what is recorded, and how much of it each party may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import Actor


class Operation(StrEnum):
    """What was done to a resource."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    REMOVED = "REMOVED"


class CauseKind(StrEnum):
    """What made a change happen; UNSPECIFIED where it came from outside of the service."""

    UNSPECIFIED = "UNSPECIFIED"
    CALL = "CALL"
    EVENT = "EVENT"
    TIMER = "TIMER"
    PROCESS = "PROCESS"


class Party(StrEnum):
    """On whose side a cause is."""

    UNSPECIFIED = "UNSPECIFIED"
    BUYER = "BUYER"
    SELLER = "SELLER"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"


BUYER_SEES: Final[Mapping[str, frozenset[str]]] = {
    "orders": frozenset(
        {
            "package",
            "intake",
            "kind",
            "state",
            "total",
            "line_items",
            "plan",
            "payment_method",
            "payment_state",
            "payment_token",
            "delivery_days",
            "start_time",
            "clock_start_time",
            "delivery_due_time",
            "offer",
            "requirements",
            "options",
            "refunded",
            "price_agreed_elsewhere",
            "decline_reason",
            "decline_text",
            "billing_address",
            "delivery_address",
            "begin_time",
            "deliveries",
            "auto_complete_time",
            "complete_time",
            "cancel_reason",
            "cancelled_by",
            "cancel_text",
        }
    ),
    "subscription": frozenset(
        {
            "package",
            "plan",
            "next_plan",
            "time_zone",
            "payment_method",
            "payment_token",
            "start_time",
            "activate_time",
            "number",
            "period_begin",
            "period_end",
            "price",
            "balance",
            "cancel_at",
            "cancelled_by",
            "pause_at",
            "paused_since",
            "resume_at",
            "past_due_since",
            "retry_at",
            "grace_until",
            "ended_at",
            "end_reason",
            "bucket",
        }
    ),
    "payment": frozenset({"purpose", "sequence", "amount", "state", "provider", "token", "capture_time"}),
    "payment_refund": frozenset({"number", "amount", "reason", "state", "failure_code", "resolve_time"}),
    "payment_attempt": frozenset({"number", "outcome", "decline_code", "submit_time", "resolve_time"}),
}
"""The fields that a buyer may see, by table. What is not named, new fields included, is the team's affair."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something changed, as it was recorded."""

    kind: CauseKind = CauseKind.UNSPECIFIED
    action: str = ""
    principal: str = ""
    teams: tuple[str, ...] = ()
    request_id: str = ""
    trace_id: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. `before` and `after` hold the fields that changed, `concealed` the names of those whose
    contents are not kept. `source` is the table.
    """

    id: str
    subject: str
    resource: str
    source: str
    version: int
    time: datetime
    operation: Operation
    before: Mapping[str, object]
    after: Mapping[str, object]
    concealed: tuple[str, ...]
    cause: Cause
    party: Party = Party.UNSPECIFIED

    @property
    def name(self) -> str:
        """`orders/{order}/auditEntries/{audit_entry}`, or that of a subscription."""
        return f"{self.subject}/auditEntries/{self.id}"

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields with contents that changed, in the order of the alphabet."""
        return tuple(sorted({*self.before, *self.after}))


def party_of(cause: Cause, *, buyer: str, seller: str) -> Party:
    """Whose doing it was."""
    match cause.kind:
        case CauseKind.UNSPECIFIED:
            return Party.UNSPECIFIED
        case CauseKind.CALL:
            if cause.principal == buyer:
                return Party.BUYER
            if seller in cause.teams:
                return Party.SELLER
            return Party.SYSTEM if cause.principal.startswith("services/") else Party.OPERATOR
        case _:
            return Party.SYSTEM


def as_seen(entry: AuditEntry, *, actor: Actor, buyer: str, seller: str) -> AuditEntry:
    """The entry as `actor` may see it; one that holds nothing for him must have been left out before."""
    party = party_of(entry.cause, buyer=buyer, seller=seller)
    entry = replace(entry, party=party, cause=_cause_as_seen(entry.cause, party, actor))
    if actor is not Actor.BUYER:
        return entry
    seen = BUYER_SEES.get(entry.source, frozenset())
    return replace(
        entry,
        before={name: value for name, value in entry.before.items() if name in seen},
        after={name: value for name, value in entry.after.items() if name in seen},
        concealed=tuple(name for name in entry.concealed if name in seen),
    )


def _cause_as_seen(cause: Cause, party: Party, actor: Actor) -> Cause:
    own = {Actor.BUYER: Party.BUYER, Actor.SELLER: Party.SELLER}.get(actor)
    if actor is Actor.OPERATOR or party is own:
        return cause
    if actor is Actor.SELLER and party is Party.SYSTEM:
        return cause
    # The team knows the buyer; nobody else learns a person of the other side.
    named = actor is Actor.SELLER and party is Party.BUYER
    return Cause(cause.kind, cause.action, cause.principal if named else "")
