"""What the database itself shows of a conversation, whatever a statement asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from chassis import row_security
from chassis.call import Call
from chassis.db import Database, Transaction
from chassis.kernel.caller import Caller, Relation, Role, Rule
from chassis.kernel.machine import Actor
from chassis.kernel.page import PageRequest
from chassis.kernel.refusal import Refusal
from chassis.statements import DIALECT
from chassis.testing import Backends
from services.messaging.adapters.conversation_repository import ConversationRepository
from services.messaging.adapters.timeline_repository import TimelineRepository
from services.messaging.app.ports import Selection
from services.messaging.domain.side import Seat, Side
from services.messaging.domain.timeline import FOR_THE_TEAM
from tests.component.messaging.conftest import Scene

ROOT = Path(__file__).parents[3] / "services" / "messaging"
PROTECTED = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND (
    relrowsecurity OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid
        AND attname = 'conversation_id' AND NOT attisdropped)) ORDER BY relname
"""
UNHELD = """
SELECT relname FROM pg_class WHERE relname = ANY($1) AND NOT (relrowsecurity AND relforcerowsecurity)
"""
COLUMNS = """
SELECT column_name AS name, data_type AS type FROM information_schema.columns
WHERE table_name = $1 AND is_identity = 'NO' AND is_nullable = 'NO'
"""
IDS = ("0190a000-0000-7000-8000-00000000000a", "0190a000-0000-7000-8000-00000000000b")
PEOPLE = (("ana", "acme", "bosch", "carl"), ("ben", "rival", "other", "dora"))
TIME = "2026-06-01T12:00Z"
BY_TYPE: Mapping[str, Any] = {
    **dict.fromkeys(("bigint", "integer"), 1),
    "ARRAY": [],
    "jsonb": [],
    "boolean": False,
}
# What a check demands, or what makes a row one that somebody may see.
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "attachment": {
        "kind": "other",
        "side": "buyer",
        "state": "sent",
        "message_id": IDS[0],
        "send_time": TIME,
    },
    "consent_decision": {"type": "MARKETING"},
    "contact_disclosure": {"means": "PHONE_REVEALED"},
    "conversation": {"state": "open"},
    "lead": {"source": "ORDER"},
    "magic_link": {"kind": "offer"},
    "mail": {"purpose": "notices", "state": "queued"},
    "message_translation": {"text": "Hallo", "engine": "x"},
    "notification": {"side": "buyer", "delivery": "each"},
    "received_mail": {"outcome": "REFUSED", "message_id": ""},
    "timeline_entry": {"kind": "public", "side": "buyer"},
    "webhook_delivery": {"state": "waiting"},
    "webhook_endpoint": {"state": "enabled"},
}
CONVERSATION = {"conversation", "timeline_entry", "message_translation", "attachment"}
OWN = {"conversation_copy", "received_mail", "consent_decision", "contact_disclosure"}
LOOKS_AT_ALL = re.compile(r"Sort|hashed|(Seq|Heap) Scan on (timeline_entry|conversation)\b")
SELF = Rule(Relation.SELF)


def call_of(user: str = "", rule: Rule = SELF, **caller: Any) -> Call:
    return Call("/x/Read", rule, caller=Caller(user=user, **caller))


ANA, CARL, STRANGER, NOBODY = (call_of(user) for user in ("users/ana", "users/carl", "users/eve", ""))
OTTO = call_of("users/otto", teams={"sellers/acme": Role.SELLER_AGENT})
BOSCH = call_of("users/bo", observers=frozenset({"observers/bosch"}))
ORDERS = call_of("services/orders", is_service=True)
PEER = call_of("services/orders", Rule(Relation.PARTY, frozenset({Role.SERVICE})), is_service=True)


def row_of(columns: list[asyncpg.Record], table: str, number: int) -> dict[str, Any]:
    """A row of one of the two conversations, as JSON."""
    (user, seller, observer, copy), own = PEOPLE[number], IDS[number]
    known = {
        **dict.fromkeys(("buyer", "user_name", "recipient", "author", "user"), f"users/{user}"),
        "seller": f"sellers/{seller}",
        "observer": f"observers/{observer}",
        "copies": [{"user": f"users/{copy}"}],
        # Rows refer to each other by them.
        **dict.fromkeys(("id", "conversation_id", "message_id", "endpoint_id"), own),
    }
    values: dict[str, Any] = {}
    for column in columns:
        name, kind = column["name"], column["type"]
        values[name] = known.get(name, own if kind in {"uuid", "text"} else BY_TYPE.get(kind, TIME))
    if table == "outcome":
        values["observer"] = known["observer"]
    return values | dict(NEEDED.get(table, {}))


async def fill(admin: asyncpg.Connection[Any], tables: list[str]) -> None:
    """A row in each table for each of two conversations whose parties have nothing to do with each other."""
    await admin.execute("SET session_replication_role = replica")
    for table in tables:
        columns = await admin.fetch(COLUMNS, table)
        for number in (0, 1):
            row = row_of(columns, table, number)
            await add(admin, table, row)
    team = {"conversation_id": IDS[0], "create_time": TIME, "side": "seller"}
    notes = [{"kind": "internal_note"}, *({"event_type": one.value} for one in sorted(FOR_THE_TEAM))]
    for position, note in enumerate(notes, 2):
        own = f"{IDS[0][:-2]}{position:02}"
        await add(admin, "timeline_entry", {**team, "id": own, "position": position, **note})
        said = {"conversation_id": IDS[0], "message_id": own, "language": "de", "create_time": TIME}
        await add(admin, "message_translation", {**said, "text": "Notiz", "engine": "x"})
    held = row_of(await admin.fetch(COLUMNS, "attachment"), "attachment", 0) | {"author": "users/otto"}
    await add(admin, "attachment", {**held, "id": IDS[0][:-2] + "01", "state": "ready"})
    await add(admin, "attachment", {**held, "id": IDS[0][:-2] + "02", "for_team": True})


async def add(admin: asyncpg.Connection[Any], table: str, row: Mapping[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    statement = (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1::jsonb)"
    )
    await admin.execute(statement, json.dumps(row))


async def seen(database: Database, call: Call | None, table: str) -> list[str]:
    """Every row that a statement without any condition is shown."""
    work = partial(Transaction.fetch_all, statement=sa.text(f"SELECT t::text FROM {table} AS t"))
    rows = await (database.read(work) if call is None else database.read_for(call, work))
    return [str(row[0]) for row in rows]


async def test_a_statement_without_a_condition_shows_nobody_what_is_not_his(
    scene: Scene, backends: Backends
) -> None:
    host = scene.service.host
    database, name = host.database, host.config.dsn.reveal().rpartition("/")[2]
    admin = await asyncpg.connect(backends.postgres.dsn(name))
    try:
        tables = [row["relname"] for row in await admin.fetch(PROTECTED)]
        assert not await admin.fetch(UNHELD, tables), "tables that their owner reads in spite of a policy"
        assert len(tables) > 18
        await fill(admin, tables)
    finally:
        await admin.close()
    team = len(FOR_THE_TEAM) + 1
    more = {"timeline_entry": team, "message_translation": team, "attachment": 2}
    expected: list[tuple[Call | None, dict[str, int]]] = [
        (None, {}),
        (NOBODY, {}),
        (STRANGER, {}),
        (ORDERS, {}),
        (ANA, dict.fromkeys(CONVERSATION | OWN, 1)),
        (CARL, dict.fromkeys(CONVERSATION, 1)),
        (
            OTTO,
            {
                **dict.fromkeys(CONVERSATION | {"webhook_endpoint", "webhook_delivery"}, 1),
                "timeline_entry": 1 + team,
                "message_translation": 1 + team,
                "attachment": 3,
            },
        ),
        (BOSCH, {"outcome": 1}),
    ]
    for call, shown in expected:
        for table in tables:
            rows = await seen(database, call, table)
            assert len(rows) == shown.get(table, 0), (call and call.principal, table, rows)
            foreign = (IDS[1], "users/ben", "sellers/rival")
            assert not [row for row in rows if any(mark in row for mark in foreign)], table
    for table in tables:
        assert len(await seen(database, PEER, table)) == 2 + more.get(table, 0)
    assert await database.read(_viewer) == row_security.NOBODY
    assert await database.read_as_process(_viewer) == row_security.PROCESS
    await _without_a_word(host.config.dsn.reveal(), tables)
    await _reads_change_nothing(database)


async def _viewer(tx: Transaction) -> Any:
    return await tx.scalar(sa.text(f"SELECT current_setting('{row_security.SETTING}', true)"))


async def _reads_change_nothing(database: Database) -> None:
    touch = partial(Transaction.execute, statement=sa.text("UPDATE conversation SET version = 7 RETURNING 1"))
    for reading in (partial(database.read_for, ANA), database.read):
        with pytest.raises(Refusal) as caught:
            await reading(touch)
        assert isinstance(caught.value.__cause__, asyncpg.ReadOnlySQLTransactionError)
    assert (await database.transact(touch)).rowcount == 2


async def _without_a_word(dsn: str, tables: list[str]) -> None:
    """What a connection sees and changes that nobody has said anything about."""
    connection = await asyncpg.connect(dsn)
    try:
        assert not await connection.fetchval(row_security.BYPASSED)
        for table in tables:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
            assert await connection.execute(f"DELETE FROM {table}") == "DELETE 0", table
        assert await connection.execute("UPDATE conversation SET version = 7") == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO conversation_copy VALUES ('users/eve', 'x')")
    finally:
        await connection.close()


class Explaining:
    """A transaction that says how a statement would be answered, by a plan for its values and by one for
    any.
    """

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx
        self.plans: list[str] = []

    async def fetch_all(self, statement: sa.Select[Any]) -> list[Any]:
        literal = str(statement.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))
        self.plans.append(await self._explained(literal))
        general = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        unknown = ", ".join("NULL" for _ in general.positiontup or ())
        for step in ("SET LOCAL plan_cache_mode = force_generic_plan", f"PREPARE general AS {general}"):
            await self.tx.execute(sa.text(step.replace(":", r"\:")))
        self.plans.append(await self._explained(f"EXECUTE general ({unknown})"))
        await self.tx.execute(sa.text("DEALLOCATE general"))
        return []

    async def _explained(self, statement: str) -> str:
        asked = sa.text(f"EXPLAIN {statement}".replace(":", r"\:"))
        return "\n".join(row[0] for row in await self.tx.fetch_all(asked))


_MANY = (
    """INSERT INTO conversation SELECT made.* FROM conversation AS pattern, generate_series(1, 3000) AS n,
    LATERAL jsonb_populate_record(pattern, jsonb_build_object('id', 'c' || n,
        'last_entry_time', pattern.last_entry_time + n * interval '1 second')) AS made""",
    """INSERT INTO timeline_entry SELECT made.* FROM timeline_entry AS pattern, generate_series(1, 5000) AS n,
    LATERAL jsonb_populate_record(pattern, jsonb_build_object('id', gen_random_uuid(), 'position', n + 100,
        'create_time', pattern.create_time + n * interval '1 second')) AS made
    WHERE pattern.kind = 'public'""",
    "ANALYZE conversation",
    "ANALYZE timeline_entry",
)


async def test_lists_walk_their_indexes_under_the_policies(scene: Scene) -> None:
    name = (await scene.inquiry()).conversation.name
    database, store = scene.service.host.database, ConversationRepository()

    async def many(tx: Transaction) -> None:
        for statement in _MANY:
            await tx.execute(sa.text(statement))

    await database.transact(many)
    timelines = TimelineRepository(tell_people=_nobody, tell_endpoints=_nobody)

    async def look(tx: Transaction, seat: Seat, participant: str) -> None:
        explaining: Any = Explaining(tx)
        for newest_first in (False, True):
            for cursor in (None, ("2026-06-01T12:30:00+00:00", IDS[0])):
                await timelines.timeline(
                    explaining,
                    conversation=name,
                    seat=seat,
                    newest_first=newest_first,
                    page=PageRequest(50, cursor),
                )
        for cursor in (None, ("2026-06-01T12:30:00+00:00", IDS[0])):
            await store.list_for(
                explaining,
                actor=seat.actor,
                participant=participant,
                selection=Selection(),
                page=PageRequest(50, cursor),
            )
        assert len(explaining.plans) == 12
        for plan in explaining.plans:
            assert "ix_timeline_entry_order" in plan or "ix_conversation_" in plan, plan
            assert not LOOKS_AT_ALL.search(plan), plan

    ana, otto = "users/ana", "users/otto"
    await database.read_for(ANA, partial(look, seat=Seat(Actor.BUYER, ana, Side.BUYER), participant=ana))
    seat = Seat(Actor.SELLER, otto, Side.SELLER)
    await database.read_for(OTTO, partial(look, seat=seat, participant="sellers/acme"))


async def _nobody(_tx: Transaction, _entry: Any) -> None:
    return


def test_only_these_read_as_the_process() -> None:
    """Whoever else reads for a caller is held to what the caller may see."""
    assert not [path for path in ROOT.rglob("*.py") if "database.connection(" in path.read_text()]
    asking = {
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if "read_as_process(" in path.read_text()
    }
    assert asking == {
        # Of a person everything, also where he takes no part any more.
        "adapters/record_sources.py",
        # By the secret of a link, from anybody.
        "app/magic_links.py",
        # In one round trip, which decides by the parties that it finds.
        "app/messages.py",
        # From a mail server.
        "app/mail_in.py",
        # Timers.
        "app/notifications.py",
        "app/translations.py",
        "app/webhooks.py",
    }


def test_names_cannot_say_more_than_one_name() -> None:
    for user in ("users/ana sellers/rival", "process", "users/a'b", "users/ana\n"):
        with pytest.raises(ValueError, match="nobody"):
            row_security.viewer_of(call_of(user))
    assert row_security.viewer_of(OTTO) == "users/otto sellers/acme"
    assert row_security.viewer_of(PEER) == row_security.PROCESS
