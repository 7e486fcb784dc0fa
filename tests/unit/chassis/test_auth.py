from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis import auth
from chassis.auth import Issuer, KeyFileError, ServiceIdentity, Verifier
from chassis.kernel.caller import ANONYMOUS, Caller, Relation, Role, Rule
from chassis.kernel.clock import ManualClock
from chassis.kernel.refusal import Refusal
from parley.gating.v1 import gating_service_pb2
from parley.messaging.v1 import messaging_service_pb2
from parley.offers.v1 import offers_service_pb2
from parley.orders.v1 import orders_service_pb2

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def jwks(tmp_path: Path) -> Path:
    file = tmp_path / "jwks.json"
    auth.write_jwks(file, [("one", KEY.public_key())])
    return file


@pytest.fixture
def verifier(jwks: Path, clock: ManualClock) -> Verifier:
    return Verifier(jwks, issuer="parley", audience="parley", clock=clock)


def issuer(clock: ManualClock, **changes: Any) -> Issuer:
    arguments: dict[str, Any] = {"key": KEY, "kid": "one", "issuer": "parley", "audience": "parley"} | changes
    return Issuer(arguments.pop("key"), arguments.pop("kid"), clock=clock, **arguments)


def problem_of(verifier: Verifier, token: str) -> str:
    with pytest.raises(Refusal) as caught:
        verifier.verify(token)
    assert caught.value.reason == "UNAUTHENTICATED"
    return caught.value.metadata["problem"]


def test_a_token_becomes_a_caller(verifier: Verifier, clock: ManualClock) -> None:
    roles = ["buyer", "seller:acme:agent", "seller:zeta:owner", "observer:bosch", "operator", "astronaut"]
    caller = verifier.verify(issuer(clock).token("users/ana", roles, HOUR))
    assert caller == Caller(
        user="users/ana",
        teams={"sellers/acme": Role.SELLER_AGENT, "sellers/zeta": Role.SELLER_OWNER},
        observers=frozenset({"observers/bosch"}),
        is_buyer=True,
        is_operator=True,
    )


def test_an_owner_who_is_an_agent_too_is_an_owner() -> None:
    for roles in (["seller:a:owner", "seller:a:agent"], ["seller:a:agent", "seller:a:owner"]):
        caller = auth.caller_from({"sub": "users/ana", "roles": roles})
        assert caller.teams == {"sellers/a": Role.SELLER_OWNER}


def test_an_expired_token_is_refused_also_where_it_was_seen_before(
    verifier: Verifier, clock: ManualClock
) -> None:
    token = issuer(clock).token("users/ana", ["buyer"], HOUR)
    assert verifier.verify(token).user == "users/ana"
    clock.advance(HOUR - timedelta(seconds=1))
    assert verifier.verify(token).user == "users/ana"
    clock.advance(timedelta(seconds=1))
    assert problem_of(verifier, token) == "expired"
    assert problem_of(verifier, token) == "expired"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"key": OTHER_KEY}, "bad_signature"),
        ({"kid": "two"}, "unknown_key"),
        ({"issuer": "else"}, "wrong_issuer"),
        ({"audience": "else"}, "wrong_audience"),
    ],
)
def test_a_token_of_somebody_else_is_refused(
    verifier: Verifier, clock: ManualClock, changes: dict[str, Any], problem: str
) -> None:
    assert problem_of(verifier, issuer(clock, **changes).token("users/ana", [], HOUR)) == problem


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "iat", "exp"])
def test_every_required_claim_is_required(verifier: Verifier, missing: str) -> None:
    now = NOW.timestamp()
    claims = {"iss": "parley", "aud": "parley", "sub": "users/a", "iat": now, "exp": now + 60, "roles": []}
    del claims[missing]
    token = jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "one"})
    assert problem_of(verifier, token) == f"missing_{missing}"


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"exp": "soon"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"iat": NOW.timestamp() + 3600}, "not_yet_valid"),
        ({"nbf": NOW.timestamp() + 3600}, "not_yet_valid"),
        ({"sub": "root"}, "bad_subject"),
        ({"sub": "users/../x"}, "bad_subject"),
        ({"roles": "operator"}, "bad_roles"),
        ({"roles": ["service"]}, "bad_subject"),
        ({"sub": "services/orders"}, "bad_subject"),
        ({"aud": ["parley", "other"]}, "wrong_audience"),
    ],
)
def test_claims_that_make_no_sense_are_refused(
    verifier: Verifier, claims: dict[str, Any], problem: str
) -> None:
    now = NOW.timestamp()
    whole = {"iss": "parley", "aud": "parley", "sub": "users/a", "iat": now, "exp": now + 60, "roles": []}
    token = jwt.encode(whole | claims, KEY, algorithm="EdDSA", headers={"kid": "one"})
    assert problem_of(verifier, token) == problem


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.", "é.é.é", "x" * 10_000])
def test_nonsense_is_refused(verifier: Verifier, text: str) -> None:
    assert problem_of(verifier, text) in {"malformed", "too_long", "unknown_key"}


def test_no_other_algorithm_is_ever_tried(verifier: Verifier, clock: ManualClock) -> None:
    now = NOW.timestamp()
    claims = {"iss": "parley", "aud": "parley", "sub": "users/a", "iat": now, "exp": now + 60, "roles": []}
    public = KEY.public_key().public_bytes_raw()
    for algorithm, secret in (("none", ""), ("HS256", public)):
        token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": "one"})
        assert problem_of(verifier, token) == "malformed"


def test_a_changed_key_file_forgets_the_keys_that_left_it(
    verifier: Verifier, jwks: Path, clock: ManualClock
) -> None:
    old = issuer(clock).token("users/ana", [], HOUR)
    assert verifier.verify(old).user == "users/ana"
    assert not verifier.refresh()
    auth.write_jwks(jwks, [("two", OTHER_KEY.public_key()), ("three", KEY.public_key())])
    assert verifier.refresh()
    assert problem_of(verifier, old) == "unknown_key"
    assert (
        verifier.verify(issuer(clock, key=OTHER_KEY, kid="two").token("users/bo", [], HOUR)).user
        == "users/bo"
    )


def test_a_broken_key_file_keeps_the_keys_that_are_known(
    verifier: Verifier, jwks: Path, clock: ManualClock
) -> None:
    jwks.write_text("{", "utf-8")
    with pytest.raises(KeyFileError):
        verifier.refresh()
    assert verifier.verify(issuer(clock).token("users/ana", [], HOUR)).user == "users/ana"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"keys": []}', json.dumps({"keys": [{"kty": "RSA", "kid": "1"}]})]
)
def test_a_file_without_keys_stops_the_process(tmp_path: Path, clock: ManualClock, text: str) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(text, "utf-8")
    with pytest.raises(KeyFileError):
        Verifier(file, issuer="parley", audience="parley", clock=clock)


def test_the_cache_is_bounded(
    verifier: Verifier, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_LIMIT_TOKENS", 8)
    sign = issuer(clock)
    for number in range(30):
        verifier.verify(sign.token(f"users/u{number}", [], HOUR))
    assert len(verifier._verified) <= 8


def test_a_service_proves_who_it_is_and_renews_its_token(
    tmp_path: Path, jwks: Path, verifier: Verifier, clock: ManualClock
) -> None:
    file = tmp_path / "service.pem"
    auth.write_private_key(file, KEY)
    assert file.stat().st_mode & 0o777 == 0o600
    identity = ServiceIdentity.open("orders", file, jwks, issuer="parley", audience="parley", clock=clock)
    first = identity.token()
    caller = verifier.verify(first)
    assert (caller.user, caller.is_service) == ("services/orders", True)
    clock.advance(timedelta(minutes=7))
    assert identity.token() == first
    clock.advance(timedelta(minutes=1))
    assert identity.token() != first


def test_a_service_key_that_nobody_would_believe_stops_the_process(
    tmp_path: Path, jwks: Path, clock: ManualClock
) -> None:
    file = tmp_path / "service.pem"
    auth.write_private_key(file, OTHER_KEY)
    with pytest.raises(KeyFileError, match="nobody would believe it"):
        ServiceIdentity.open("orders", file, jwks, issuer="parley", audience="parley", clock=clock)
    file.write_text("no key", "utf-8")
    with pytest.raises(KeyFileError, match="not a readable private key"):
        auth.read_private_key(file)


def bind(jwks: Path, subjects: str) -> None:
    content = json.loads(jwks.read_text())
    content["keys"][0][auth.SUBJECTS_MEMBER] = subjects
    jwks.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("subjects", "allowed", "refused"),
    [("services", "services/orders", "users/ana"), ("users", "users/ana", "services/orders")],
)
def test_a_bound_key_speaks_for_its_subjects_only(
    jwks: Path, clock: ManualClock, subjects: str, allowed: str, refused: str
) -> None:
    bind(jwks, subjects)
    verifier = Verifier(jwks, issuer="parley", audience="parley", clock=clock)

    def token(subject: str) -> str:
        return issuer(clock).token(subject, ["service"] if subject.startswith("services/") else [], HOUR)

    assert verifier.verify(token(allowed)).user == allowed
    assert problem_of(verifier, token(refused)) == "wrong_key_for_subject"


def test_a_binding_that_nobody_knows_is_refused(jwks: Path, clock: ManualClock) -> None:
    bind(jwks, "everybody")
    with pytest.raises(KeyFileError, match="neither users nor services"):
        Verifier(jwks, issuer="parley", audience="parley", clock=clock)


# -------------------------------------------------------------------------------- in somebody's name


MAIL = Caller("services/messaging", is_service=True)
ANSWERING = Rule(Relation.PARTY, frozenset({Role.BUYER}), delegates=frozenset({"services/messaging"}))


def test_a_delegate_becomes_the_buyer_and_nothing_else() -> None:
    assert auth.acting_for(MAIL, "users/ana", ANSWERING) == Caller(
        "users/ana", is_buyer=True, via="services/messaging"
    )


@pytest.mark.parametrize(
    ("caller", "subject", "rule"),
    [
        (Caller("services/orders", is_service=True), "users/ana", ANSWERING),
        (MAIL, "users/ana", Rule(Relation.PARTY, frozenset({Role.BUYER, Role.SERVICE}))),
        (MAIL, "services/orders", ANSWERING),
        (MAIL, "sellers/acme", ANSWERING),
        (MAIL, "users/ana/profile", ANSWERING),
        (Caller("services/messaging", is_buyer=True), "users/ana", ANSWERING),
        (Caller("users/messaging", is_operator=True), "users/ana", ANSWERING),
        (ANONYMOUS, "users/ana", ANSWERING),
    ],
)
def test_nobody_else_speaks_for_a_buyer(caller: Caller, subject: str, rule: Rule) -> None:
    with pytest.raises(Refusal) as caught:
        auth.acting_for(caller, subject, rule)
    assert (caught.value.reason, caught.value.metadata) == ("UNAUTHENTICATED", {"problem": "wrong_delegate"})


def test_the_contract_lets_messaging_answer_offers_and_nothing_else() -> None:
    delegated = {
        method.full_name: rule.delegates
        for module in (gating_service_pb2, messaging_service_pb2, offers_service_pb2, orders_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if (rule := auth.rule_of(method)) is not None and rule.delegates
    }
    names = ("GetOffer", "AcceptOffer", "DeclineOffer")
    assert delegated == {
        f"parley.offers.v1.OffersService.{name}": frozenset({"services/messaging"}) for name in names
    }
