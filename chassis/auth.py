"""Tokens in, tokens out, and the rule that each method declares.

Tokens are JWTs signed with Ed25519 (`EdDSA`), the only algorithm that is ever tried. The verifying key is
the raw public key that the JWKS file holds under the token's `kid`; nothing that a token says about its key
is believed. A key that names `parley_subjects` (`users` or `services`) speaks for those subjects only:
whoever gets hold of a service's key still cannot speak for a user.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from google.protobuf.descriptor import MethodDescriptor

from chassis.kernel.caller import Caller, Relation, Role, Rule
from chassis.kernel.clock import Clock
from chassis.kernel.refusal import Kind, Refusal
from parley.type.v1 import authorization_pb2

ALGORITHM = "EdDSA"
SUBJECTS_MEMBER = "parley_subjects"
TOKEN_LIMIT_CHARACTERS = 8_192
ROLE_LIMIT = 200
CACHE_LIMIT_TOKENS = 4_096
CLOCK_SKEW_SECONDS = 30.0
SERVICE_TOKEN_LIFE = timedelta(minutes=10)
SERVICE_TOKEN_MARGIN = timedelta(minutes=2)

_SUBJECT = re.compile(r"(users|services)/[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_SELLER_ROLES = {"owner": Role.SELLER_OWNER, "agent": Role.SELLER_AGENT}


class KeyFileError(Exception):
    """A key file is missing, unreadable, or does not hold what it should."""


def unauthenticated(problem: str) -> Refusal:
    """The caller could not be identified; `problem` is one word for the metadata."""
    return Refusal(
        Kind.UNAUTHENTICATED,
        "UNAUTHENTICATED",
        f"the caller could not be identified: {problem}",
        metadata={"problem": problem},
    )


# -------------------------------------------------------------------------------- verifying


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    expire_time: datetime


class Verifier:
    """Turns bearer tokens into callers. Verified tokens are remembered until they expire."""

    def __init__(self, jwks_file: Path, *, issuer: str, audience: str, clock: Clock) -> None:
        """Reads the keys at once; KeyFileError where the file does not hold Ed25519 keys."""
        self._file = jwks_file
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._verified: dict[str, _Verified] = {}
        self._stamp = 0
        self._keys: Mapping[str, Ed25519PublicKey] = {}
        self._subjects: Mapping[str, str] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the key file again if it changed, forgetting every token; answers whether it did.

        An unreadable file keeps the keys that are known: KeyFileError, and nobody is locked out by a
        half-written file.
        """
        try:
            stamp = self._file.stat().st_mtime_ns
            if stamp == self._stamp:
                return False
            keys, subjects = read_jwks(self._file), read_subjects(self._file)
        except OSError as error:
            raise KeyFileError(f"{self._file} cannot be read ({error.strerror})") from error
        self._keys, self._subjects, self._stamp = keys, subjects, stamp
        self._verified.clear()
        return True

    def verify(self, token: str) -> Caller:
        """The caller that `token` stands for; Refusal UNAUTHENTICATED with the problem otherwise."""
        now = self._clock.now()
        known = self._verified.get(token)
        if known is None:
            known = self._check(token, now)
        if known.expire_time <= now:
            self._verified.pop(token, None)
            raise unauthenticated("expired")
        return known.caller

    def _check(self, token: str, at: datetime) -> _Verified:
        now = at.timestamp()
        if len(token) > TOKEN_LIMIT_CHARACTERS:
            raise unauthenticated("too_long")
        claims = self._claims(token)
        expires, issued = _instant(claims, "exp"), _instant(claims, "iat")
        if issued > now + CLOCK_SKEW_SECONDS or _instant(claims, "nbf", issued) > now + CLOCK_SKEW_SECONDS:
            raise unauthenticated("not_yet_valid")
        verified = _Verified(caller_from(claims), datetime.fromtimestamp(expires, UTC))
        if verified.expire_time > at:
            if len(self._verified) >= CACHE_LIMIT_TOKENS:
                # Insertion order is age; dropping the older half costs less than keeping a use order on
                # every call.
                for old in list(self._verified)[: CACHE_LIMIT_TOKENS // 2]:
                    del self._verified[old]
            self._verified[token] = verified
        return verified

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid", "")
            key = self._keys.get(kid) if isinstance(kid, str) else None
            if key is None:
                raise unauthenticated("unknown_key")
            # Times are checked against our own clock, which tests and simulations move.
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                options={
                    "require": ["iss", "aud", "sub", "iat", "exp"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "strict_aud": True,
                },
            )
        except jwt.InvalidSignatureError:
            raise unauthenticated("bad_signature") from None
        except jwt.InvalidIssuerError:
            raise unauthenticated("wrong_issuer") from None
        except jwt.InvalidAudienceError:
            raise unauthenticated("wrong_audience") from None
        except jwt.MissingRequiredClaimError as error:
            raise unauthenticated(f"missing_{error.claim}") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise unauthenticated("malformed") from None
        if not str(claims["sub"]).startswith(self._subjects.get(kid, "")):
            raise unauthenticated("wrong_key_for_subject")
        return claims


def _instant(claims: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = claims.get(name, default)
    # Also refuses NaN, which no comparison below would.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise unauthenticated("malformed")
    return float(value)


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """The caller whom verified claims describe; roles that nobody knows are ignored.

    Refusal UNAUTHENTICATED for a subject that is neither `users/{id}` nor `services/{name}`, and for a user
    who claims to be a service.
    """
    subject, roles = claims.get("sub"), claims.get("roles", [])
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise unauthenticated("bad_subject")
    if not isinstance(roles, list) or len(roles) > ROLE_LIMIT or not all(isinstance(r, str) for r in roles):
        raise unauthenticated("bad_roles")
    is_service = "service" in roles
    if is_service != subject.startswith("services/"):
        raise unauthenticated("bad_subject")
    teams: dict[str, Role] = {}
    observers: set[str] = set()
    for role in roles:
        match role.split(":"):
            case ["seller", seller, place] if place in _SELLER_ROLES and _SLUG.fullmatch(seller):
                name = f"sellers/{seller}"
                # Somebody who is both owner and agent is an owner.
                teams[name] = Role.SELLER_OWNER if place == "owner" else teams.get(name, Role.SELLER_AGENT)
            case ["observer", observer] if _SLUG.fullmatch(observer):
                observers.add(f"observers/{observer}")
    return Caller(
        user=subject,
        teams=teams,
        observers=frozenset(observers),
        is_buyer="buyer" in roles,
        is_operator="operator" in roles,
        is_service=is_service,
    )


# -------------------------------------------------------------------------------- keys and tokens


def read_jwks(file: Path) -> Mapping[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JWKS file by `kid`; KeyFileError where there is none. OSError passes through."""
    try:
        entries = json.loads(file.read_text("utf-8"))["keys"]
        keys = {
            entry["kid"]: Ed25519PublicKey.from_public_bytes(_unbase64(entry["x"]))
            for entry in entries
            if entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519"
        }
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise KeyFileError(f"{file} is not a JWKS file with keys that have kid and x") from error
    if not keys:
        raise KeyFileError(f"{file} holds no Ed25519 key")
    return keys


def read_subjects(file: Path) -> Mapping[str, str]:
    """The subjects that keys are bound to, as prefixes (`services/`) by `kid`; unbound keys are missing.

    KeyFileError for a binding that nobody knows. OSError passes through.
    """
    found = {}
    for entry in json.loads(file.read_text("utf-8"))["keys"]:
        subjects = entry.get(SUBJECTS_MEMBER)
        if subjects not in (None, "users", "services"):
            raise KeyFileError(f"{file}: {SUBJECTS_MEMBER} is neither users nor services")
        if subjects:
            found[entry["kid"]] = f"{subjects}/"
    return found


def write_jwks(file: Path, keys: Sequence[tuple[str, Ed25519PublicKey]]) -> None:
    """Write public keys, each under its `kid`, as a JWKS file."""
    entries = [
        {"kty": "OKP", "crv": "Ed25519", "alg": ALGORITHM, "use": "sig", "kid": kid, "x": _base64(_raw(key))}
        for kid, key in keys
    ]
    file.write_text(json.dumps({"keys": entries}, indent=2) + "\n", "utf-8")


def read_private_key(file: Path) -> Ed25519PrivateKey:
    """The Ed25519 private key of a PEM file; KeyFileError for anything else."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyFileError(f"{file} is not a readable private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{file} is not an Ed25519 key")
    return key


def write_private_key(file: Path, key: Ed25519PrivateKey) -> None:
    """Write a private key in PEM, readable by its owner only."""
    file.touch(mode=0o600, exist_ok=True)
    file.chmod(0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Issuer:
    """Signs tokens with one private key; for the runner's own issuer, for service identities and for
    tests.
    """

    def __init__(self, key: Ed25519PrivateKey, kid: str, *, issuer: str, audience: str, clock: Clock) -> None:
        self._key = key
        self._kid = kid
        self._issuer = issuer
        self._audience = audience
        self._clock = clock

    def token(self, subject: str, roles: Sequence[str], life: timedelta) -> str:
        """A token for `subject` (`users/ana`) with roles as claims spell them (`seller:acme:owner`)."""
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "iat": now,
            "exp": now + int(life.total_seconds()),
            "roles": list(roles),
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self._kid})


class ServiceIdentity:
    """What a service shows to its peers: a short-lived token, renewed before it expires."""

    def __init__(self, service: str, issuer: Issuer, clock: Clock) -> None:
        self._subject = f"services/{service}"
        self._issuer = issuer
        self._clock = clock
        self._token = ""
        self._renew = 0.0

    @classmethod
    def open(
        cls, service: str, key_file: Path, jwks_file: Path, *, issuer: str, audience: str, clock: Clock
    ) -> ServiceIdentity:
        """Read the private key and find its `kid` in the JWKS; KeyFileError where its public half is
        missing.
        """
        key = read_private_key(key_file)
        own = _raw(key.public_key())
        try:
            kids = [kid for kid, public in read_jwks(jwks_file).items() if _raw(public) == own]
        except OSError as error:
            raise KeyFileError(f"{jwks_file} cannot be read ({error.strerror})") from error
        if not kids:
            raise KeyFileError(
                f"the public half of {key_file} is not in {jwks_file}, so nobody would believe it"
            )
        return cls(service, Issuer(key, kids[0], issuer=issuer, audience=audience, clock=clock), clock)

    def token(self) -> str:
        """A token with at least SERVICE_TOKEN_MARGIN left."""
        now = self._clock.now().timestamp()
        if now >= self._renew:
            self._token = self._issuer.token(self._subject, ["service"], SERVICE_TOKEN_LIFE)
            self._renew = now + (SERVICE_TOKEN_LIFE - SERVICE_TOKEN_MARGIN).total_seconds()
        return self._token


# -------------------------------------------------------------------------------- rules


_RELATIONS = {
    authorization_pb2.RELATION_PUBLIC: Relation.PUBLIC,
    authorization_pb2.RELATION_SELF: Relation.SELF,
    authorization_pb2.RELATION_TEAM: Relation.TEAM,
    authorization_pb2.RELATION_PARTY: Relation.PARTY,
}
_ROLES = {
    authorization_pb2.ROLE_BUYER: Role.BUYER,
    authorization_pb2.ROLE_SELLER_AGENT: Role.SELLER_AGENT,
    authorization_pb2.ROLE_SELLER_OWNER: Role.SELLER_OWNER,
    authorization_pb2.ROLE_OBSERVER: Role.OBSERVER,
    authorization_pb2.ROLE_OPERATOR: Role.OPERATOR,
    authorization_pb2.ROLE_SERVICE: Role.SERVICE,
    authorization_pb2.ROLE_COPY: Role.COPY,
}


def rule_of(method: MethodDescriptor) -> Rule | None:
    """The rule that a method declares; None where it declares none, so that it refuses everybody."""
    options = method.GetOptions()
    if not options.HasExtension(authorization_pb2.authorization):
        return None
    declared = options.Extensions[authorization_pb2.authorization]
    relation = _RELATIONS.get(declared.relation)
    if relation is None:
        return None
    roles = frozenset(_ROLES[role] for role in declared.roles if role in _ROLES)
    return Rule(relation, roles, declared.seller_field, frozenset(declared.delegates))


ACTING_FOR = "parley-acting-for"
"""The metadata in which a service names the buyer in whose name it calls."""
_BUYER = re.compile(r"users/[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def acting_for(caller: Caller, subject: str, rule: Rule) -> Caller:
    """The buyer `subject`, in whose name the service `caller` calls. Refusal UNAUTHENTICATED where the rule
    of the method does not name that service.

    He is nothing but a buyer: what else his own token would say is unknown here.
    """
    if not caller.is_service or caller.user not in rule.delegates or not _BUYER.fullmatch(subject):
        raise unauthenticated("wrong_delegate")
    return Caller(user=subject, is_buyer=True, via=caller.user)
