"""What is for the seller's team reaches no buyer, event or log: found in the descriptors, not in a list."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from parley.gating.v1 import events_pb2 as gating_events
from parley.messaging.v1 import events_pb2 as messaging_events
from parley.offers.v1 import events_pb2 as offers_events
from parley.orders.v1 import desk_methods_pb2 as desk
from parley.orders.v1 import events_pb2 as orders_events
from parley.orders.v1 import orders_service_pb2 as orders
from stack import postgres_server
from stack.data_folder import DataFolder
from stack.demo.api import Api
from tests.e2e.canaries import (
    ASKED,
    CANARIES,
    CONTACT,
    METHODS,
    WRITTEN,
    Negotiation,
    answered,
    buyers,
    filled,
    parsed,
    parts,
    plant,
    team_fields,
    within,
)
from tests.e2e.matrix import MATRIX
from tests.e2e.rows import Foreign
from tests.e2e.target import SERVICES, Target

EVENTS = (gating_events, messaging_events, offers_events, orders_events)
STREAMED = {name for name, method in METHODS.items() if method.server_streaming}
"""Not called here: WatchConversation sends the entries of ListTimeline as they come."""


def leaks(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def test_whatever_a_team_can_write_for_itself_has_a_canary() -> None:
    inputs = {
        one.full_name
        for method in METHODS.values()
        for one in team_fields(method.input_type)
        if one.type == FieldDescriptor.TYPE_STRING and one.containing_type == method.input_type
    }
    assert inputs == set(WRITTEN) | ASKED


@pytest.mark.covers("B08")
def test_no_event_can_carry_what_is_for_the_team() -> None:
    messages: list[Descriptor] = [
        one for module in EVENTS for one in module.DESCRIPTOR.message_types_by_name.values()
    ]
    assert len(messages) > 50
    assert [one.full_name for message in messages for one in team_fields(message)] == []


@pytest.fixture(scope="module")
def planted(stack: Target) -> tuple[Negotiation, Foreign]:
    async def make() -> tuple[Negotiation, Foreign]:
        async with Api(stack.url, stack.token) as api:
            return await plant(api)

    return asyncio.run(make())


@pytest.fixture
def negotiation(planted: tuple[Negotiation, Foreign], api: Api) -> Negotiation:
    """The same people over the connections of this test."""
    made, _ = planted
    shop = type(made.shop)(api, made.shop.id, api.seller(made.shop.id), made.shop.listing)
    return Negotiation(shop, api.seller(shop.id, role="agent"), api.buyer(made.buyer.name), made.by_team)


async def test_the_team_sees_every_canary_and_every_field(
    negotiation: Negotiation, planted: tuple[Negotiation, Foreign]
) -> None:
    """The test below would prove nothing about a field that is always empty."""
    _, names = planted
    await negotiation.team("orders", "GetOrder", orders.GetOrderRequest(name=names.order))
    await negotiation.team("orders", "ListNotes", desk.ListNotesRequest(parent=names.order))
    answers = [(name, one) for name, found in negotiation.by_team.items() for one in found]
    assert {canary for _, answer in answers for canary in leaks(str(answer))} == set(CANARIES)
    held = {one.full_name for name, answer in answers for one in filled(parsed(METHODS[name], answer))}
    shown = {one.full_name for method in METHODS.values() for one in team_fields(method.output_type)}
    assert shown - held == UNFILLED


UNFILLED: set[str] = {
    # Only while a quote waits or a charge has failed.
    "parley.orders.v1.Order.system_labels",
}


@pytest.mark.covers("B06", "B07", "B08", "V02")
async def test_nothing_that_a_buyer_can_ask_tells_what_is_for_the_team(
    negotiation: Negotiation, planted: tuple[Negotiation, Foreign]
) -> None:
    _, names = planted
    resources = {
        one.full_name
        for name, method in METHODS.items()
        if buyers(method) and name not in STREAMED
        for one in within(method.output_type)
        if any(each.containing_type == one for each in team_fields(one))
    }
    seen: set[str] = set()
    # Reads, then everything that changes something, then the reads of what came of it.
    reads = [name for name in METHODS if name.rpartition(".")[2].startswith(("Get", "List", "Compare"))]
    others = [name for name in METHODS if name not in reads and name not in STREAMED]
    for name in (*reads, *others, *reads):
        method = METHODS[name]
        done, answer = await answered(negotiation.buyer, name, MATRIX[name].request(names))
        assert leaks(str(answer)) == [], name
        assert not done or buyers(method), f"{name} is not for buyers"
        if done:
            message = parsed(method, answer)
            assert [one.full_name for one in filled(message)] == [], name
            seen |= {one.DESCRIPTOR.full_name for one in parts(message)}
    assert resources - seen == set(), "no answer with such a resource was seen by the buyer"


@pytest.mark.covers("B08")
async def test_no_event_body_and_no_log_line_holds_a_canary(
    stack: Target, planted: tuple[Negotiation, Foreign]
) -> None:
    folder = DataFolder(stack.issuer_key.parent.parent)
    ports = folder.remembered_ports()
    if ports is None:
        pytest.skip("the stack is another's: neither its databases nor its logs can be read from here")
    _, names = planted
    found = 0
    for service in SERVICES:
        connection = await asyncpg.connect(postgres_server.dsn(service, ports["postgres"], folder.secrets()))
        try:
            bodies = await connection.fetch("SELECT type, body FROM outbox")
        finally:
            await connection.close()
        for row in bodies:
            found += names.seller.encode() in row["body"]
            body = row["body"].decode("utf-8", "replace")
            assert leaks(body) == [], row["type"]
            assert not any(contact in body for contact in CONTACT), row["type"]
    assert found > 10
    logs = list(folder.logs.iterdir())
    assert len(logs) > len(SERVICES)
    for path in logs:
        written = path.read_text("utf-8", "replace")
        assert leaks(written) == [], path.name
        assert not any(contact in written for contact in CONTACT), path.name


@pytest.mark.covers("V04")
async def test_nothing_that_the_team_can_ask_tells_how_to_reach_the_buyer(
    negotiation: Negotiation, planted: tuple[Negotiation, Foreign]
) -> None:
    _, names = planted
    reading = ("Get", "List", "Compare", "Export")
    told = set()
    for name in METHODS:
        bare = name.rpartition(".")[2]
        if name in STREAMED or not (bare.startswith(reading) or ".messaging." in name):
            continue
        _, answer = await answered(negotiation.shop.owner, name, MATRIX[name].request(names))
        if any(contact in str(answer) for contact in CONTACT):
            told.add(bare)
    assert told == {"RevealPhone"}
