"""Who gets what from which method: one row for each RPC of the contract.

A row builds a valid request about somebody else's resource and says what is answered to a buyer who has
nothing to do with it and to the owner of another seller's account. NOT_FOUND is what both get almost
everywhere; what differs is either public or about the caller alone, and is written out.
"""

from __future__ import annotations

from collections.abc import Mapping

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp

from parley.messaging.v1 import (
    attachment_pb2,
    contact_methods_pb2,
    conversation_pb2,
    magic_link_pb2,
    outcome_pb2,
)
from parley.messaging.v1 import conversation_methods_pb2 as talking
from parley.messaging.v1 import feedback_pb2 as feedback
from parley.messaging.v1 import messaging_service_pb2 as messaging
from parley.messaging.v1 import participant_methods_pb2 as joining
from parley.messaging.v1 import profile_pb2 as profiles
from parley.messaging.v1 import received_mail_pb2 as received
from parley.messaging.v1 import translation_methods_pb2 as translating
from parley.orders.v1 import (
    analytics_pb2,
    audit_pb2,
    export_pb2,
    fulfilment_pb2,
    order_pb2,
    payment_pb2,
    provider_events_pb2,
    receipt_pb2,
    refund_pb2,
    subscription_pb2,
)
from parley.orders.v1 import desk_methods_pb2 as desk
from parley.orders.v1 import fulfilment_methods_pb2 as work
from parley.orders.v1 import orders_service_pb2 as orders
from parley.orders.v1 import payment_methods_pb2 as money
from parley.orders.v1 import subscription_methods_pb2 as subscribing
from parley.type.v1 import commerce_pb2
from tests.e2e import privacy_rows
from tests.e2e.rows import DENIED, MISSING, NO_LINK, OK, UNSIGNED, Foreign, Row, euro
from tests.e2e.selling_rows import GATING, OFFERS
from tests.e2e.webhook_rows import WEBHOOKS


def _plan() -> commerce_pb2.Plan:
    return commerce_pb2.Plan(price=euro(10), interval=commerce_pb2.Plan.INTERVAL_MONTH, interval_count=1)


def _order(foreign: Foreign) -> orders.PlaceOrderRequest:
    return orders.PlaceOrderRequest(
        package=foreign.package, payment_method=commerce_pb2.PAYMENT_METHOD_OFFLINE
    )


def _sales_orders(parent: str) -> analytics_pb2.ListSalesOrdersRequest:
    return analytics_pb2.ListSalesOrdersRequest(
        parent=parent, start_time=Timestamp(seconds=0), end_time=Timestamp(seconds=1)
    )


ORDERS: Mapping[str, Row] = {
    # A buyer orders for himself.
    "PlaceOrder": Row(_order, buyer=OK, seller=DENIED),
    "GetOrder": Row(lambda f: orders.GetOrderRequest(name=f.order)),
    "ListOrders": Row(lambda f: orders.ListOrdersRequest(seller=f.seller)),
    "GetFolderCounts": Row(lambda f: desk.GetFolderCountsRequest(seller=f.seller)),
    "SetLabels": Row(lambda f: desk.SetLabelsRequest(name=f.order, labels=["mine"])),
    "MarkOrderRead": Row(lambda f: desk.MarkOrderReadRequest(name=f.order)),
    "CreateNote": Row(lambda f: desk.CreateNoteRequest(parent=f.order, text="Mine")),
    "ListNotes": Row(lambda f: desk.ListNotesRequest(parent=f.order)),
    "MarkProcessing": Row(lambda f: orders.MarkProcessingRequest(name=f.order)),
    "ConfirmOrder": Row(lambda f: orders.ConfirmOrderRequest(name=f.order)),
    "DeclineOrder": Row(
        lambda f: orders.DeclineOrderRequest(name=f.order, reason=order_pb2.Order.DECLINE_REASON_PRICE)
    ),
    "WithdrawOrder": Row(lambda f: orders.WithdrawOrderRequest(name=f.order)),
    "ChangePaymentMethod": Row(
        lambda f: orders.ChangePaymentMethodRequest(
            name=f.order, payment_method=commerce_pb2.PAYMENT_METHOD_OFFLINE
        )
    ),
    "StartOrder": Row(lambda f: work.StartOrderRequest(name=f.order)),
    "DeliverOrder": Row(lambda f: work.DeliverOrderRequest(name=f.order)),
    "RequestChanges": Row(lambda f: work.RequestChangesRequest(name=f.order, text="Bigger")),
    "CompleteOrder": Row(lambda f: work.CompleteOrderRequest(name=f.order)),
    "CancelOrder": Row(
        lambda f: work.CancelOrderRequest(name=f.order, reason=fulfilment_pb2.Cancellation.REASON_POLICY)
    ),
    "GetSalesAnalytics": Row(
        lambda f: analytics_pb2.GetSalesAnalyticsRequest(name=f"{f.seller}/salesAnalytics")
    ),
    "ExportOrders": Row(lambda f: export_pb2.ExportOrdersRequest(seller=f.seller)),
    "ListSalesOrders": Row(lambda f: _sales_orders(f"{f.seller}/salesAnalytics")),
    "ListAuditEntries": Row(lambda f: audit_pb2.ListAuditEntriesRequest(parent=f.order)),
    "ListPayments": Row(lambda f: orders.ListPaymentsRequest(parent=f.order)),
    "ResumePayment": Row(lambda f: money.ResumePaymentRequest(name=f.payment)),
    "RetryPayment": Row(lambda f: orders.RetryPaymentRequest(name=f.payment)),
    "RefundPayment": Row(
        lambda f: money.RefundPaymentRequest(name=f.payment, reason=refund_pb2.Refund.REASON_GOODWILL)
    ),
    # Nobody is known to be the provider: the signature decides, and here is no secret to check one by.
    "ReceiveProviderEvent": Row(
        lambda f: provider_events_pb2.ReceiveProviderEventRequest(
            provider="sandbox", event=HttpBody(data=b"{}")
        ),
        buyer=UNSIGNED,
        seller=UNSIGNED,
        anonymous=UNSIGNED,
    ),
    "GetReceipt": Row(lambda f: receipt_pb2.GetReceiptRequest(name=f"{f.payment}/receipt")),
    "DownloadReceipt": Row(lambda f: receipt_pb2.DownloadReceiptRequest(name=f"{f.payment}/receipt")),
    "MarkPaid": Row(lambda f: money.MarkPaidRequest(name=f.order, means=payment_pb2.Payment.MEANS_CASH)),
    "UnmarkPaid": Row(lambda f: money.UnmarkPaidRequest(name=f.order)),
    "SettlePayment": Row(
        lambda f: money.SettlePaymentRequest(
            name=f.payment, outcome=money.SettlePaymentRequest.OUTCOME_MOVED, note="The bank says so."
        )
    ),
    "ListLedgerEntries": Row(lambda f: money.ListLedgerEntriesRequest(parent=f.seller)),
    "GetSubscription": Row(lambda f: subscribing.GetSubscriptionRequest(name=f.subscription)),
    "ListSubscriptions": Row(lambda f: subscribing.ListSubscriptionsRequest(seller=f.seller)),
    "PreviewPlanChange": Row(
        lambda f: subscribing.PreviewPlanChangeRequest(
            name=f.subscription, plan=_plan(), when=subscription_pb2.Subscription.WHEN_NOW
        )
    ),
    "ChangePlan": Row(
        lambda f: subscribing.ChangePlanRequest(
            name=f.subscription, plan=_plan(), when=subscription_pb2.Subscription.WHEN_PERIOD_END
        )
    ),
    "CancelSubscription": Row(
        lambda f: subscribing.CancelSubscriptionRequest(
            name=f.subscription, when=subscription_pb2.Subscription.WHEN_NOW
        )
    ),
    "RevokeCancellation": Row(lambda f: subscribing.RevokeCancellationRequest(name=f.subscription)),
    "ChangePaymentMeans": Row(
        lambda f: subscribing.ChangePaymentMeansRequest(name=f.subscription, payment_token="sandbox_success"),
    ),
    "MarkSubscriptionPaymentPaid": Row(
        lambda f: subscribing.MarkSubscriptionPaymentPaidRequest(
            name=f"{f.subscription}/payments/x", means=payment_pb2.Payment.MEANS_CASH
        )
    ),
    "UnmarkSubscriptionPaymentPaid": Row(
        lambda f: subscribing.UnmarkSubscriptionPaymentPaidRequest(name=f"{f.subscription}/payments/x")
    ),
    "PauseSubscription": Row(lambda f: subscribing.PauseSubscriptionRequest(name=f.subscription)),
    "ResumeSubscription": Row(lambda f: subscribing.ResumeSubscriptionRequest(name=f.subscription)),
    "ListSubscriptionPayments": Row(
        lambda f: subscribing.ListSubscriptionPaymentsRequest(parent=f.subscription)
    ),
}

MESSAGING: Mapping[str, Row] = {
    # A buyer begins a conversation of his own.
    "CreateInquiry": Row(
        lambda f: messaging.CreateInquiryRequest(seller=f.seller, title="Hello", text="Are you there?"),
        buyer=OK,
        seller=DENIED,
    ),
    "GetConversation": Row(lambda f: messaging.GetConversationRequest(name=f.conversation)),
    "ListConversations": Row(lambda f: messaging.ListConversationsRequest(seller=f.seller)),
    "ListTimeline": Row(lambda f: messaging.ListTimelineRequest(parent=f.conversation)),
    "WatchConversation": Row(lambda f: messaging.WatchConversationRequest(name=f.conversation)),
    "SendMessage": Row(lambda f: messaging.SendMessageRequest(parent=f.conversation, text="Psst.")),
    **WEBHOOKS,
    **privacy_rows.PRIVACY,
    "UploadAttachment": Row(
        lambda f: attachment_pb2.UploadAttachmentRequest(parent=f.conversation, filename="a.pdf")
    ),
    "DownloadAttachment": Row(
        lambda f: attachment_pb2.DownloadAttachmentRequest(name=f"{f.conversation}/attachments/{MISSING}")
    ),
    "MarkRead": Row(lambda f: messaging.MarkReadRequest(name=f.conversation, message=f.message)),
    "TranslateMessage": Row(lambda f: translating.TranslateMessageRequest(name=f.message)),
    "ListReceivedMails": Row(lambda _: received.ListReceivedMailsRequest(parent="users/somebody")),
    "GetProfile": Row(lambda _: profiles.GetProfileRequest(name="users/somebody/profile")),
    "UpdateProfile": Row(
        lambda _: profiles.UpdateProfileRequest(
            profile=profiles.Profile(name="users/somebody/profile", display_name="Me")
        )
    ),
    "SendEmailVerification": Row(
        lambda _: profiles.SendEmailVerificationRequest(name="users/somebody/profile")
    ),
    "VerifyEmail": Row(lambda _: profiles.VerifyEmailRequest(name="users/somebody/profile", token="t")),
    "DeclineInquiry": Row(
        lambda f: talking.DeclineInquiryRequest(
            name=f.conversation, reason=conversation_pb2.Conversation.DECLINE_REASON_BUDGET
        )
    ),
    "CloseConversation": Row(lambda f: talking.CloseConversationRequest(name=f.conversation)),
    "ReopenConversation": Row(lambda f: talking.ReopenConversationRequest(name=f.conversation)),
    "ArchiveConversation": Row(lambda f: talking.ArchiveConversationRequest(name=f.conversation)),
    "UnarchiveConversation": Row(lambda f: talking.UnarchiveConversationRequest(name=f.conversation)),
    "AddParticipant": Row(
        lambda f: joining.AddParticipantRequest(name=f.conversation, user="users/stranger")
    ),
    "RemoveParticipant": Row(
        lambda f: joining.RemoveParticipantRequest(name=f.conversation, user="users/stranger")
    ),
    "ForwardConversation": Row(
        lambda f: joining.ForwardConversationRequest(name=f.conversation, address="me@example.org")
    ),
    "BlockParticipant": Row(lambda f: joining.BlockParticipantRequest(name=f.conversation)),
    "UnblockParticipant": Row(lambda f: joining.UnblockParticipantRequest(name=f.conversation)),
    "RevealPhone": Row(lambda f: contact_methods_pb2.RevealPhoneRequest(name=f.conversation)),
    "LeaveFeedback": Row(lambda f: feedback.LeaveFeedbackRequest(name=f.conversation, rating=1)),
    "GetSellerRating": Row(lambda f: feedback.GetSellerRatingRequest(name=f"{f.seller}/rating")),
    "ListRatingEntries": Row(lambda f: feedback.ListRatingEntriesRequest(parent=f"{f.seller}/rating")),
    "GetOutcome": Row(lambda f: outcome_pb2.GetOutcomeRequest(name=f"{f.conversation}/outcome")),
    # The token of a link is who asks: whoever has none is nobody.
    "GetMagicLink": Row(lambda _: magic_link_pb2.GetMagicLinkRequest(token="guess"), *NO_LINK),
    "UseMagicLink": Row(
        lambda _: magic_link_pb2.UseMagicLinkRequest(token="guess", action="accept"), *NO_LINK
    ),
    # Neither observes anything.
    "ListOutcomes": Row(
        lambda _: outcome_pb2.ListOutcomesRequest(parent="observers/bosch"), buyer=DENIED, seller=DENIED
    ),
}

MATRIX: Mapping[str, Row] = {
    f"parley.{service}.v1.{service.capitalize()}Service.{method}": row
    for service, rows in (
        ("gating", {**GATING, **privacy_rows.OF_GATING}),
        ("offers", {**OFFERS, **privacy_rows.OF_OFFERS}),
        ("orders", {**ORDERS, **privacy_rows.OF_ORDERS}),
        ("messaging", MESSAGING),
    )
    for method, row in rows.items()
}
