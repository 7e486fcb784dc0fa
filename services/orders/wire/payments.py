"""Payments, refunds and the ledger: requests to commands, views to answers."""

from __future__ import annotations

from datetime import datetime

from chassis.kernel.machine import Actor
from chassis.kernel.page import Page
from chassis.paging import next_page_token, page_request
from chassis.wire import money, optional_timestamp, reason_text, timestamp, wire_money, write_actions
from parley.orders.v1 import ledger_pb2, payment_methods_pb2, payment_pb2, provider_events_pb2, refund_pb2
from services.orders.app.actions import ResumePayment
from services.orders.app.ledger import ListLedgerEntries
from services.orders.app.order_offline import MarkPaid
from services.orders.app.ports import LedgerLine
from services.orders.app.provider_events import ReceiveProviderEvent
from services.orders.app.refunds import RefundPayment
from services.orders.app.settlement import SettlePayment
from services.orders.app.views import PaymentView
from services.orders.domain import payment as payments
from services.orders.domain.attempt import Action, Attempt, Outcome
from services.orders.domain.ledger import Account, Kind, Side
from services.orders.domain.offline import PROVIDER, Means
from services.orders.domain.order import Order
from services.orders.domain.payment import Payment, Purpose
from services.orders.domain.refund import Refund, RefundReason, RefundState
from services.orders.domain.refusals import EXPLANATIONS

OUTCOMES = {one: payment_pb2.PaymentAttempt.Outcome.Value(f"OUTCOME_{one.value}") for one in Outcome}
_STATES = {one: payment_pb2.Payment.State.Value(f"STATE_{one.value}") for one in payments.State}
PURPOSES = {one: payment_pb2.Payment.Purpose.Value(f"PURPOSE_{one.value}") for one in Purpose}
_REFUND_STATES = {one: refund_pb2.Refund.State.Value(f"STATE_{one.value}") for one in RefundState}
REFUND_REASONS = {one: refund_pb2.Refund.Reason.Value(f"REASON_{one.value}") for one in RefundReason}
_REFUND_REASONS_READ = {wire: reason for reason, wire in REFUND_REASONS.items()}
MEANS = {one: payment_pb2.Payment.Means.Value(f"MEANS_{one.value}") for one in Means}
MEANS_READ = {wire: means for means, wire in MEANS.items()}
_ACCOUNTS = {one: ledger_pb2.LedgerEntry.Account.Value(f"ACCOUNT_{one.value}") for one in Account}
_KINDS = {one: ledger_pb2.LedgerEntry.Kind.Value(f"KIND_{one.value}") for one in Kind}
_SIDES = {one: ledger_pb2.LedgerEntry.Side.Value(f"SIDE_{one.value}") for one in Side}


def refund_payment_command(request: payment_methods_pb2.RefundPaymentRequest) -> RefundPayment:
    """Which payment, how much of it and why. Refusals AMOUNT_INVALID, VALIDATION_FAILED where neither the
    reason nor the text says why.
    """
    reason = _REFUND_REASONS_READ[request.reason]
    return RefundPayment(
        request.name,
        reason,
        money(request.amount, field="amount") if request.HasField("amount") else None,
        reason_text(request.text, is_other=reason is RefundReason.OTHER, value="REASON_OTHER"),
        request.etag,
    )


def refund_payment_response(view: PaymentView) -> payment_methods_pb2.RefundPaymentResponse:
    """The payment after the call."""
    return payment_methods_pb2.RefundPaymentResponse(
        payment=payment_message(view.payment, view.order, view.actor)
    )


def resume_payment_command(request: payment_methods_pb2.ResumePaymentRequest) -> ResumePayment:
    """Which payment, and whether the buyer gives up."""
    return ResumePayment(request.name, request.give_up, request.etag)


def resume_payment_response(view: PaymentView) -> payment_methods_pb2.ResumePaymentResponse:
    """The payment as it is when the provider is asked."""
    return payment_methods_pb2.ResumePaymentResponse(
        payment=payment_message(view.payment, view.order, view.actor)
    )


def receive_provider_event_command(
    request: provider_events_pb2.ReceiveProviderEventRequest,
) -> ReceiveProviderEvent:
    """The event as it was signed."""
    return ReceiveProviderEvent(request.provider, request.event.data, request.signature)


def receive_provider_event_response(_: None) -> provider_events_pb2.ReceiveProviderEventResponse:
    """Taken in."""
    return provider_events_pb2.ReceiveProviderEventResponse()


def mark_paid_command(request: payment_methods_pb2.MarkPaidRequest) -> MarkPaid:
    """Which order, and how it was paid."""
    return MarkPaid(request.name, MEANS_READ[request.means], request.etag)


def settle_payment_command(request: payment_methods_pb2.SettlePaymentRequest) -> SettlePayment:
    """What the operator decides."""
    moved = request.outcome == payment_methods_pb2.SettlePaymentRequest.OUTCOME_MOVED
    return SettlePayment(request.name, moved, request.note, request.refund_number, request.etag)


def settle_payment_response(view: PaymentView) -> payment_methods_pb2.SettlePaymentResponse:
    """The payment after the call."""
    return payment_methods_pb2.SettlePaymentResponse(
        payment=payment_message(view.payment, view.order, view.actor)
    )


def list_ledger_entries_query(request: payment_methods_pb2.ListLedgerEntriesRequest) -> ListLedgerEntries:
    """Whose books. Refusal PAGE_TOKEN_INVALID."""
    return ListLedgerEntries(request.parent, page_request(request), request.payment)


def list_ledger_entries_response(
    page: Page[LedgerLine], request: payment_methods_pb2.ListLedgerEntriesRequest
) -> payment_methods_pb2.ListLedgerEntriesResponse:
    """A page of the books; its token is bound to `request`."""
    return payment_methods_pb2.ListLedgerEntriesResponse(
        ledger_entries=[_ledger_entry_message(line) for line in page.items],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def _ledger_entry_message(line: LedgerLine) -> ledger_pb2.LedgerEntry:
    return ledger_pb2.LedgerEntry(
        name=f"{line.seller}/ledgerEntries/{line.id}",
        transaction=line.transaction,
        kind=_KINDS[line.kind],
        account=_ACCOUNTS[line.entry.account],
        party=line.entry.party,
        side=_SIDES[line.entry.side],
        amount=wire_money(line.entry.amount),
        payment=line.payment,
        buyer=line.buyer,
        create_time=timestamp(line.create_time),
    )


def payment_message(payment: Payment, order: Order | None, actor: Actor) -> payment_pb2.Payment:
    """The payment as `actor` sees it. Means of payment and keys stay inside."""
    message = payment_facts(payment, actor)
    write_actions(message, payments.explain_payment(payment, order, actor), explanations=EXPLANATIONS)
    return message


def payment_facts(payment: Payment, actor: Actor) -> payment_pb2.Payment:
    """What `actor` sees of a payment, whatever it is for."""
    message = payment_pb2.Payment(
        name=payment.name,
        purpose=PURPOSES[payment.purpose],
        amount=wire_money(payment.amount),
        state=_STATES[payment.state],
        provider=payment.provider,
        sequence=payment.sequence,
        attempts=[_attempt_message(attempt, actor) for attempt in payment.attempts],
        capture_time=optional_timestamp(payment.capture_time),
        refunds=[_refund_message(refund, actor) for refund in payment.refunds],
        etag=payment.etag,
        create_time=timestamp(payment.create_time),
        update_time=timestamp(payment.update_time),
    )
    if payment.provider == PROVIDER and payment.token:
        message.means = MEANS[Means(payment.token)]
    if payment.action is not None and actor is Actor.BUYER:
        message.action.CopyFrom(_action_message(payment.action, payment.last_attempt.action_expire_time))
    if payment.state is payments.State.CAPTURED:
        message.refunded_amount.CopyFrom(wire_money(payment.refunded))
        message.refundable_amount.CopyFrom(wire_money(payment.refundable))
    return message


def _action_message(action: Action, expire_time: datetime | None) -> payment_pb2.PaymentAction:
    return payment_pb2.PaymentAction(
        url=action.url,
        client_secret=action.client_secret,
        expire_time=optional_timestamp(expire_time),
    )


def _attempt_message(attempt: Attempt, actor: Actor) -> payment_pb2.PaymentAttempt:
    message = payment_pb2.PaymentAttempt(
        number=attempt.number,
        decline_code=attempt.decline_code,
        submit_time=timestamp(attempt.submit_time),
        resolve_time=optional_timestamp(attempt.resolve_time),
        note="" if actor is Actor.BUYER else attempt.note,
    )
    if attempt.outcome is not None:
        message.outcome = OUTCOMES[attempt.outcome]
    return message


def _refund_message(refund: Refund, actor: Actor) -> refund_pb2.Refund:
    return refund_pb2.Refund(
        number=refund.number,
        amount=wire_money(refund.amount),
        state=_REFUND_STATES[refund.state],
        reason=REFUND_REASONS[refund.reason],
        text=refund.text,
        failure_code=refund.failure_code,
        create_time=timestamp(refund.create_time),
        resolve_time=optional_timestamp(refund.resolve_time),
        note="" if actor is Actor.BUYER else refund.note,
    )
