"""Who changed what, by which cause: a record that the database keeps by itself.

A table that is followed (`follow`, in a migration) has a trigger that writes one row of ``audit_entry`` for
every change of one of its rows: the changed fields before and after, and the cause. No path can leave it out,
a hand at the database's own console included, which is recorded without a cause. Every transaction of
`Database` names its cause in the round trip that begins it, or inside the one statement that it consists of.
The record can be added to and read, never changed: triggers refuse everything else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from chassis.call import Call
from chassis.schema import metadata
from chassis.telemetry import current_scope

if TYPE_CHECKING:
    from chassis.envelope import Delivery

SETTING: Final = "parley.cause"
"""The setting of a transaction that holds its cause, as JSON."""

METADATA: Final = metadata()

audit_entry: Final = sa.Table(
    "audit_entry",
    METADATA,
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("resource", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("id", sa.Uuid(as_uuid=False), nullable=False, server_default=sa.text("gen_random_uuid()")),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("before", JSONB, nullable=False),
    sa.Column("after", JSONB, nullable=False),
    sa.Column("concealed", ARRAY(sa.Text), nullable=False),
    sa.Column("cause", JSONB, nullable=False),
    # The order in which they are read; within one transaction an order comes before its payments.
    sa.PrimaryKeyConstraint("subject", "time", "resource", "version", "id"),
)
"""`subject` is what is asked for (`orders/{order}`), `resource` the row itself, such as
`orders/{order}/payments/{payment}`, `source` its table. `concealed` names fields that changed and whose
contents are not kept.
"""

_REFUSE: Final = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or removed'
        USING ERRCODE = 'object_not_in_prerequisite_state';
END $$
"""
_GUARD: Final = (
    "CREATE TRIGGER refuse_audit_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
)
_FOLLOW: Final = """
CREATE OR REPLACE FUNCTION audit_<table>() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    cause jsonb := coalesce(nullif(current_setting('parley.cause', true), ''), '{}')::jsonb;
    was jsonb := '{}';
    becomes jsonb := '{}';
    rest_was jsonb;
    rest_becomes jsonb;
    hidden text[] := '{}';
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit_entry
            (subject, time, resource, version, source, operation, before, after, concealed, cause)
        VALUES (<new subject>, coalesce((cause ->> 'time')::timestamptz, clock_timestamp()), <new resource>,
            <new version>, '<table>', 'INSERT', '{}', jsonb_strip_nulls(<new fields>), '{}', cause - 'time');
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        -- What did not change is null in both, and left out with what is null in one of them.
        was := jsonb_strip_nulls(<old changes>);
        becomes := jsonb_strip_nulls(<new changes>);
        rest_was := to_jsonb(OLD) - ARRAY[<known>]::text[];
        rest_becomes := to_jsonb(NEW) - ARRAY[<known>]::text[];
        IF rest_was <> rest_becomes THEN
            hidden := ARRAY(SELECT key FROM jsonb_each(rest_was)
                WHERE value IS DISTINCT FROM rest_becomes -> key ORDER BY key);
        END IF;
        IF was = '{}' AND becomes = '{}' AND hidden = '{}' THEN
            RETURN NULL;
        END IF;
    ELSE
        was := jsonb_strip_nulls(<old fields>);
    END IF;
    INSERT INTO audit_entry
        (subject, time, resource, version, source, operation, before, after, concealed, cause)
    VALUES (<old subject>, coalesce((cause ->> 'time')::timestamptz, clock_timestamp()), <old resource>,
        CASE TG_OP WHEN 'UPDATE' THEN <new version> ELSE <old version> END, '<table>', TG_OP,
        was, becomes, hidden, cause - 'time');
    RETURN NULL;
END $$
"""


@dataclass(frozen=True, slots=True)
class Followed:
    """A table that is to be followed. Expressions are SQL over a row that is called `{row}`, the columns that
    they need must never change.
    """

    table: str
    subject: str
    """Whose record it belongs to, such as `'orders/' || {row}.order_id`."""
    resource: str
    """The name of the row's resource."""
    shown: Sequence[str]
    """Columns that are kept as they are. Of every other column, those of later migrations included, only the
    name is kept when it changes: it may hold a secret, a text or contact data.
    """
    computed: Mapping[str, str] = field(default_factory=dict)
    """Further fields, by name."""
    ignored: Sequence[str] = ()
    """Columns whose change is nothing that anybody did, such as bookkeeping."""
    version: str = "{row}.version"
    """The version of the row; `0` where it has none."""


def create(op: Any) -> None:
    """Makes the record, for the migration of a service (`op` is alembic's)."""
    METADATA.create_all(op.get_bind(), checkfirst=False)
    op.execute(_REFUSE)
    op.execute(_GUARD)


def drop(op: Any) -> None:
    """Removes what `create` made; tables are unfollowed before."""
    METADATA.drop_all(op.get_bind(), checkfirst=False)
    op.execute("DROP FUNCTION refuse_audit_change()")


def follow(op: Any, followed: Followed) -> None:
    """Records every change of a table from now on. Followed before: with these columns from now on."""
    op.execute(_follow_text(followed))
    table = followed.table
    op.execute(
        f"CREATE OR REPLACE TRIGGER audit_{table} AFTER INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION audit_{table}()"
    )


def unfollow(op: Any, table: str) -> None:
    """Records no further change of a table."""
    op.execute(f"DROP TRIGGER audit_{table} ON {table}")
    op.execute(f"DROP FUNCTION audit_{table}()")


def _follow_text(followed: Followed) -> str:
    fields = {**{name: f"{{row}}.{name}" for name in followed.shown}, **followed.computed}
    pairs = ", ".join(f"'{name}', {expression}" for name, expression in fields.items())
    known = ", ".join(f"'{name}'" for name in (*followed.shown, *followed.ignored))
    text = _FOLLOW.replace("<table>", followed.table).replace("<known>", known)
    changes = ", ".join(
        f"'{name}', CASE WHEN {_of(expression, 'OLD')} IS DISTINCT FROM {_of(expression, 'NEW')} "
        f"THEN {expression} END"
        for name, expression in fields.items()
    )
    parts = {
        "fields": f"jsonb_build_object({pairs})",
        "changes": f"jsonb_build_object({changes})",
        "subject": followed.subject,
        "resource": followed.resource,
        "version": followed.version,
    }
    for name, expression in parts.items():
        for row in ("old", "new"):
            text = text.replace(f"<{row} {name}>", f"({_of(expression, row.upper())})")
    return text


def _of(expression: str, row: str) -> str:
    return expression.replace("{row}", row)


# -------------------------------------------------------------------------------- causes


def cause_text(now: datetime, *, delivery: Delivery | None = None) -> str:
    """Why the running transaction changes something, as JSON: the call, event or timer that it serves."""
    scope = current_scope()
    cause: dict[str, Any] = {"time": now.isoformat()}
    if scope is None:
        return json.dumps(cause)
    cause["trace_id"] = scope.trace_id
    if isinstance(scope, Call):
        cause["kind"], cause["action"] = "CALL", scope.action
        if scope.principal:
            cause["principal"] = scope.principal
        if scope.caller.via:
            cause["via"] = scope.caller.via
        if scope.caller.teams:
            cause["teams"] = list(scope.caller.teams)
        if scope.idempotency is not None:
            cause["request_id"] = scope.idempotency.key
    elif delivery is not None:
        cause["kind"], cause["action"] = "EVENT", delivery.type
        cause["event_id"] = delivery.event_id
    elif scope.operation.startswith("timer "):
        cause["kind"], cause["action"] = "TIMER", scope.operation.removeprefix("timer ")
    else:
        cause["kind"], cause["action"] = "PROCESS", scope.operation
    return json.dumps(cause)


def set_statement(cause: str) -> str:
    """Tells the database the cause of the transaction that begins."""
    # JSON of `json.dumps` is ASCII; only the quote means something inside the quotes of SQL.
    quoted = cause.replace("'", "''")
    return f"SET LOCAL {SETTING} = '{quoted}'"
