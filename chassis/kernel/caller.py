"""Who calls, and what a method demands of a caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What a caller can be towards a resource."""

    BUYER = "buyer"
    SELLER_AGENT = "seller_agent"
    SELLER_OWNER = "seller_owner"
    OBSERVER = "observer"
    OPERATOR = "operator"
    SERVICE = "service"
    COPY = "copy"


_NO_TEAMS: Mapping[str, Role] = MappingProxyType({})


class Relation(StrEnum):
    """What decides whether a caller may use a method."""

    PUBLIC = "public"
    SELF = "self"
    TEAM = "team"
    PARTY = "party"


@dataclass(frozen=True, slots=True)
class Caller:
    """The verified identity behind a call.

    `user` is ``users/ana``, ``services/orders``, or empty for an anonymous caller. `teams` maps
    ``sellers/acme`` to the caller's role there; `observers` holds names such as ``observers/bosch``. `via` is
    the service that calls in his name, empty where he calls himself.
    """

    user: str = ""
    teams: Mapping[str, Role] = field(default_factory=lambda: _NO_TEAMS, hash=False)
    observers: frozenset[str] = frozenset()
    is_buyer: bool = False
    is_operator: bool = False
    is_service: bool = False
    via: str = ""
    roles: frozenset[Role] = field(init=False, compare=False, repr=False)
    """Every role that the caller has anywhere."""

    def __post_init__(self) -> None:
        found = set(self.teams.values())
        if self.is_buyer:
            found.add(Role.BUYER)
        if self.is_operator:
            found.add(Role.OPERATOR)
        if self.is_service:
            found.add(Role.SERVICE)
        if self.observers:
            found.add(Role.OBSERVER)
        object.__setattr__(self, "roles", frozenset(found))

    def role_in(self, seller: str) -> Role | None:
        """The caller's role in the team of ``sellers/{x}``; None outside of it."""
        return self.teams.get(seller)


ANONYMOUS = Caller()
"""The caller without a token."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The authorization option of one method; `seller_field` is read for `Relation.TEAM` only. `delegates`
    are the services that may call in the name of a buyer.
    """

    relation: Relation
    roles: frozenset[Role] = frozenset()
    seller_field: str = ""
    delegates: frozenset[str] = frozenset()
