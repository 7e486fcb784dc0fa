"""Ports: defaults, derived and chosen ones, and the words for those that are taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from stack.failure import StackError
from stack.ports import LOOPBACK, Ports, choose, is_free, purpose

ROLES = Ports(8080, 9100).roles()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_the_defaults_are_the_documented_ones() -> None:
    ports = Ports(8080, 9100)
    assert {role: ports[role] for role in ROLES} == {
        "gateway": 8080,
        "gating": 9101,
        "orders": 9102,
        "offers": 9103,
        "messaging": 9104,
        "postgres": 9132,
        "nats": 9142,
        "gating metrics": 9201,
        "orders metrics": 9202,
        "offers metrics": 9203,
        "messaging metrics": 9204,
        "gateway metrics": 9205,
        "mails": 9206,
        "mail in": 9207,
    }


def test_nothing_asked_means_the_defaults() -> None:
    assert choose(port=None, base=None, remembered=None, seed="a", roles=()) == Ports(8080, 9100)


def test_another_gateway_port_brings_a_free_base_of_its_own() -> None:
    ports = choose(port=8090, base=None, remembered=None, seed="a", roles=ROLES[1:])
    assert ports.gateway == 8090
    assert ports.base != 9100
    assert all(is_free(ports[role]) for role in ROLES[1:])


def test_zero_means_any_that_is_free_outside_the_range_of_outgoing_connections() -> None:
    ports = choose(port=0, base=0, remembered=None, seed="a", roles=ROLES)
    numbers = [ports[role] for role in ROLES]
    assert len(set(numbers)) == len(numbers)
    assert all(20_000 <= number < 32_768 and is_free(number) for number in numbers)


def test_stacks_with_different_folders_start_looking_at_different_places() -> None:
    chosen = {
        choose(port=0, base=0, remembered=None, seed=f"folder {n}", roles=ROLES).base for n in range(20)
    }
    assert len(chosen) > 10


def test_free_ports_stay_the_same_from_start_to_start() -> None:
    first = choose(port=0, base=0, remembered=None, seed="a", roles=ROLES)
    assert choose(port=0, base=0, remembered=first, seed="b", roles=ROLES) == first


def test_a_remembered_port_that_is_taken_since_is_replaced(taken: int) -> None:
    ports = choose(port=0, base=0, remembered=Ports(taken, 20_000), seed="a", roles=ROLES)
    assert ports.gateway != taken


def test_a_taken_gateway_port_is_named_with_its_purpose_and_the_way_out(taken: int) -> None:
    with pytest.raises(StackError) as caught:
        choose(port=taken, base=0, remembered=None, seed="a", roles=ROLES)
    assert str(taken) in caught.value.message
    assert "the HTTP address of the gateway" in caught.value.message
    assert "--port " in caught.value.hint


def test_a_taken_inner_port_is_named_with_its_purpose_and_the_way_out(taken: int) -> None:
    with pytest.raises(StackError) as caught:
        choose(port=0, base=taken - 32, remembered=None, seed="a", roles=("postgres",))
    assert f"Port {taken} is in use" in caught.value.message
    assert "the embedded PostgreSQL" in caught.value.message
    assert "--port-base" in caught.value.hint


def test_a_port_that_nobody_listens_on_need_not_be_free(taken: int) -> None:
    chosen = choose(port=0, base=taken - 32, remembered=None, seed="a", roles=("gateway",))
    assert chosen["postgres"] == taken


@pytest.mark.parametrize(("port", "base"), [(70_000, 9100), (-1, 9100), (8080, 65_500), (8080, -200)])
def test_ports_that_do_not_exist_are_refused(port: int, base: int) -> None:
    with pytest.raises(StackError, match="do not all exist"):
        choose(port=port, base=base, remembered=None, seed="a", roles=())


def test_a_gateway_port_inside_the_derived_ones_is_refused() -> None:
    with pytest.raises(StackError, match="both the gateway's and the gRPC address of offers"):
        choose(port=9103, base=9100, remembered=None, seed="a", roles=())


def test_every_role_has_a_purpose() -> None:
    assert len({purpose(role) for role in ROLES}) == len(ROLES)
