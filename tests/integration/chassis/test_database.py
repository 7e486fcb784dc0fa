"""Transactions against a real PostgreSQL: all or nothing, once, and again where that helps."""

from __future__ import annotations

import asyncio
import enum
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from chassis import schema
from chassis.db import ConstraintError, Database, Single, Transaction
from chassis.envelope import Delivery, Order
from chassis.idempotency import Replay
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Kind, Refusal, exists, precondition
from chassis.storage_errors import OUTBOX_VERSION_CONSTRAINT
from tests.integration.chassis.conftest import Changed, account, balance_of, call, change, count

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


SAMPLE = (
    "CREATE TABLE sample (id text PRIMARY KEY, document jsonb, tags text[], made timestamptz, token uuid, "
    "colour text, count integer DEFAULT 0)"
)


class Colour(enum.Enum):
    RED = "red"


async def test_core_statements_give_core_results(database: Database) -> None:
    sample = sa.Table(
        "sample",
        sa.MetaData(),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("document", JSONB),
        sa.Column("tags", ARRAY(sa.Text)),
        sa.Column("made", sa.DateTime(timezone=True)),
        sa.Column("token", sa.UUID(as_uuid=False)),
        sa.Column("colour", sa.Enum(Colour, native_enum=False)),
        sa.Column("count", sa.Integer, server_default="0"),
    )
    row = {
        "id": "a",
        "document": {"x": [1, None]},
        "tags": ["p", "q"],
        "made": NOW,
        "token": "01900000-0000-7000-8000-000000000001",
        "colour": Colour.RED,
    }

    async def work(tx: Transaction) -> None:
        await tx.execute(sa.text(SAMPLE))
        assert (await tx.execute(sa.insert(sample), row)).rowcount == 1
        assert (await tx.execute(sa.insert(sample), [{**row, "id": "b"}, {**row, "id": "c"}])).rowcount == 2
        assert (await tx.execute(sa.insert(sample).values([{**row, "id": "d"}]))).rowcount == 1
        found = await tx.fetch_one(sa.select(sample).where(sample.c.id == "a"))
        assert found is not None
        assert found._asdict() == {**row, "count": 0}
        assert found._mapping[sample.c.colour] is Colour.RED
        listed = sa.select(sample.c.id).where(sample.c.id.in_(["a", "c", "x"])).order_by(sample.c.id)
        assert (await tx.execute(listed)).scalars().all() == ["a", "c"]
        empty: list[str] = []
        assert await tx.fetch_all(sa.select(sample).where(sample.c.id.in_(empty))) == []
        behind = sa.tuple_(sample.c.made, sample.c.id) > sa.tuple_(sa.literal(NOW), "b")
        assert [each.id for each in await tx.fetch_all(sa.select(sample).where(behind))] == ["c", "d"]
        update = (
            sa.update(sample).where(sample.c.id == sa.bindparam("which")).values(count=sample.c.count + 2)
        )
        assert (await tx.execute(update, {"which": "a"})).rowcount == 1
        assert (await tx.execute(update, {"which": "x"})).rowcount == 0
        upsert = insert(sample).values(id="a", count=1)
        upsert = upsert.on_conflict_do_update(index_elements=["id"], set_={"count": sample.c.count + 1})
        assert (await tx.execute(upsert.returning(sample.c.count))).scalar_one() == 3
        assert (await tx.execute(sa.delete(sample).where(sample.c.id != "a"))).rowcount == 3
        assert await tx.scalar(sa.select(sa.func.count()).select_from(sample)) == 1
        assert await tx.scalar(sa.text("SELECT :x ::int + 1").bindparams(x=1)) == 2
        lazy = sa.Table("lazy", sa.MetaData(), sa.Column("a", sa.Text), sa.Column("b", sa.Text, default="x"))
        with pytest.raises(TypeError, match="default"):
            await tx.execute(sa.insert(lazy), {"a": "1"})

    await database.transact(work)


async def test_effect_event_timer_and_answer_are_one(database: Database) -> None:
    async def work(tx: Transaction) -> int:
        tx.schedule("expire", "accounts/a", NOW, {"version": 1})
        tx.schedule("remind", "accounts/a", NOW)
        tx.unschedule("remind", "accounts/a")
        return await change("accounts/a")(tx)

    assert await database.command(call("k1"), work) == 1
    assert database.events_written.is_set()
    assert database.timers_changed.is_set()
    assert await balance_of(database, "accounts/a") == 1
    assert await count(database, schema.outbox) == 1
    timers = await database.read(lambda tx: tx.fetch_all(sa.select(schema.timer)))
    assert [(timer.kind, timer.key, timer.due_time, timer.payload) for timer in timers] == [
        ("expire", "accounts/a", NOW, {"version": 1})
    ]
    with pytest.raises(Replay) as replay:
        await database.command(call("k1"), work)
    assert replay.value.body == call().answer(1).SerializeToString()


async def test_a_refusal_leaves_nothing_behind(database: Database) -> None:
    async def work(tx: Transaction) -> int:
        await change("accounts/a")(tx)
        tx.schedule("expire", "accounts/a", NOW)
        raise precondition("NO", "no")

    with pytest.raises(Refusal, match="no"):
        await database.command(call("k1"), work)
    for table in (account, schema.outbox, schema.timer, schema.idempotency):
        assert await count(database, table) == 0
    assert not database.events_written.is_set()
    assert await database.command(call("k1"), change("accounts/a")) == 1


@pytest.mark.covers("X01")
async def test_a_key_belongs_to_one_body_one_method_and_one_caller(database: Database) -> None:
    await database.command(call("k1"), change("accounts/a"))
    with pytest.raises(Refusal) as refused:
        await database.command(call("k1", fingerprint=b"other"), change("accounts/a"))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "REQUEST_ID_REUSED")
    assert await database.command(call("k1", user="users/bea"), change("accounts/a")) == 2
    assert await database.command(call("k2"), change("accounts/a")) == 3
    assert await database.command(call(), change("accounts/a")) == 4


@pytest.mark.covers("X01")
async def test_a_hundred_calls_with_one_key_have_one_effect(database: Database, replica: Database) -> None:
    async def one(which: Database) -> bytes:
        made = call("same")
        try:
            return made.answer(await which.command(made, change("accounts/a"))).SerializeToString()
        except Replay as replay:
            return replay.body

    answers = await asyncio.gather(*(one(which) for which in [database, replica] * 50))
    assert len(answers) == 100
    assert len(set(answers)) == 1
    assert await balance_of(database, "accounts/a") == 1
    assert await count(database, schema.outbox) == 1


async def test_a_duplicate_takes_over_from_a_call_that_failed(database: Database, replica: Database) -> None:
    started, fail = asyncio.Event(), asyncio.Event()

    async def failing(tx: Transaction) -> int:
        await change("accounts/a", by=100)(tx)
        started.set()
        await fail.wait()
        raise precondition("NO", "no")

    first = asyncio.create_task(database.command(call("k1"), failing))
    await started.wait()
    second = asyncio.create_task(replica.command(call("k1"), change("accounts/a")))
    done, _ = await asyncio.wait([second], timeout=0.2)
    assert not done, "the duplicate must wait for the first call"
    fail.set()
    with pytest.raises(Refusal):
        await first
    assert await second == 1
    assert await balance_of(database, "accounts/a") == 1


def single(name: str, *, version: int = 1) -> Single[int]:
    return Single(
        result=version,
        inserts=[(account, {"name": name, "version": version, "balance": 1})],
        events=[Changed(name, version)],
        timers=[("expire", name, NOW, {"a": 1})],
    )


@pytest.mark.covers("X01")
async def test_one_statement_does_the_same_as_a_transaction(database: Database, replica: Database) -> None:
    async def one(which: Database) -> bytes:
        made = call("same")
        try:
            return made.answer(await which.command_single(made, single("accounts/a"))).SerializeToString()
        except Replay as replay:
            return replay.body

    answers = await asyncio.gather(*(one(which) for which in [database, replica] * 50))
    assert len(set(answers)) == 1
    for table in (account, schema.outbox, schema.timer, schema.idempotency):
        assert await count(database, table) == 1
    assert database.events_written.is_set() or replica.events_written.is_set()
    with pytest.raises(Refusal, match="another request"):
        await database.command_single(call("same", fingerprint=b"other"), single("accounts/b"))
    with pytest.raises(ConstraintError) as broken:
        await database.command_single(call("new"), single("accounts/a", version=2))
    assert broken.value.constraint == "pk_account"
    assert await count(database, schema.idempotency) == 1
    assert await database.command_single(call(), single("accounts/c")) == 1


async def test_commands_of_one_statement_share_commits_and_fail_alone(database: Database) -> None:
    await database.command_single(call("taken"), single("accounts/3"))
    done = await asyncio.gather(
        *(database.command_single(call(f"k{number}"), single(f"accounts/{number}")) for number in range(20)),
        return_exceptions=True,
    )
    failed = {number: each for number, each in enumerate(done) if isinstance(each, BaseException)}
    assert {number: type(each) for number, each in failed.items()} == {3: ConstraintError}
    for table in (account, schema.outbox, schema.timer, schema.idempotency):
        assert await count(database, table) == 20
    more = [single(f"accounts/{number}") for number in range(20, 60)]
    await asyncio.gather(*(database.command_single(call(str(n)), each) for n, each in enumerate(more)))
    commits = sa.text(
        "SELECT count(DISTINCT xmin::text) FROM account WHERE right(name, 2) BETWEEN '20' AND '59'"
    )
    assert await database.read(lambda tx: tx.scalar(commits)) == 1


async def test_a_reaction_of_one_statement_happens_once_and_fails_alone(
    database: Database, replica: Database
) -> None:
    told = Delivery("ledger-on-test", "e1", "T", "accounts/a", 1, NOW, Order.EACH)
    both = [database, replica] * 20
    done = await asyncio.gather(*(one.react_single(told, single("accounts/a")) for one in both))
    assert sorted(done) == [False] * 39 + [True]
    for table in (account, schema.outbox, schema.timer, schema.inbox):
        assert await count(database, table) == 1
    # An event that is another one, about something that is there already, leaves nothing behind.
    other = replace(told, event_id="e2")
    with pytest.raises(ConstraintError):
        await database.react_single(other, single("accounts/a", version=2))
    assert await count(database, schema.inbox) == 1
    assert await database.react_single(other, single("accounts/b"))


async def test_a_guarded_command_does_nothing_where_something_has_changed(
    database: Database, replica: Database
) -> None:
    await database.command_single(call(), single("accounts/a"))
    move = sa.text(
        "UPDATE account SET version = version + 1 WHERE name = 'accounts/a' AND version = :seen RETURNING 1"
    )

    def guarded(name: str, seen: int) -> Single[int]:
        return replace(single(name), guard=(move, {"seen": seen}))

    # Of those who saw the same, one comes first.
    both = [database, replica] * 10
    done = await asyncio.gather(
        *(
            which.command_if_current(call(f"k{number}"), guarded(f"accounts/b{number}", 1))
            for number, which in enumerate(both)
        )
    )
    assert sorted(done) == [False] * 19 + [True]
    for table, rows in ((account, 2), (schema.outbox, 2), (schema.idempotency, 1)):
        assert await count(database, table) == rows
    # Whoever did it before is told so, and what the guard has changed is taken back.
    key = f"k{done.index(True)}"
    with pytest.raises(Replay):
        await database.command_if_current(call(key), guarded("accounts/c", 2))
    with pytest.raises(Refusal, match="another request"):
        await database.command_if_current(call(key, fingerprint=b"other"), guarded("accounts/c", 2))
    with pytest.raises(ConstraintError):
        await database.command_if_current(call("new"), guarded("accounts/a", 2))
    assert await database.command_if_current(call("new"), guarded("accounts/c", 2))
    assert await database.command_if_current(call(), guarded("accounts/d", 3))


async def test_the_second_writer_of_a_version_decides_anew(database: Database) -> None:
    async def work(tx: Transaction) -> int:
        # Without a lock: reads the version that the other writer reads too.
        last: int = await tx.scalar(sa.text("SELECT coalesce(max(version), 0) FROM outbox"))
        if last == 0:
            await met.wait()
        tx.record(Changed("accounts/a", last + 1))
        return last + 1

    met = asyncio.Barrier(2)
    versions = await asyncio.gather(database.transact(work), database.transact(work))
    assert sorted(versions) == [1, 2]
    names = await database.read(
        lambda tx: tx.scalar(
            sa.text("SELECT conname FROM pg_constraint WHERE conrelid = 'outbox'::regclass AND contype = 'u'")
        )
    )
    assert names == OUTBOX_VERSION_CONSTRAINT


async def test_a_broken_constraint_is_named_and_can_become_a_refusal(database: Database) -> None:
    row = {"name": "accounts/a", "version": 1, "balance": 1}

    async def work(tx: Transaction) -> None:
        await tx.execute(sa.insert(account), row)
        try:
            await tx.fetch_one(sa.insert(account).returning(account.c.name), row)
        except ConstraintError as broken:
            raise exists("NAME_TAKEN", f"{broken.constraint} of {broken.table}") from None

    with pytest.raises(Refusal, match=r"^pk_account of account$"):
        await database.transact(work)
    await database.transact(lambda tx: tx.execute(sa.insert(account), row))
    with pytest.raises(ConstraintError):
        await database.transact(lambda tx: tx.execute(sa.insert(account), row))


async def test_an_event_that_no_stream_would_take_is_a_defect(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        tx.record(Changed("accounts/" + "x" * 1_000_000, 1))

    with pytest.raises(ValueError, match="bytes"):
        await database.transact(work)


async def test_work_may_not_hide_a_failed_statement(database: Database) -> None:
    async def work(tx: Transaction) -> None:
        with pytest.raises(Exception, match="division"):
            await tx.execute(sa.text("SELECT 1 / 0"))

    with pytest.raises(RuntimeError, match="failed"):
        await database.transact(work)


async def test_a_read_changes_nothing(database: Database) -> None:
    async def record(tx: Transaction) -> None:
        tx.record(Changed("accounts/a", 1))

    async def schedule(tx: Transaction) -> None:
        tx.schedule("expire", "accounts/a", NOW)

    for work in (record, schedule):
        with pytest.raises(RuntimeError):
            await database.read(work)


async def test_old_answers_events_and_deliveries_are_forgotten(
    database: Database, clock: ManualClock
) -> None:
    from chassis import retention

    await database.command(call("k1"), change("accounts/a"))
    async with database.connection() as connection:
        await connection.execute("INSERT INTO inbox VALUES ('c', 'e', $1)", clock.now())
        clock.advance(timedelta(days=31))
        # An event that was never published stays, however old it is.
        assert await retention.prune(connection, clock.now()) == 2
        await connection.execute("UPDATE outbox SET published_at = $1", clock.now() - timedelta(days=8))
        assert await retention.prune(connection, clock.now()) == 1
        assert await retention.prune(connection, clock.now()) == 0
    assert await database.command(call("k1"), change("accounts/a")) == 2
