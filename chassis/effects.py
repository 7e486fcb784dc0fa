"""What a transaction leaves behind beside its own rows (events, timers, the stored answer), written in one
statement.

A round trip costs more than the rows do, so everything goes in one statement of data-modifying CTEs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql.expression import Executable

from chassis.audit import SETTING
from chassis.envelope import Delivery, EventRecord
from chassis.idempotency import IdempotencyKey
from chassis.statements import DIALECT, bound

T = TypeVar("T")

MAX_EVENTS: Final = 1_000
"""Events that one transaction may record."""
MAX_EVENT_BYTES: Final = 900_000
"""An encoded event, headers left out; the stream would refuse more, and hold up its aggregate for good."""

_OUTBOX = (
    "INSERT INTO outbox (event_id, aggregate, version, type, subject, time, traceparent, body) "
    "SELECT event.* FROM {source}unnest({0}::text[], {1}::text[], {2}::bigint[], {3}::text[], {4}::text[], "
    "{5}::timestamptz[], {6}::text[], {7}::bytea[]) AS event"
)
_SCHEDULE = (
    "INSERT INTO timer (kind, key, due_time, visible_time, payload) "
    "SELECT due.kind, due.key, due.time, due.time, due.payload::jsonb "
    "FROM {source}unnest({0}::text[], {1}::text[], {2}::timestamptz[], {3}::text[]) "
    "AS due (kind, key, time, payload) ON CONFLICT (kind, key) DO UPDATE SET due_time = excluded.due_time, "
    "visible_time = excluded.visible_time, payload = excluded.payload, attempts = 0, claim = ''"
)
_UNSCHEDULE = (
    "DELETE FROM timer USING {source}unnest({0}::text[], {1}::text[]) AS gone (kind, key) "
    "WHERE timer.kind = gone.kind AND timer.key = gone.key"
)
_BESIDE = "{0} FROM {{source}}(SELECT 1) AS once ON CONFLICT DO NOTHING"
_ANSWER = "UPDATE idempotency SET answer = {0} WHERE principal = {1} AND method = {2} AND key = {3}"
_GRANT = (
    "INSERT INTO idempotency (principal, method, key, fingerprint, answer, create_time) "
    "VALUES ({0}, {1}, {2}, {3}, {4}, {5}) ON CONFLICT DO NOTHING RETURNING 1"
)
# Refused by the primary key where the other one leaves it: by then the guard has changed something.
_GRANT_OR_FAIL = (
    "INSERT INTO idempotency (principal, method, key, fingerprint, answer, create_time) "
    "SELECT {0}::text, {1}::text, {2}::text, {3}::bytea, {4}::bytea, {5}::timestamptz FROM part_0"
)
_TAKE_IN = (
    "INSERT INTO inbox (consumer, event_id, receive_time) VALUES ({0}, {1}, {2}) "
    "ON CONFLICT DO NOTHING RETURNING 1"
)
_HAPPENED = "SELECT count(*) FROM part_0"
_HAPPENED_BY = "SELECT count(*), set_config({0}, {1}, true) FROM part_0"


@dataclass(frozen=True, slots=True)
class TimerSetting:
    """A timer to set."""

    due: datetime
    payload: Mapping[str, Any]


@dataclass(slots=True)
class Effects:
    """Collected while a transaction works. The last word on a timer counts."""

    events: list[Any] = field(default_factory=list)
    timers: dict[tuple[str, str], TimerSetting | None] = field(default_factory=dict)

    def record(self, events: Sequence[Any]) -> None:
        """Adds events; ValueError past `MAX_EVENTS`."""
        self.events.extend(events)
        if len(self.events) > MAX_EVENTS:
            raise ValueError(f"a transaction records at most {MAX_EVENTS} events")


@dataclass(frozen=True, slots=True)
class Single(Generic[T]):
    """A command, or a reaction, whose whole effect is known before any row is read: plain inserts, events
    and timers.

    `inserts` names every column of each new row; `timers` are (kind, key, due, payload). `guard` is for what
    was decided by a row that was read without a lock: a statement that changes the row and answers one row
    where it is still the same, and none, so that nothing happens, where it is not.
    """

    result: T
    inserts: Sequence[tuple[sa.Table, Mapping[str, Any]]]
    events: Sequence[Any] = ()
    timers: Sequence[tuple[str, str, datetime, Mapping[str, Any]]] = ()
    guard: tuple[Executable, Mapping[str, Any]] | None = None


class _Script:
    """Parts of one statement and their arguments, numbered as they come."""

    __slots__ = ("arguments", "shape")

    def __init__(self) -> None:
        self.shape: list[tuple[str, int]] = []
        self.arguments: list[Any] = []

    def add(self, template: str, *arguments: Any) -> None:
        self.shape.append((template, len(arguments)))
        self.arguments.extend(arguments)


def flush_statement(
    effects: Effects,
    encode: Callable[[Any], EventRecord],
    *,
    key: IdempotencyKey | None = None,
    answer: bytes | None = None,
) -> tuple[str, list[Any]] | None:
    """The statement that ends a transaction; None when there is nothing to write."""
    script = _Script()
    _add_effects(script, effects, encode)
    if key is not None:
        script.add(_ANSWER, answer, key.principal, key.method, key.key)
    if not script.shape:
        return None
    return _text(tuple(script.shape), source="", result="SELECT 1"), script.arguments


def single_statement(
    single: Single[Any],
    encode: Callable[[Any], EventRecord],
    *,
    now: datetime,
    key: IdempotencyKey | None = None,
    answer: bytes = b"",
    delivery: Delivery | None = None,
    cause: str = "",
) -> tuple[str, list[Any]]:
    """The one statement that is a whole command, or the whole reaction to a `delivery`. It answers how often
    the effect happened: once, or not at all when the key was taken or the event taken in before, or when the
    guard has found a change; behind a guard, a key that was taken breaks ``pk_idempotency``. `cause` is what
    the triggers of `chassis.audit` are told. ValueError for a guard before a reaction: its event would not be
    taken in.
    """
    if single.guard is not None and delivery is not None:
        raise ValueError("a reaction has no guard")
    script = _Script()
    if single.guard is not None:
        guard, values = bound(*single.guard)
        script.add(guard.replace("{", "{{").replace("}", "}}"), *values)
        if key is not None:
            script.add(_GRANT_OR_FAIL, key.principal, key.method, key.key, key.fingerprint, answer, now)
    elif delivery is not None:
        script.add(_TAKE_IN, delivery.consumer, delivery.event_id, now)
    elif key is not None:
        script.add(_GRANT, key.principal, key.method, key.key, key.fingerprint, answer, now)
    else:
        script.add("SELECT 1")
    for table, row in single.inserts:
        insert, values = _insert(table, row)
        script.add(f"{insert} FROM part_0", *values)
    timers = {(kind, name): TimerSetting(due, payload) for kind, name, due, payload in single.timers}
    _add_effects(script, Effects(list(single.events), dict(timers)), encode)
    result = _HAPPENED
    if cause:
        # Triggers run when the whole statement is through, and see what it set.
        script.arguments += [SETTING, cause]
        last = len(script.arguments)
        result = _HAPPENED_BY.format(f"${last - 1}", f"${last}")
    return _text(tuple(script.shape), source="part_0, ", result=result), script.arguments


def _add_effects(script: _Script, effects: Effects, encode: Callable[[Any], EventRecord]) -> None:
    if effects.events:
        records = [encode(event) for event in effects.events]
        bodies = [record.message.SerializeToString() for record in records]
        if max(map(len, bodies)) > MAX_EVENT_BYTES:
            raise ValueError(f"an event has at most {MAX_EVENT_BYTES} bytes")
        script.add(
            _OUTBOX,
            [record.event_id for record in records],
            [record.aggregate for record in records],
            [record.version for record in records],
            [record.type for record in records],
            [record.subject for record in records],
            [record.time for record in records],
            [record.traceparent for record in records],
            bodies,
        )
        for table, row in (pair for record in records for pair in record.rows):
            insert, values = _insert(table, row)
            script.add(_BESIDE.format(insert), *values)
    timers = [(name, setting) for name, setting in effects.timers.items() if setting is not None]
    if timers:
        script.add(
            _SCHEDULE,
            [kind for (kind, _), _ in timers],
            [key for (_, key), _ in timers],
            [setting.due for _, setting in timers],
            [json.dumps(dict(setting.payload)) for _, setting in timers],
        )
    gone = [name for name, setting in effects.timers.items() if setting is None]
    if gone:
        script.add(_UNSCHEDULE, [kind for kind, _ in gone], [key for _, key in gone])


def _insert(table: sa.Table, row: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """An insert of one row by a SELECT that lacks its FROM, and its arguments."""
    text, processors = _insert_text(table, tuple(row))
    return text, [v if p is None else p(v) for v, p in zip(row.values(), processors, strict=True)]


@lru_cache(maxsize=512)
def _insert_text(table: sa.Table, columns: tuple[str, ...]) -> tuple[str, list[Any]]:
    """The text, and what each value passes through."""
    used = [table.c[name] for name in columns]
    quote = DIALECT.identifier_preparer.quote
    names = ", ".join(quote(column.name) for column in used)
    # A parameter of a SELECT has no column to take its type from.
    values = ", ".join(f"{{{index}}}::{column.type.compile(DIALECT)}" for index, column in enumerate(used))
    processors = [column.type._cached_bind_processor(DIALECT) for column in used]  # noqa: SLF001
    target = DIALECT.identifier_preparer.format_table(table)
    # Identifiers come from our own tables, and every value is a parameter.
    return f"INSERT INTO {target} ({names}) SELECT {values}", processors


@lru_cache(maxsize=512)
def _text(shape: tuple[tuple[str, int], ...], *, source: str, result: str) -> str:
    parts: list[str] = []
    first = 1
    for index, (template, count) in enumerate(shape):
        numbers = [f"${number}" for number in range(first, first + count)]
        parts.append(f"part_{index} AS ({template.format(*numbers, source=source)})")
        first += count
    return f"WITH {', '.join(parts)} {result}"
