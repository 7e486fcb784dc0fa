"""The probe as a whole service: a command, an event that it takes in itself, a timer. `python -m` runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from chassis.call import Call
from chassis.config import Address, ServiceConfig, setting
from chassis.db import DueTimer, Transaction
from chassis.envelope import Delivery, EventRecord, record_for
from chassis.inbox import on
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.serve import Definition, Runtime, Service, main
from tests.integration.chassis.probe import Probe, ThingMade

REMIND = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeConfig(ServiceConfig):
    other_target: Address = setting(Address("127.0.0.1", 1))


async def put(tx: Transaction, table: str, name: str) -> None:
    await tx.execute(sa.table(table, sa.column("name")).insert().values(name=name))


async def names(runtime_database: Any, table: str) -> list[str]:
    query: Any = sa.select(sa.column("name")).select_from(sa.table(table)).order_by(sa.column("name"))

    async def work(tx: Transaction) -> list[str]:
        return [row.name for row in await tx.fetch_all(query)]

    found: list[str] = await runtime_database.read(work)
    return found


def build(runtime: Runtime[ProbeConfig]) -> Service:
    database, clock = runtime.database, runtime.clock

    async def make(call: Call, request: Any) -> str:
        async def work(tx: Transaction) -> str:
            await put(tx, "thing", request.name)
            tx.record(request.name)
            tx.schedule("remind", request.name, clock.now() + REMIND)
            return f"made {request.name}"

        return await database.command(call, work) if call.action == "Make" else request.name

    async def watch(call: Call, request: Any) -> AsyncIterator[str]:
        call.scoped()
        yield "first"
        await never()

    async def heard(delivery: Delivery, name: str) -> None:
        if name.startswith("poison"):
            raise ValueError("cannot be taken in")

        async def work(tx: Transaction) -> None:
            await put(tx, "heard", name)

        await database.react(delivery, work)

    async def remind(timer: DueTimer) -> None:
        async def work(tx: Transaction) -> None:
            await put(tx, "reminded", timer.key)

        await database.fire(timer, work)

    return Service(
        add_servicers=Probe(unary=make, stream=watch).register,
        subscriptions={"probe": [on(ThingMade, lambda message: str(message.name), heard)]},
        timers={"remind": remind},
        background={"idle": never},
    )


async def never() -> None:
    await asyncio.Event().wait()


def encoder(ids: Ids, clock: Clock) -> Callable[[Any], EventRecord]:
    def encode(name: str) -> EventRecord:
        return record_for(
            ThingMade(name=name), aggregate=f"things/{name}", version=1, ids=ids, time=clock.now()
        )

    return encode


PROBE = Definition(
    name="probe",
    config=ProbeConfig,
    build=build,
    encoder=encoder,
    migrations="tests.integration.chassis.probe_migrations",
)

if __name__ == "__main__":
    main(PROBE)
