"""`python -m services.gating rebuild-metrics`: the figures come from the record, and from nothing else."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing.service import Backends, buyer
from services.gating.__main__ import DEFINITION
from tests.component.gating.conftest import ANA, BEN, ONE_DAY, Seconds, World, world_of
from tests.component.gating.moves import answer, ask, decline, withdraw
from tests.component.gating.test_metrics import convert, later, metrics, order, unavailable
from tests.component.gating.test_visits import visit

SECONDS = 60.0
DERIVED = ("metric_request", "metric_order")


async def rebuild(repository: Path, dsn: str, nats_url: str) -> str:
    """What the real command says."""
    environment = os.environ | {
        "PARLEY_GATING_DSN": dsn,
        "PARLEY_NATS_URL": nats_url,
        "PYTHONPATH": f"{repository}:{repository / 'protos' / 'gen'}",
    }
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.gating",
        "rebuild-metrics",
        cwd=repository,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(child.communicate(), SECONDS)
    assert child.returncode == 0, errors.decode()
    return output.decode()


async def write(world: World, *statements: str) -> None:
    async def work(tx: Transaction) -> None:
        for statement in statements:
            await tx.execute(sa.text(statement))

    await world.service.host.database.transact(work)


async def stored(world: World) -> dict[str, list[str]]:
    """Every row of the record and of what is derived, as text."""
    found = {}
    for table in ("metric_fact", "visit", *DERIVED):
        rows = await world.rows(f"SELECT t::text AS row FROM {table} t ORDER BY 1")
        found[table] = [row.row for row in rows]
    return found


async def shown(world: World) -> bytes:
    """The figures, as they are sent."""
    return (await metrics(world, include_ids=True)).SerializeToString(deterministic=True)


async def live(world: World) -> None:
    """A week in the life of a seller."""
    await world.tell_listing()
    await order(world, 1)
    await visit(world)
    await later(world, ONE_DAY)
    await world.close_gate()
    won, asked, lost = await world.submit(), await world.submit(BEN), await world.submit(buyer("cleo"))
    late = await world.submit(buyer("dora"))
    await visit(world, BEN)
    await later(world)
    await ask(world, won.name)
    await answer(world, won.name)
    await ask(world, asked.name)
    await decline(world, lost.name)
    await later(world)
    await convert(world, won.name, 1)
    await unavailable(world, messages_closed=True, hours=30)
    await later(world, 2 * ONE_DAY)
    await world.save("windows", "enabled", enabled=True)
    again = await world.submit(ANA)
    await withdraw(world, again.name)
    await later(world, 8 * ONE_DAY)
    assert (await metrics(world)).period.expired_requests.value >= 1, late.name


@pytest.mark.covers("X22")
async def test_rebuilding_gives_the_same_numbers(
    backends: Backends, clock: ManualClock, seconds: Seconds, repository: Path
) -> None:
    dsn = await backends.database(DEFINITION.migrations)
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await live(world)
        rows, figures = await stored(world), await shown(world)
        assert all(rows[table] for table in rows)
        await write(
            world,
            "DELETE FROM metric_order",
            "UPDATE metric_request SET response_time = NULL, convert_time = submit_time, listing = 'wrong'",
            "INSERT INTO metric_request (name, seller, listing, buyer) "
            "VALUES ('orderRequests/x', 's', '', '')",
        )
        assert await shown(world) != figures
        said = await rebuild(repository, dsn, backends.nats_url)
        assert said == (
            "gating: the figures of 2 sellers were derived anew; 0 facts were restored from kept events\n"
        )
        assert (await stored(world), await shown(world)) == (rows, figures)


async def test_facts_that_were_lost_come_back_from_the_kept_events(
    backends: Backends, clock: ManualClock, seconds: Seconds, repository: Path
) -> None:
    dsn = await backends.database(DEFINITION.migrations)
    async with world_of(backends, clock, seconds, dsn=dsn) as world:
        await world.close_gate()
        created = await world.submit()
        await decline(world, created.name)
        await unavailable(world, messages_closed=True, hours=3)
        await later(world)
        rows, figures = await stored(world), await shown(world)
        await write(world, "DELETE FROM metric_fact", *(f"DELETE FROM {table}" for table in DERIVED))
        said = await rebuild(repository, dsn, backends.nats_url)
        assert "4 facts were restored" in said
        assert (await stored(world), await shown(world)) == (rows, figures)
        assert "0 facts were restored" in await rebuild(repository, dsn, backends.nats_url)


async def test_rebuilding_beside_the_service_loses_nothing(world: World) -> None:
    """Requests that come while everything is derived anew are in the figures afterwards."""
    await world.close_gate()
    (command,) = DEFINITION.commands
    database = world.service.host.database

    async def submit(number: int) -> None:
        await world.submit(buyer(f"buyer{number}"))

    async def again() -> None:
        for _ in range(10):
            await command.work(database)

    await asyncio.gather(again(), *(submit(number) for number in range(40)))
    await later(world)
    assert (await metrics(world)).period.funnel.requests.value == 40
    rows = await stored(world)
    await command.work(database)
    assert await stored(world) == rows
