"""A fresh database with the tables of the chassis and of a make-believe service, and streams of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from google.protobuf.wrappers_pb2 import StringValue
from sqlalchemy.ext.asyncio import create_async_engine

from chassis import schema
from chassis.bus import Bus
from chassis.call import Call
from chassis.db import Database, Transaction, metadata
from chassis.envelope import EventRecord, record_for
from chassis.idempotency import IdempotencyKey
from chassis.kernel.caller import Caller, Relation, Rule
from chassis.kernel.clock import ManualClock
from chassis.kernel.ids import SequentialIds, UuidV7
from chassis.testing import NatsServer, PostgresServer
from chassis.testing.backends import SERVICE_ROLE
from parley.offers.v1 import events_pb2, listing_pb2
from tests.integration.chassis.stage import Stage, staged

TABLES = metadata()
account = sa.Table(
    "account",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("balance", sa.BigInteger, nullable=False),
)
_producers = itertools.count(1)


@dataclass(frozen=True)
class Changed:
    """The make-believe service's only event."""

    name: str
    version: int


def call(key: str = "", *, fingerprint: bytes = b"body", user: str = "users/ana") -> Call:
    made = Call("/parley.test.v1.TestService/Change", Rule(Relation.PUBLIC), caller=Caller(user))
    made.encoder = lambda result: StringValue(value=str(result))
    if key:
        made.idempotency = IdempotencyKey(user, "Change", key, fingerprint)
    return made


def change(name: str, *, by: int = 1) -> Callable[[Transaction], Awaitable[int]]:
    """Work that makes or changes an account and answers its version."""

    async def work(tx: Transaction) -> int:
        row = await tx.fetch_one(sa.select(account).where(account.c.name == name).with_for_update())
        version = 1 if row is None else row.version + 1
        if row is None:
            await tx.execute(sa.insert(account), {"name": name, "version": 1, "balance": by})
        else:
            await tx.execute(
                sa.update(account)
                .where(account.c.name == name)
                .values(version=version, balance=account.c.balance + by)
            )
        tx.record(Changed(name, version))
        return version

    return work


async def balance_of(database: Database, name: str) -> int | None:
    found: int | None = await database.read(
        lambda tx: tx.scalar(sa.select(account.c.balance).where(account.c.name == name))
    )
    return found


async def count(database: Database, table: sa.Table, *where: sa.ColumnElement[bool]) -> int:
    found: int = await database.read(
        lambda tx: tx.scalar(sa.select(sa.func.count()).select_from(table).where(*where))
    )
    return found


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ids() -> SequentialIds:
    return SequentialIds()


@pytest.fixture
def producer() -> str:
    """A producer whose stream no other test knows."""
    return f"test{next(_producers)}"


def _create(connection: sa.Connection) -> None:
    op = Operations(MigrationContext.configure(connection))
    schema.create(op)
    schema.find_waiting_by_aggregate(op)


async def _migrate(dsn: str) -> None:
    engine = create_async_engine(dsn.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(_create)
        await connection.run_sync(TABLES.create_all)
    await engine.dispose()


@pytest.fixture
async def dsn(postgres_server: PostgresServer) -> AsyncIterator[str]:
    template = await postgres_server.template("chassis", _migrate)
    name = await postgres_server.create_database(template=template)
    yield postgres_server.dsn(name, user=SERVICE_ROLE)
    await postgres_server.drop_database(name)


Encode = Callable[[Changed], EventRecord]


@pytest.fixture
def encode(clock: ManualClock, producer: str) -> Encode:
    # Real ids: events of one millisecond must still come in order.
    ids = UuidV7(clock)

    def encode(event: Changed) -> EventRecord:
        message = events_pb2.ListingUpdated(
            listing=listing_pb2.Listing(name=event.name), version=event.version
        )
        return record_for(
            message,
            aggregate=event.name,
            version=event.version,
            ids=ids,
            time=clock.now(),
            subject=f"parley.{producer}.v1.listing.updated.{event.name.rpartition('/')[2]}",
        )

    return encode


@pytest.fixture
async def database(dsn: str, clock: ManualClock, encode: Encode) -> AsyncIterator[Database]:
    opened = await Database.open(dsn, clock=clock, encode_event=encode)
    yield opened
    await opened.close()


@pytest.fixture
async def replica(dsn: str, clock: ManualClock, encode: Encode) -> AsyncIterator[Database]:
    """A second process' view of the same database."""
    opened = await Database.open(dsn, clock=clock, encode_event=encode)
    yield opened
    await opened.close()


@pytest.fixture
async def bus(nats_server: NatsServer) -> AsyncIterator[Bus]:
    connected = await Bus.connect(nats_server.url)
    assert await connected.wait_connected(10)
    yield connected
    await connected.close()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A served probe that a test calls."""
    async with staged(tmp_path) as running:
        yield running
