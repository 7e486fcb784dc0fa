"""One incoming call: who calls, by which rule, under which idempotency key."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from google.protobuf.message import Message

from chassis.idempotency import IdempotencyKey
from chassis.kernel.caller import ANONYMOUS, Caller, Relation, Role, Rule
from chassis.kernel.machine import Actor
from chassis.kernel.refusal import denied, not_found
from chassis.telemetry import Scope, current_scope

_NOTHING: Any = object()


class Call(Scope):
    """What the chassis knows about the call that is being answered.

    For a method whose relation is PARTY, the answer leaves the process only after `party` or `scoped` was
    called.
    """

    __slots__ = (
        "_answer",
        "_answered",
        "_decided",
        "acting_for",
        "caller",
        "encoder",
        "idempotency",
        "method",
        "rule",
    )

    def __init__(
        self,
        method: str,
        rule: Rule,
        *,
        caller: Caller = ANONYMOUS,
        traceparent: str = "",
        deadline: float | None = None,
    ) -> None:
        # Scope's fields are set here and not by super(): this runs once for every call.
        self.operation = self.method = method
        self._traceparent = traceparent
        self.deadline = deadline
        self.rule = rule
        self.caller = caller
        self.acting_for = ""
        """In whose name the caller says to call; until that is decided."""
        self.idempotency: IdempotencyKey | None = None
        self.encoder: Callable[[Any], Message] | None = None
        self._decided = rule.relation is not Relation.PARTY
        self._answered: Any = _NOTHING
        self._answer: Message | None = None

    @property
    def principal(self) -> str:
        """The caller's name, such as `users/ana`; empty for an anonymous caller."""
        return self.caller.user

    @property
    def action(self) -> str:
        """The bare method name, such as `AcceptOffer`."""
        return self.method.rpartition("/")[2]

    @property
    def decided(self) -> bool:
        """Whether it was decided that this caller may have the answer."""
        return self._decided

    def party(
        self,
        *,
        buyer: str,
        seller: str,
        name: str,
        observers: Collection[str] = (),
        copies: Collection[str] = (),
    ) -> Actor:
        """The part that the caller plays for the resource `name`, which was just loaded.

        `buyer` is `users/{id}`, `seller` is `sellers/{id}`, `observers` the `observers/{id}` of the resource,
        `copies` the `users/{id}` who are in copy of it.
        Refusal NOT_FOUND for somebody without any part in it, DENIED for one whose role the method does not
        list.
        """
        self._decided = True
        related = False
        for role, actor in self._parts(buyer, seller, observers, copies):
            related = True
            if role in self.rule.roles:
                return actor
        caller = self.caller
        if caller.is_operator and Role.OPERATOR in self.rule.roles:
            return Actor.OPERATOR
        if caller.is_service and Role.SERVICE in self.rule.roles:
            return Actor.SERVICE
        if related or (buyer and buyer == caller.user):
            raise denied(self.action, name)
        raise not_found(name)

    def _parts(
        self, buyer: str, seller: str, observers: Collection[str], copies: Collection[str]
    ) -> list[tuple[Role, Actor]]:
        caller = self.caller
        parts: list[tuple[Role, Actor]] = []
        if buyer and caller.user == buyer and caller.is_buyer:
            parts.append((Role.BUYER, Actor.BUYER))
        role = caller.role_in(seller) if seller else None
        if role is not None:
            parts.append((role, Actor.SELLER))
        if observers and not caller.observers.isdisjoint(observers):
            parts.append((Role.OBSERVER, Actor.OBSERVER))
        if caller.user in copies:
            parts.append((Role.COPY, Actor.COPY))
        return parts

    def scoped(self) -> None:
        """Declare that the answer holds only what this caller may see, as a filtered list does."""
        self._decided = True

    def undecided(self) -> None:
        """Take a decision back: what comes next has to be decided anew."""
        self._decided = False

    def once(self, key: str, fingerprint: bytes) -> None:
        """Makes a call with a stream of requests repeatable by the key that its first request carried, unless
        that is empty; `fingerprint` digests all that was sent.
        """
        if key:
            self.idempotency = IdempotencyKey(self.principal, self.method, key, fingerprint)

    def answer(self, result: Any) -> Message:
        """The response message for `result`; encoded once, so that the stored answer is the one that is
        sent.
        """
        if self._answered is not result:
            if self.encoder is None:
                raise RuntimeError(f"{self.method} was not answered through respond()")
            self._answer = self.encoder(result)
            self._answered = result
        assert self._answer is not None
        return self._answer


def current_call() -> Call:
    """The call that the running task answers; LookupError outside of one."""
    scope = current_scope()
    if isinstance(scope, Call):
        return scope
    raise LookupError("no call is being answered here")
