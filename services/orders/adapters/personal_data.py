"""What this service keeps about a person, in SQL."""

from __future__ import annotations

from typing import Final

from chassis.personal_data import Kind

_ORDERS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'orders/' || id, 'seller', seller, 'package', package, 'kind', kind, 'state', state,
    'line_items', line_items, 'options', options, 'currency', currency, 'total_minor_units', total,
    'refunded_minor_units', refunded, 'plan', plan, 'payment_method', payment_method,
    'payment_token', nullif(payment_token, ''), 'payment_state', payment_state,
    'requirements', requirements, 'billing_address', billing_address,
    'delivery_address', delivery_address, 'offer', offer, 'order_request', order_request,
    'place_time', create_time, 'confirm_time', confirm_time, 'complete_time', complete_time,
    'cancel_time', cancel_time, 'cancel_reason', cancel_reason,
    'cancel_text', CASE cancelled_by WHEN 'BUYER' THEN cancel_text END,
    'wanted_changes', (SELECT jsonb_agg(jsonb_build_object(
        'delivery', one -> 'number', 'text', one -> 'changes_text', 'time', one -> 'changes_time'))
        FROM jsonb_array_elements(deliveries) AS one WHERE one ->> 'changes_text' <> '')))
FROM orders WHERE buyer = :user
"""
# Payments have no index by buyer: each belongs to an order or a subscription, which do.
_HIS: Final = """payment.id IN (
    SELECT payment.id FROM orders JOIN payment ON order_id = orders.id WHERE orders.buyer = :user
    UNION ALL SELECT payment.id FROM subscription JOIN payment ON subscription_id = subscription.id
    WHERE subscription.buyer = :user)"""
_PAYMENTS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'order', 'orders/' || order_id, 'subscription', 'subscriptions/' || subscription_id, 'seller', seller,
    'purpose', purpose, 'currency', currency, 'amount_minor_units', amount, 'state', state,
    'refunded_minor_units', refunded, 'create_time', create_time, 'capture_time', capture_time,
    'provider', provider,
    'payment_token', CASE provider WHEN 'offline' THEN NULL ELSE nullif(token, '') END,
    'attempts', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
        'number', number, 'payment_token', nullif(tried.token, ''), 'submit_time', submit_time,
        'outcome', outcome, 'reference', nullif(reference, ''))) ORDER BY number)
        FROM payment_attempt AS tried WHERE payment_id = payment.id)))
FROM payment WHERE <his>
"""
_SUBSCRIPTIONS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'subscriptions/' || id, 'seller', seller, 'package', package, 'plan', plan, 'bucket', bucket,
    'payment_method', payment_method, 'payment_token', nullif(payment_token, ''),
    'create_time', create_time, 'start_time', start_time,
    'ended_at', ended_at, 'end_reason', end_reason))
FROM subscription WHERE buyer = :user
"""
_NOTES: Final = """
SELECT id, jsonb_build_object('order', 'orders/' || order_id, 'text', text, 'create_time', create_time)
FROM order_note WHERE author = :user
"""
_REFUNDS: Final = """
SELECT payment_id || '/' || number, jsonb_build_object(
    'payment', payment_id, 'reason', reason, 'text', text, 'currency', currency,
    'amount_minor_units', amount, 'create_time', create_time)
FROM payment_refund WHERE requested_by = :user
"""
KINDS: Final = (
    Kind("orders", _ORDERS),
    Kind("payments", _PAYMENTS.replace("<his>", _HIS)),
    Kind("subscriptions", _SUBSCRIPTIONS),
    Kind("notes_written", _NOTES),
    Kind("refunds_asked_for", _REFUNDS),
)
"""What he ordered and paid, and what he wrote as a member of a team."""

# Nothing is charged by a means of payment any more once its order or subscription has ended. What began
# after the wish and goes on keeps its own.
_CHARGED: Final = """
    SELECT payment.id FROM orders JOIN payment ON order_id = orders.id
    WHERE orders.buyer = :user AND (payment.state IN ('CAPTURED', 'VOIDED')
        AND orders.state IN ('COMPLETED', 'CANCELLED')
        OR payment.state = 'DECLINED' AND orders.state = 'CANCELLED')
    UNION ALL SELECT payment.id FROM subscription JOIN payment ON subscription_id = subscription.id
    WHERE subscription.buyer = :user AND ended_at IS NOT NULL
        AND payment.state IN ('CAPTURED', 'VOIDED', 'DECLINED')"""
_MEANS: Final = (
    """
    UPDATE orders SET payment_token = '' WHERE buyer = :user AND payment_token <> ''
        AND state IN ('DECLINED', 'WITHDRAWN', 'COMPLETED', 'CANCELLED')
    """,
    """
    UPDATE subscription SET payment_token = ''
    WHERE buyer = :user AND payment_token <> '' AND ended_at IS NOT NULL
    """,
    # Of what the seller received himself it says how.
    "UPDATE payment SET token = '' WHERE token <> '' AND provider <> 'offline' AND id IN (<charged>)",
    # The sandbox is a guest in this database: what is not a name of its own is the buyer's.
    """
    UPDATE sandbox_charge SET token = '' WHERE token <> '' AND token NOT LIKE 'sandbox\\_%'
        AND key IN (SELECT key FROM payment_attempt WHERE payment_id IN (<charged>))
    """,
    "UPDATE payment_attempt SET token = '' WHERE token <> '' AND payment_id IN (<charged>)",
)
ERASURES: Final = (
    """
    UPDATE orders SET
        requirements = '', billing_address = NULL, delivery_address = NULL,
        cancel_text = CASE cancelled_by WHEN 'BUYER' THEN '' ELSE cancel_text END,
        deliveries = (
            SELECT coalesce(jsonb_agg(CASE WHEN one ->> 'changes_text' <> ''
                THEN one || jsonb_build_object('changes_text', 'erased') ELSE one END ORDER BY place), '[]')
            FROM jsonb_array_elements(deliveries) WITH ORDINALITY AS each (one, place)),
        options = (
            SELECT coalesce(jsonb_agg(CASE WHEN one ->> 'text' <> ''
                THEN one || jsonb_build_object('text', 'erased') ELSE one END ORDER BY place), '[]')
            FROM jsonb_array_elements(options) WITH ORDINALITY AS each (one, place))
    WHERE buyer = :user
    """,
    "UPDATE order_note SET text = 'erased' WHERE author = :user",
    "UPDATE payment_refund SET text = '' WHERE requested_by = :user AND text <> ''",
    *(statement.replace("<charged>", _CHARGED) for statement in _MEANS),
)
"""His words, addresses and means of payment. Orders, payments, receipts and the ledger stay under his id.
"""

_HOLDS: Final = """
SELECT reason, resource FROM (
    SELECT 'OPEN_ORDER', 'orders/' || id FROM orders
    WHERE buyer = :user AND state NOT IN ('DECLINED', 'WITHDRAWN', 'COMPLETED', 'CANCELLED')
    UNION ALL
    SELECT 'OPEN_SUBSCRIPTION', 'subscriptions/' || id FROM subscription
    WHERE buyer = :user AND ended_at IS NULL
    UNION ALL
    SELECT 'UNSETTLED_PAYMENT', coalesce('orders/' || order_id, 'subscriptions/' || subscription_id)
        || '/payments/' || payment.id
    FROM payment LEFT JOIN orders ON orders.id = order_id
    WHERE <his> AND (payment.state IN ('CREATED', 'SUBMITTING', 'REQUIRES_ACTION', 'UNKNOWN')
        OR payment.state = 'DECLINED' AND orders.state = 'COMPLETED')
    UNION ALL
    SELECT 'UNSETTLED_REFUND', coalesce('orders/' || order_id, 'subscriptions/' || subscription_id)
        || '/payments/' || payment.id
    FROM payment JOIN payment_refund AS refund ON refund.payment_id = payment.id
    WHERE <his> AND refund.state IN ('CREATED', 'SUBMITTING', 'UNKNOWN')
) AS hold (reason, resource) ORDER BY resource, reason LIMIT 100
"""
HOLDS: Final = _HOLDS.replace("<his>", _HIS)
"""What has to end before he can be erased."""
