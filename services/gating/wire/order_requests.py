"""Order requests."""

from __future__ import annotations

from typing import Final

from chassis.kernel.ids import parse_name
from chassis.kernel.machine import Actor
from chassis.kernel.page import Page
from chassis.paging import next_page_token, page_request
from chassis.wire import (
    optional_instant,
    optional_timestamp,
    reason_text,
    timestamp,
    wire_money,
    write_actions,
)
from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1 import order_request_pb2 as request_pb
from services.gating.app.order_requests import (
    AnswerInformation,
    AskInformation,
    CreateOrderRequest,
    DeclineOrderRequest,
    EndOrderRequest,
    RequestView,
)
from services.gating.app.queries import ListOrderRequests
from services.gating.domain.buyer_history import BuyerHistory
from services.gating.domain.order_request import (
    DeclineReason,
    Inquiry,
    Needs,
    PackageSnapshot,
    State,
    explain,
)
from services.gating.wire.gate import decision_message

WireRequest = request_pb.OrderRequest

STATES: Final = {state: WireRequest.State.Value(f"STATE_{state.value.upper()}") for state in State}
"""The wire's value for each state."""

DECLINE_REASONS: Final = {
    reason: WireRequest.DeclineReason.Value(f"DECLINE_REASON_{reason.value}") for reason in DeclineReason
}
"""The wire's value for each reason."""

_STATES_BACK = {value: state for state, value in STATES.items()}
_DECLINE_REASONS_BACK = {value: reason for reason, value in DECLINE_REASONS.items()}
_ACTING = frozenset({Actor.BUYER, Actor.SELLER, Actor.OPERATOR})


def create_order_request_command(request: pb.CreateOrderRequestRequest) -> CreateOrderRequest:
    """What the buyer asks for."""
    parse_name(request.package, "sellers/*/listings/*/packages/*", field="package")
    needs = request.needs
    return CreateOrderRequest(
        request.package,
        Needs(
            needs.text,
            tuple((answer.question, answer.answer) for answer in needs.answers),
            tuple(needs.attachments),
            optional_instant(needs, "preferred_start_time", path="needs.preferred_start_time"),
        ),
    )


def list_order_requests_query(request: pb.ListOrderRequestsRequest, *, caller: str) -> ListOrderRequests:
    """Which requests, from where on."""
    states = tuple(_STATES_BACK[state] for state in request.states)
    page = page_request(request, scope=caller)
    return ListOrderRequests(request.seller, states, request.show_dismissed, page)


def ask_information_command(request: pb.AskInformationRequest) -> AskInformation:
    """A question."""
    return AskInformation(request.name, request.question, request.etag)


def answer_information_command(request: pb.AnswerInformationRequest) -> AnswerInformation:
    """An answer."""
    return AnswerInformation(request.name, request.answer, request.etag)


def decline_order_request_command(request: pb.DeclineOrderRequestRequest) -> DeclineOrderRequest:
    """A no. Refusal VALIDATION_FAILED where neither the reason nor the text says why."""
    reason = _DECLINE_REASONS_BACK[request.reason]
    is_other = reason is DeclineReason.OTHER
    text = reason_text(request.text, is_other=is_other, value="DECLINE_REASON_OTHER")
    return DeclineOrderRequest(request.name, reason, text, request.etag)


def end_order_request_command(
    request: pb.WithdrawOrderRequestRequest | pb.CloseOrderRequestRequest | pb.DismissOrderRequestRequest,
) -> EndOrderRequest:
    """An end, or what follows it."""
    return EndOrderRequest(request.name, request.etag)


def order_request_message(view: RequestView) -> WireRequest:
    """A request as its caller sees it."""
    request = view.request
    state = request.state_at(view.now)
    message = WireRequest(
        name=request.name,
        seller=request.seller,
        buyer=request.buyer,
        package=request.package,
        package_snapshot=_snapshot(request.snapshot),
        needs=_needs(request.needs),
        state=STATES[state],
        gate_decision=decision_message(request.decision),
        inquiries=[_inquiry(inquiry) for inquiry in request.inquiries],
        decline_text=request.decline_text,
        offer=request.offer,
        order=request.order,
        conversation=request.conversation,
        expire_time=optional_timestamp(request.expire_time if state is State.PENDING else None),
        answer_expire_time=optional_timestamp(
            request.answer_expire_time if state is State.INFO_REQUESTED else None
        ),
        first_response_time=optional_timestamp(request.first_response_time),
        etag=request.etag,
        create_time=timestamp(request.create_time),
        update_time=timestamp(request.update_time),
        reminder_count=request.reminders,
        next_reminder_time=optional_timestamp(request.next_reminder_time if state is State.PENDING else None),
        arrived_while_unavailable=request.arrived_while_unavailable,
        unavailable_until=optional_timestamp(request.decision.verdict.unavailable_until),
    )
    if request.decline_reason is not None:
        message.decline_reason = DECLINE_REASONS[request.decline_reason]
    if view.actor in _ACTING:
        write_actions(message, explain(request, view.actor, view.now), explanations={})
    if view.actor is Actor.SELLER:
        message.dismissed = request.dismissed
    if view.history is not None:
        message.buyer_history.CopyFrom(_history(view.history))
    return message


def _history(history: BuyerHistory) -> WireRequest.BuyerHistory:
    return WireRequest.BuyerHistory(
        confirmed_orders=history.confirmed_orders,
        requests=[
            WireRequest.BuyerHistory.StateCount(state=STATES[state], count=count)
            for state, count in history.requests
        ],
        first_seen_time=timestamp(history.first_seen_time),
    )


def _snapshot(snapshot: PackageSnapshot) -> WireRequest.PackageSnapshot:
    package = snapshot.package
    return WireRequest.PackageSnapshot(
        listing_title=snapshot.listing_title,
        title=package.title,
        price=wire_money(package.price),
        delivery_days=package.delivery_days,
    )


def _needs(needs: Needs) -> request_pb.Needs:
    return request_pb.Needs(
        text=needs.text,
        answers=[
            request_pb.Needs.Answer(question=question, answer=answer) for question, answer in needs.answers
        ],
        attachments=needs.attachments,
        preferred_start_time=optional_timestamp(needs.preferred_start_time),
    )


def _inquiry(inquiry: Inquiry) -> WireRequest.Inquiry:
    return WireRequest.Inquiry(
        question=inquiry.question,
        ask_time=timestamp(inquiry.ask_time),
        answer=inquiry.answer,
        answer_time=optional_timestamp(inquiry.answer_time),
    )


def create_order_request_response(view: RequestView) -> pb.CreateOrderRequestResponse:
    """The request."""
    return pb.CreateOrderRequestResponse(order_request=order_request_message(view))


def get_order_request_response(view: RequestView) -> pb.GetOrderRequestResponse:
    """The request."""
    return pb.GetOrderRequestResponse(order_request=order_request_message(view))


def ask_information_response(view: RequestView) -> pb.AskInformationResponse:
    """The request."""
    return pb.AskInformationResponse(order_request=order_request_message(view))


def answer_information_response(view: RequestView) -> pb.AnswerInformationResponse:
    """The request."""
    return pb.AnswerInformationResponse(order_request=order_request_message(view))


def decline_order_request_response(view: RequestView) -> pb.DeclineOrderRequestResponse:
    """The request."""
    return pb.DeclineOrderRequestResponse(order_request=order_request_message(view))


def withdraw_order_request_response(view: RequestView) -> pb.WithdrawOrderRequestResponse:
    """The request."""
    return pb.WithdrawOrderRequestResponse(order_request=order_request_message(view))


def close_order_request_response(view: RequestView) -> pb.CloseOrderRequestResponse:
    """The request."""
    return pb.CloseOrderRequestResponse(order_request=order_request_message(view))


def dismiss_order_request_response(view: RequestView) -> pb.DismissOrderRequestResponse:
    """The request."""
    return pb.DismissOrderRequestResponse(order_request=order_request_message(view))


def list_order_requests_response(
    request: pb.ListOrderRequestsRequest, page: Page[RequestView], *, caller: str
) -> pb.ListOrderRequestsResponse:
    """A page, and where to go on."""
    return pb.ListOrderRequestsResponse(
        order_requests=[order_request_message(view) for view in page.items],
        next_page_token=next_page_token(request, page.next_cursor, scope=caller),
    )
