"""Keys and tokens: who a token speaks for, and that the published key verifies it."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stack import keys
from stack.failure import StackError

NOW = 1_900_000_000


def verify(auth: Path, token: str) -> dict[str, object]:
    kid = jwt.get_unverified_header(token)["kid"]
    (jwk,) = [jwk for jwk in json.loads((auth / "jwks.json").read_text())["keys"] if jwk["kid"] == kid]
    raw = base64.urlsafe_b64decode(jwk["x"] + "=" * (-len(jwk["x"]) % 4))
    claims: dict[str, object] = jwt.decode(
        token,
        Ed25519PublicKey.from_public_bytes(raw),
        algorithms=["EdDSA"],
        audience="parley",
        issuer="parley",
        options={"verify_exp": False, "verify_iat": False},
    )
    return claims


@pytest.fixture
def auth(tmp_path: Path) -> Path:
    keys.ensure(tmp_path)
    return tmp_path


def test_a_token_is_verified_by_the_published_key(auth: Path) -> None:
    token = keys.issue(auth / "issuer.pem", keys.identity("buyer", user="ana"), ttl_seconds=60, now=NOW)
    assert verify(auth, token) == {
        "iss": "parley",
        "aud": "parley",
        "sub": "users/ana",
        "roles": ["buyer"],
        "iat": NOW,
        "exp": NOW + 60,
    }


def test_both_keys_are_published_as_okp_keys_with_their_thumbprints(auth: Path) -> None:
    published = json.loads((auth / "jwks.json").read_text())["keys"]
    assert len({key["kid"] for key in published}) == 2
    assert all((key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA") for key in published)
    assert all("d" not in key for key in published)


def test_private_keys_are_private(auth: Path) -> None:
    modes = [stat.S_IMODE((auth / name).stat().st_mode) for name in ("issuer.pem", "service.pem")]
    assert modes == [0o600, 0o600]


def test_keys_that_exist_are_kept(auth: Path) -> None:
    before = {path.name: path.read_bytes() for path in auth.iterdir()}
    keys.ensure(auth)
    assert {path.name: path.read_bytes() for path in auth.iterdir()} == before


def test_an_interrupted_making_is_completed(auth: Path) -> None:
    issuer = (auth / "issuer.pem").read_bytes()
    (auth / "jwks.json").unlink()
    (auth / "service.pem").unlink()
    assert not keys.are_complete(auth)
    keys.ensure(auth)
    assert keys.are_complete(auth)
    assert (auth / "issuer.pem").read_bytes() == issuer


@pytest.mark.parametrize(
    ("kind", "named", "subject", "roles"),
    [
        ("buyer", {"user": "ana"}, "users/ana", ("buyer",)),
        ("seller", {"seller": "acme"}, "users/acme-owner", ("seller:acme:owner",)),
        ("seller", {"seller": "acme", "role": "agent", "user": "tom"}, "users/tom", ("seller:acme:agent",)),
        ("observer", {"observer": "bosch"}, "users/bosch-observer", ("observer:bosch",)),
        ("operator", {}, "users/operator", ("operator",)),
    ],
)
def test_who_a_token_speaks_for(
    kind: str, named: dict[str, str], subject: str, roles: tuple[str, ...]
) -> None:
    assert keys.identity(kind, **named) == keys.Identity(subject, roles)


@pytest.mark.parametrize(("kind", "needs"), [("seller", "--seller acme"), ("observer", "--observer bosch")])
def test_what_is_missing_is_asked_for(kind: str, needs: str) -> None:
    with pytest.raises(StackError, match=needs):
        keys.identity(kind)


def test_without_a_key_the_way_to_one_is_shown(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="stack up"):
        keys.issue(tmp_path / "issuer.pem", keys.identity("operator"))
