"""The schema and the repository, where the API cannot reach."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from chassis import migrations, schema
from chassis.db import Database
from chassis.kernel.clock import ManualClock
from chassis.kernel.machine import Actor
from chassis.testing import Backends
from parley.offers.v1 import offers_service_pb2 as pb
from services.offers.__main__ import DEFINITION
from services.offers.adapters import tables
from services.offers.adapters.repository import LostUpdate, OfferRepository
from services.offers.domain import offer as offers
from tests.component.offers.scene import ACME, ANA, NOW, Scene, terms

COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position"
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"


async def test_the_migrations_make_the_tables_that_the_code_uses_and_remove_them(backends: Backends) -> None:
    dsn = await backends.database(DEFINITION.migrations)
    connection = await asyncpg.connect(dsn)
    try:
        for table in (*tables.METADATA.tables.values(), *schema.METADATA.tables.values()):
            found = [row["column_name"] for row in await connection.fetch(COLUMNS, table.name)]
            assert found == [column.name for column in table.columns], table.name
        assert await migrations.downgrade(DEFINITION.migrations, dsn) == ""
        assert [row["table_name"] for row in await connection.fetch(TABLES)] == ["alembic_version"]
        assert await migrations.upgrade(DEFINITION.migrations, dsn) == migrations.head_of(
            DEFINITION.migrations
        )
    finally:
        await connection.close()


async def test_nothing_is_stored_over_a_version_that_was_not_read(scene: Scene) -> None:
    name, repository = (await scene.offer()).name, OfferRepository()
    database: Database = scene.service.host.database
    before = await database.read(lambda tx: repository.load(tx, name))
    after, _ = offers.withdraw(before, actor=Actor.SELLER, now=NOW)
    await database.transact(lambda tx: repository.save(tx, after, before=before))
    with pytest.raises(LostUpdate):
        await database.transact(lambda tx: repository.save(tx, after, before=before))


async def test_revisions_are_never_written_again(scene: Scene, clock: ManualClock) -> None:
    offer = await scene.offer(expires_in=timedelta(hours=1))
    first = await scene.written()
    counter = pb.CounterOfferRequest(name=offer.name, revision=1, terms=terms(80))
    await scene.by(ANA).CounterOffer(counter)
    await scene.by(ACME).ReviseOffer(pb.ReviseOfferRequest(name=offer.name, terms=terms(90)))
    await scene.by(ANA).OpenOffer(pb.OpenOfferRequest(name=offer.name))
    clock.advance(timedelta(minutes=5))
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=offer.name, revision=3))
    last = await scene.written()
    assert len(last["offer_revision"]) == 3
    assert set(first["offer_revision"]) < set(last["offer_revision"])
