"""A buyer's request for the seller's approval. Approval is the seller's offer: there is no bare approve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from chassis.kernel.machine import ActionState, Actor, Machine, Transition
from chassis.kernel.refusal import stale_etag
from services.gating.domain import refusals
from services.gating.domain.catalogue import Listing, Package
from services.gating.domain.events import OrderRequestChanged, RequestVerb
from services.gating.domain.gate import GateDecision, Outcome
from services.gating.domain.request_rules import RequestRules

MAX_QUESTIONS: Final = 20
"""Questions that a seller may ask about one request."""

TIME_TO_ANSWER: Final = timedelta(days=30)
"""How long a question waits for the buyer's answer."""


class State(StrEnum):
    """Where a request stands."""

    PENDING = "pending"
    INFO_REQUESTED = "info_requested"
    OFFERED = "offered"
    CONVERTED = "converted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CLOSED = "closed"


OPEN_STATES: Final = (State.PENDING, State.INFO_REQUESTED, State.OFFERED)
"""A buyer has at most one request in these for a package."""

_UNDECIDED = (State.PENDING, State.INFO_REQUESTED)
_ENDED = (State.CONVERTED, State.DECLINED, State.WITHDRAWN, State.EXPIRED, State.CLOSED)
_LOST = (State.DECLINED, State.WITHDRAWN, State.EXPIRED, State.CLOSED)

MACHINE: Final = Machine(
    "order request",
    (
        Transition(_UNDECIDED, "sendOffer", (Actor.SELLER, Actor.SERVICE), State.OFFERED),
        # The seller answered in time, and the news came late.
        Transition((State.EXPIRED,), "sendOffer", (Actor.SERVICE,), State.OFFERED),
        Transition((State.PENDING,), "askInformation", (Actor.SELLER,), State.INFO_REQUESTED),
        Transition((State.INFO_REQUESTED,), "answerInformation", (Actor.BUYER,), State.PENDING),
        Transition(_UNDECIDED, "decline", (Actor.SELLER,), State.DECLINED),
        Transition(OPEN_STATES, "withdraw", (Actor.BUYER,), State.WITHDRAWN),
        Transition(_UNDECIDED, "close", (Actor.OPERATOR,), State.CLOSED),
        Transition(_UNDECIDED, "expire", (Actor.TIMER,), State.EXPIRED),
        Transition((State.PENDING,), "remind", (Actor.TIMER,)),
        Transition(_ENDED, "dismiss", (Actor.SELLER,)),
        # An accepted offer is an order that exists: it wins over whatever ended the request meanwhile.
        Transition((*OPEN_STATES, *_LOST), "convert", (Actor.SERVICE,), State.CONVERTED),
        Transition((State.OFFERED,), "reopen", (Actor.SERVICE,), State.PENDING),
        Transition((State.OFFERED,), "close", (Actor.SERVICE,), State.CLOSED),
    ),
)


class DeclineReason(StrEnum):
    """Why a seller declines."""

    NO_CAPACITY = "NO_CAPACITY"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    UNCLEAR_NEEDS = "UNCLEAR_NEEDS"
    BUDGET = "BUDGET"
    DEADLINE = "DEADLINE"
    POLICY = "POLICY"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Needs:
    """What the buyer needs; `answers` are (question, answer) of the listing's questionnaire."""

    text: str
    answers: tuple[tuple[str, str], ...] = ()
    attachments: tuple[str, ...] = ()
    preferred_start_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class PackageSnapshot:
    """The package as it was at submission."""

    listing_title: str
    package: Package


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question of the seller; `answer` is empty until the buyer answers."""

    question: str
    ask_time: datetime
    answer: str = ""
    answer_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A request. `expire_time` holds while the deadline runs, `remaining` while it rests, and then
    `answer_expire_time` is the buyer's own. `reminders` counts those of this deadline; `dismissed` is for the
    seller's team alone.
    """

    id: str
    seller: str
    buyer: str
    snapshot: PackageSnapshot
    needs: Needs
    decision: GateDecision
    rules: RequestRules
    create_time: datetime
    update_time: datetime
    state: State = State.PENDING
    inquiries: tuple[Inquiry, ...] = ()
    decline_reason: DeclineReason | None = None
    decline_text: str = ""
    offer: str = ""
    order: str = ""
    expire_time: datetime | None = None
    remaining: timedelta | None = None
    answer_expire_time: datetime | None = None
    reminders: int = 0
    dismissed: bool = False
    first_response_time: datetime | None = None
    version: int = 1

    @property
    def name(self) -> str:
        """`orderRequests/{id}`."""
        return f"orderRequests/{self.id}"

    @property
    def conversation(self) -> str:
        """Where the two talk about it."""
        return f"conversations/{self.id}"

    @property
    def package(self) -> str:
        """The package's resource name."""
        return self.snapshot.package.name

    @property
    def etag(self) -> str:
        """The version as callers see it."""
        return f"v{self.version}"

    @property
    def arrived_while_unavailable(self) -> bool:
        """Whether it was sent while the seller or the listing took no orders."""
        return self.decision.verdict.outcome is Outcome.UNAVAILABLE

    @property
    def next_reminder_time(self) -> datetime | None:
        """When the seller is reminded next; None where his deadline rests or nothing is left to remind of."""
        if self.expire_time is None:
            return None
        return self.rules.reminder_time(self.reminders, self.expire_time)

    def is_due(self, now: datetime) -> bool:
        """Whether the time of the party that is waited for is over, also where no timer has said so yet."""
        ends = (self.expire_time, self.answer_expire_time)
        return any(end is not None and now >= end for end in ends)

    def state_at(self, now: datetime) -> State:
        """The state that callers meet."""
        return State.EXPIRED if self.is_due(now) else self.state


Moved = tuple[OrderRequest, OrderRequestChanged]


@dataclass(frozen=True, slots=True)
class Submission:
    """What a buyer submits, and what was found about it."""

    id: str
    listing: Listing
    package: Package
    needs: Needs
    decision: GateDecision
    rules: RequestRules


def submit(submission: Submission, *, now: datetime) -> Moved:
    """A new request. Refused unless the gate asks for one, or nobody is there who takes orders but reads."""
    decision = submission.decision
    match decision.verdict.outcome:
        case Outcome.ALLOWED:
            raise refusals.request_not_required(decision.metadata())
        case Outcome.UNAVAILABLE if decision.verdict.messages_closed:
            raise refusals.unavailable(decision.metadata())
    request = OrderRequest(
        id=submission.id,
        seller=submission.listing.seller,
        buyer=decision.buyer,
        snapshot=PackageSnapshot(submission.listing.title, submission.package),
        needs=submission.needs,
        decision=decision,
        rules=submission.rules,
        create_time=now,
        update_time=now,
        expire_time=now + submission.rules.ttl,
    )
    return request, OrderRequestChanged(RequestVerb.SUBMITTED, request, now)


def check_etag(request: OrderRequest, etag: str) -> None:
    """Refuses a caller who acts on an old version; an empty etag names none."""
    if etag and etag != request.etag:
        raise stale_etag(request.name, etag, request.etag)


def ask_information(request: OrderRequest, question: str, *, actor: Actor, now: datetime) -> Moved:
    """The seller asks; his deadline rests until the answer, for which the buyer has a time of his own. It
    counts as the seller's first response.
    """
    state = _move(request, "askInformation", actor, now)
    if len(request.inquiries) >= MAX_QUESTIONS:
        raise refusals.too_many_questions(request.name, MAX_QUESTIONS)
    assert request.expire_time is not None
    changed = replace(
        request,
        state=state,
        inquiries=(*request.inquiries, Inquiry(question, now)),
        expire_time=None,
        remaining=request.expire_time - now,
        answer_expire_time=now + TIME_TO_ANSWER,
        first_response_time=request.first_response_time or now,
    )
    return moved(changed, RequestVerb.INFORMATION_ASKED, now)


def answer_information(request: OrderRequest, answer: str, *, actor: Actor, now: datetime) -> Moved:
    """The buyer answers the open question; the seller's deadline runs on."""
    state = _move(request, "answerInformation", actor, now)
    *earlier, asked = request.inquiries
    assert request.remaining is not None
    changed = replace(
        request,
        state=state,
        inquiries=(*earlier, replace(asked, answer=answer, answer_time=now)),
        expire_time=now + request.remaining,
        remaining=None,
        answer_expire_time=None,
    )
    return moved(changed, RequestVerb.INFORMATION_ANSWERED, now)


def decline(request: OrderRequest, reason: DeclineReason, text: str, *, actor: Actor, now: datetime) -> Moved:
    """The seller says no, with a reason."""
    changed = replace(
        at_rest(request, _move(request, "decline", actor, now)),
        decline_reason=reason,
        decline_text=text,
        first_response_time=request.first_response_time or now,
    )
    return moved(changed, RequestVerb.DECLINED, now)


def withdraw(request: OrderRequest, *, actor: Actor, now: datetime) -> Moved:
    """The buyer takes it back."""
    return moved(at_rest(request, _move(request, "withdraw", actor, now)), RequestVerb.WITHDRAWN, now)


def close(request: OrderRequest, *, actor: Actor, now: datetime) -> Moved:
    """The operator ends a request that nobody answers."""
    return moved(at_rest(request, _move(request, "close", actor, now)), RequestVerb.CLOSED, now)


def dismiss(request: OrderRequest, *, actor: Actor) -> OrderRequest:
    """The seller's team has seen enough of a request that is over. No new version: nothing happened to it."""
    MACHINE.move(request.state, "dismiss", actor, name=request.name)
    return replace(request, dismissed=True)


def explain(request: OrderRequest, actor: Actor, now: datetime) -> tuple[ActionState, ...]:
    """What `actor` may do with a request, and why not the rest; what is done already is not offered again."""
    return tuple(
        ActionState(found.action, False, "TRANSITION_FORBIDDEN")
        if request.dismissed and found.action == "dismiss"
        else found
        for found in MACHINE.explain(request.state_at(now), actor)
    )


def expire(request: OrderRequest, *, now: datetime) -> Moved | None:
    """The time of the party that is waited for ran out; None while it did not, or where something else came
    first.
    """
    if not request.is_due(now):
        return None
    state = MACHINE.move(request.state, "expire", Actor.TIMER, name=request.name)
    return moved(at_rest(request, state), RequestVerb.EXPIRED, now)


def remind(request: OrderRequest, *, now: datetime) -> Moved | None:
    """The seller is told once more that somebody waits; None where the moment has not come, or too much time
    has gone by.
    """
    due = request.next_reminder_time
    if due is None or now < due or request.is_due(now):
        return None
    state = MACHINE.move(request.state, "remind", Actor.TIMER, name=request.name)
    reminded = replace(request, state=state, reminders=request.reminders + 1)
    return moved(reminded, RequestVerb.REMINDED, now)


def _move(request: OrderRequest, event: str, actor: Actor, now: datetime) -> State:
    return MACHINE.move(request.state_at(now), event, actor, name=request.name)


def at_rest(request: OrderRequest, state: State) -> OrderRequest:
    """In a state in which no deadline runs."""
    return replace(request, state=state, expire_time=None, remaining=None, answer_expire_time=None)


def moved(request: OrderRequest, verb: RequestVerb, now: datetime) -> Moved:
    """The next version, with what happened."""
    changed = replace(request, version=request.version + 1, update_time=now)
    return changed, OrderRequestChanged(verb, changed, now)
