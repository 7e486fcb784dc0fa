"""Signing keys of a stack and the tokens made with them.

`python -m stack.keys <auth folder>` makes what is missing; a process of its own, because the cryptography
library takes more memory than the whole supervisor.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stack.data_folder import write_atomically
from stack.failure import StackError

ISSUER: Final = "parley"
AUDIENCE: Final = "parley"
DEFAULT_TTL_SECONDS: Final = 12 * 3600
_KEY_FILES: Final = ("issuer.pem", "service.pem")
# Neither key speaks for the subjects of the other.
_SUBJECTS: Final = {"issuer.pem": "users", "service.pem": "services"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for: the subject and the roles, written as in the API reference."""

    subject: str
    roles: tuple[str, ...]


def identity(
    kind: str,
    *,
    user: str | None = None,
    seller: str | None = None,
    role: str = "owner",
    observer: str | None = None,
) -> Identity:
    """The identity behind `stack token --as kind`; without `user`, one is named after the kind.

    StackError if the kind needs a seller or an observer that is not given.
    """
    if kind == "buyer":
        return Identity(f"users/{user or 'buyer'}", ("buyer",))
    if kind == "seller":
        if not seller:
            raise StackError("A seller's token needs the seller.", "For example: --as seller --seller acme")
        return Identity(f"users/{user or f'{seller}-{role}'}", (f"seller:{seller}:{role}",))
    if kind == "observer":
        if not observer:
            raise StackError(
                "An observer's token needs the observer.", "For example: --as observer --observer bosch"
            )
        return Identity(f"users/{user or f'{observer}-observer'}", (f"observer:{observer}",))
    if kind == "operator":
        return Identity(f"users/{user or 'operator'}", ("operator",))
    raise StackError(f"Nobody is called {kind!r}.", "Use buyer, seller, observer or operator.")


def issue(
    key_file: Path,
    who: Identity,
    *,
    ttl_seconds: int = DEFAULT_TTL_SECONDS,
    issuer: str = ISSUER,
    audience: str = AUDIENCE,
    now: float | None = None,
) -> str:
    """Sign a token for `who` with the issuer's key; it ends `ttl_seconds` after `now` (Unix time).

    Without `now`, the clock decides. StackError if the key cannot be read.
    """
    import jwt
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except FileNotFoundError:
        raise StackError(f"{key_file} does not exist.", "Start the stack once: python -m stack up") from None
    except PermissionError:
        raise StackError(
            f"{key_file} belongs to another user.", "Work as the user who started the stack."
        ) from None
    assert isinstance(key, Ed25519PrivateKey)
    issued = int(time.time() if now is None else now)
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": who.subject,
        "roles": list(who.roles),
        "iat": issued,
        "exp": issued + ttl_seconds,
    }
    kid = _public_jwk(key.public_key().public_bytes_raw())["kid"]
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": kid})


def ensure(folder: Path) -> None:
    """Make the private keys that are missing, and the JWKS of the public halves of both."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    public = []
    for name in _KEY_FILES:
        path = folder / name
        if not path.exists():
            pem = Ed25519PrivateKey.generate().private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            write_atomically(path, pem.decode(), mode=0o600)
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        jwk = _public_jwk(key.public_key().public_bytes_raw())
        public.append({**jwk, "parley_subjects": _SUBJECTS[name]})
    write_atomically(folder / "jwks.json", json.dumps({"keys": public}, indent=1), mode=0o644)


def are_complete(folder: Path) -> bool:
    """Whether `ensure` has nothing to do. The JWKS is written last, so it vouches for the keys before it."""
    return all((folder / name).exists() for name in (*_KEY_FILES, "jwks.json"))


def _public_jwk(raw: bytes) -> dict[str, str]:
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    # RFC 7638: the thumbprint of the required members, in this order and spacing, names the key.
    thumbprint = hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest()
    return {**members, "kid": _base64url(thumbprint), "use": "sig", "alg": "EdDSA"}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


if __name__ == "__main__":
    ensure(Path(sys.argv[1]))
