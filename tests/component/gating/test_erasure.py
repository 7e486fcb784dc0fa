"""Erasing a buyer: his words go, what figures are made of stays, and erasing him again changes nothing."""

from __future__ import annotations

from chassis.testing.service import service
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1 import personal_data_pb2
from parley.gating.v1.order_request_pb2 import Needs
from parley.messaging.v1.erasure_pb2 import ErasureRequested
from tests.component.gating.conftest import ANA, BUYER, LISTING, World
from tests.component.gating.moves import ask, withdraw

WORDS = "canarywords"


async def erase(world: World, number: int) -> list[list[str]]:
    """Erases ana; what is stored about requests and visits afterwards."""
    name = f"erasures/0190a000-0000-7000-8000-{number:012d}"
    await world.publish(ErasureRequested(erasure=name, user=BUYER), aggregate=name, version=1)
    await world.service.settle()
    assert len(await world.rows("SELECT 1 FROM outbox WHERE aggregate = :name", name=name)) == 1
    tables = ("order_request", "visit", "metric_fact", "metric_request")
    rows = [await world.rows(f"SELECT t::text FROM {table} AS t ORDER BY 1") for table in tables]
    return [[row[0] for row in found] for found in rows]


async def records(world: World) -> str:
    """What is handed out to ana."""
    request = personal_data_pb2.ListGatingRecordsRequest(parent=BUYER)
    answer = await world.stub(service("messaging")).ListGatingRecords(request)
    return str([(each.kind, each.content) for each in answer.records])


async def test_words_of_requests_go_once_and_figures_stay(world: World) -> None:
    await world.close_gate()
    await world.stub(ANA).RecordVisit(pb.RecordVisitRequest(name=LISTING))
    answers = [Needs.Answer(question="Which colour?", answer=WORDS)]
    request = await world.submit(text=WORDS, answers=answers)
    await ask(world, request.name)
    answering = pb.AnswerInformationRequest(name=request.name, answer=WORDS)
    await world.stub(ANA).AnswerInformation(answering)
    await withdraw(world, request.name)
    assert (await records(world)).count(WORDS) == 3
    before = await world.rows("SELECT count(*) FROM metric_fact")

    first = await erase(world, 1)
    assert WORDS not in str(first) + await records(world)
    assert "Which colour?" in str(first[0])
    assert len(first[1]) == 1
    assert await world.rows("SELECT count(*) FROM metric_fact") == before
    assert await erase(world, 2) == first
