"""`python -m services.gating`: puts the rooms together."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from chassis.envelope import EventRecord
from chassis.erasure import Eraser, with_erasure
from chassis.kernel.clock import Clock
from chassis.kernel.ids import Ids
from chassis.personal_data import PersonalRecords
from chassis.serve import Definition, Runtime, Service, UpkeepCommand, main
from parley.gating.v1.erasure_pb2 import PersonalDataErased
from parley.gating.v1.gating_service_pb2_grpc import add_GatingServiceServicer_to_server
from services.gating.adapters.offers_client import OffersClient
from services.gating.adapters.personal_data import ERASURES, KINDS
from services.gating.adapters.repository.calendars import CalendarsRepository
from services.gating.adapters.repository.changes import ChangeLogRepository
from services.gating.adapters.repository.metrics import (
    JournalRepository,
    RecordRepository,
    UpkeepRepository,
    with_fact,
)
from services.gating.adapters.repository.order_requests import OrderRequestsRepository
from services.gating.adapters.repository.placements import PlacementsRepository
from services.gating.adapters.repository.projections import ProjectionsRepository
from services.gating.adapters.repository.sellers import SellersRepository
from services.gating.adapters.repository.verifications import VerificationsRepository
from services.gating.app.calendars import CalendarCommands
from services.gating.app.gate import Gate
from services.gating.app.metrics import Metrics
from services.gating.app.metrics_upkeep import rebuild_metrics
from services.gating.app.order_requests import ANSWER, EXPIRY, REMINDER, OrderRequestCommands
from services.gating.app.ports import Monotonic
from services.gating.app.queries import Queries
from services.gating.app.reactions import Reactions
from services.gating.app.sellers import SellerCommands
from services.gating.app.simulation import Simulations
from services.gating.app.timers import Timers
from services.gating.app.verifications import VerificationCommands
from services.gating.config import GatingConfig
from services.gating.entrypoints.events import subscriptions
from services.gating.entrypoints.grpc import GatingServicer
from services.gating.wire.events import event_record


def build(runtime: Runtime[GatingConfig], *, monotonic: Monotonic = time.monotonic) -> Service:
    """The service; `monotonic` measures the age of what it keeps in memory."""
    database, clock = runtime.database, runtime.clock
    sellers, projections, requests = SellersRepository(), ProjectionsRepository(), OrderRequestsRepository()
    calendars, record = CalendarsRepository(sellers), RecordRepository()
    verifications = VerificationsRepository()
    gate = Gate(
        database,
        sellers=sellers,
        calendars=calendars,
        verifications=verifications,
        projections=projections,
        source=OffersClient(runtime.peers["offers"]),
        changes=ChangeLogRepository(),
        clock=clock,
        monotonic=monotonic,
    )
    servicer = GatingServicer(
        sellers=SellerCommands(database, sellers=sellers, gate=gate, clock=clock),
        calendars=CalendarCommands(
            database, sellers=sellers, calendars=calendars, gate=gate, clock=clock, ids=runtime.ids
        ),
        verifications=VerificationCommands(database, verifications=verifications, gate=gate, clock=clock),
        requests=OrderRequestCommands(
            database,
            requests=requests,
            sellers=sellers,
            projections=projections,
            gate=gate,
            clock=clock,
            ids=runtime.ids,
        ),
        queries=Queries(database, requests=requests, projections=projections, gate=gate, clock=clock),
        metrics=Metrics(
            database, record=record, journal=JournalRepository(), gate=gate, clock=clock, ids=runtime.ids
        ),
        personal=PersonalRecords(database, KINDS),
        simulations=Simulations(database, sellers=sellers, placements=PlacementsRepository(), clock=clock),
    )
    reactions = Reactions(
        database, projections=projections, requests=requests, record=record, gate=gate, clock=clock
    )
    timers, eraser = Timers(database, requests=requests, clock=clock), Eraser(database, ERASURES, clock)
    return Service(
        add_servicers=partial(add_GatingServiceServicer_to_server, servicer),
        subscriptions=subscriptions(reactions, eraser),
        timers={
            EXPIRY: timers.expire_order_request,
            ANSWER: timers.expire_order_request,
            REMINDER: timers.remind_of_order_request,
            **eraser.timers,
        },
    )


def encoder(ids: Ids, _clock: Clock) -> Callable[[Any], EventRecord]:
    """Turns recorded events into their records, each with what it tells for the figures."""

    def encode(event: Any) -> EventRecord:
        return with_fact(event_record(event, ids=ids))

    return with_erasure(encode, PersonalDataErased, ids)


DEFINITION = Definition(
    "gating",
    GatingConfig,
    build,
    encoder,
    "services.gating.migrations",
    commands=(
        UpkeepCommand(
            "rebuild-metrics",
            "derive all figures anew from the record of facts and the kept events",
            partial(rebuild_metrics, upkeep=UpkeepRepository()),
        ),
    ),
)

if __name__ == "__main__":
    main(DEFINITION)
