"""The token check at the edge.

It spares the services calls that cannot succeed. They verify every token again and trust nothing that the
gateway says about a caller, so this is no security boundary: a mistake in it opens nothing.
"""

from __future__ import annotations

from typing import Protocol

from google.protobuf.descriptor import MethodDescriptor

from chassis.auth import rule_of
from chassis.kernel.caller import ANONYMOUS, Caller, Relation
from chassis.kernel.refusal import Refusal
from gateway.errors import unauthenticated

_SCHEME = "bearer "


class TokenVerifier(Protocol):
    """What the gateway needs of `chassis.auth.Verifier`."""

    def verify(self, token: str) -> Caller:
        """The caller behind a token; Refusal UNAUTHENTICATED."""
        ...


def is_public(method: MethodDescriptor) -> bool:
    """Whether the method answers callers without a token."""
    rule = rule_of(method)
    return rule is not None and rule.relation is Relation.PUBLIC


def identify(verifier: TokenVerifier, authorization: bytes | None, *, public: bool) -> Caller:
    """The caller of a request; raises Problem 401.

    A token that is sent is verified also where none is needed: a caller who believes to be known must not get
    an anonymous answer.
    """
    if authorization is None:
        if public:
            return ANONYMOUS
        raise unauthenticated("missing")
    text = authorization.decode("latin-1")
    if text[: len(_SCHEME)].lower() != _SCHEME:
        raise unauthenticated("not_a_bearer_token")
    try:
        return verifier.verify(text[len(_SCHEME) :].strip())
    except Refusal as refusal:
        raise unauthenticated(refusal.metadata.get("problem", "malformed")) from None
