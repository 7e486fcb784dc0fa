from __future__ import annotations

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from chassis.call import Call, current_call
from chassis.idempotency import IdempotencyKey
from chassis.kernel.caller import ANONYMOUS, Caller, Relation, Role, Rule
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import Refusal

ANA = Caller(user="users/ana", is_buyer=True)
AGENT = Caller(user="users/joe", teams={"sellers/acme": Role.SELLER_AGENT})
OWNER = Caller(user="users/eve", teams={"sellers/acme": Role.SELLER_OWNER})
STRANGER = Caller(user="users/zoe", is_buyer=True, teams={"sellers/zeta": Role.SELLER_OWNER})
OBSERVER = Caller(user="users/obs", observers=frozenset({"observers/bosch"}))
OPERATOR = Caller(user="users/op", is_operator=True)
SERVICE = Caller(user="services/orders", is_service=True)
EVERYBODY = frozenset(Role)


def answer(caller: Caller, roles: frozenset[Role], observers: tuple[str, ...] = ()) -> str:
    call = Call("/parley.offers.v1.OffersService/AcceptOffer", Rule(Relation.PARTY, roles), caller=caller)
    assert not call.decided
    try:
        return call.party(
            buyer="users/ana", seller="sellers/acme", name="offers/1", observers=observers
        ).value
    except Refusal as refusal:
        return refusal.reason
    finally:
        assert call.decided


@pytest.mark.parametrize(
    ("caller", "actor"),
    [
        (ANA, Actor.BUYER),
        (AGENT, Actor.SELLER),
        (OWNER, Actor.SELLER),
        (OPERATOR, Actor.OPERATOR),
        (SERVICE, Actor.SERVICE),
        (STRANGER, "NOT_FOUND"),
        (OBSERVER, "NOT_FOUND"),
        (ANONYMOUS, "NOT_FOUND"),
    ],
)
def test_each_caller_has_a_part_or_finds_nothing(caller: Caller, actor: str) -> None:
    assert answer(caller, EVERYBODY) == actor


@pytest.mark.parametrize("caller", [ANA, AGENT])
def test_a_party_whose_role_is_not_listed_is_denied(caller: Caller) -> None:
    assert answer(caller, frozenset({Role.SELLER_OWNER})) == "PERMISSION_DENIED"


@pytest.mark.parametrize("caller", [OPERATOR, SERVICE, STRANGER])
def test_who_is_no_party_finds_nothing_unless_listed(caller: Caller) -> None:
    assert answer(caller, frozenset({Role.BUYER, Role.SELLER_OWNER})) == "NOT_FOUND"


def test_an_observer_is_related_only_to_what_names_it() -> None:
    assert answer(OBSERVER, EVERYBODY, ("observers/bosch",)) == Actor.OBSERVER
    assert answer(OBSERVER, EVERYBODY, ("observers/siemens",)) == "NOT_FOUND"
    assert answer(OBSERVER, frozenset({Role.BUYER}), ("observers/bosch",)) == "PERMISSION_DENIED"


def test_the_buyer_without_the_role_of_one_is_denied() -> None:
    assert answer(Caller(user="users/ana"), EVERYBODY) == "PERMISSION_DENIED"


def test_who_is_buyer_and_seller_acts_in_the_role_that_the_method_lists() -> None:
    both = Caller(user="users/ana", is_buyer=True, teams={"sellers/acme": Role.SELLER_OWNER})
    assert answer(both, EVERYBODY) == Actor.BUYER
    assert answer(both, frozenset({Role.SELLER_OWNER})) == Actor.SELLER


def test_an_empty_buyer_is_nobody() -> None:
    call = Call("/s/M", Rule(Relation.PARTY, EVERYBODY))
    with pytest.raises(Refusal, match="not found"):
        call.party(buyer="", seller="", name="offers/1")


def test_only_party_methods_have_to_decide() -> None:
    for relation in (Relation.PUBLIC, Relation.SELF, Relation.TEAM):
        assert Call("/s/M", Rule(relation)).decided
    call = Call("/s/M", Rule(Relation.PARTY))
    call.scoped()
    assert call.decided
    call.undecided()
    assert not call.decided


def test_a_result_is_encoded_once() -> None:
    encoded: list[str] = []

    def encode(result: str) -> StringValue:
        encoded.append(result)
        return StringValue(value=result)

    call = Call("/s/M", Rule(Relation.PUBLIC))
    with pytest.raises(RuntimeError, match="respond"):
        call.answer("first")
    call.encoder = encode
    first, second = "first", "second"
    assert call.answer(first) is call.answer(first)
    assert call.answer(second) == StringValue(value="second")
    assert encoded == ["first", "second"]


def test_outside_of_a_call_there_is_none() -> None:
    with pytest.raises(LookupError):
        current_call()


def test_a_stream_of_requests_is_known_by_the_key_that_it_carried() -> None:
    call = Call("/x/Y", Rule(Relation.PARTY, EVERYBODY), caller=ANA)
    call.once("", b"digest")
    before = call.idempotency
    call.once("key", b"digest")
    assert before is None
    assert call.idempotency == IdempotencyKey("users/ana", "/x/Y", "key", b"digest")
