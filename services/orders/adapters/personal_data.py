"""What this service keeps about a person, in SQL."""

from __future__ import annotations

from typing import Final

from chassis.personal_data import Kind

_ORDERS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'orders/' || id, 'seller', seller, 'package', package, 'kind', kind, 'state', state,
    'line_items', line_items, 'options', options, 'currency', currency, 'total_minor_units', total,
    'refunded_minor_units', refunded, 'plan', plan, 'payment_method', payment_method,
    'payment_state', payment_state, 'requirements', requirements, 'billing_address', billing_address,
    'delivery_address', delivery_address, 'offer', offer, 'order_request', order_request,
    'place_time', create_time, 'confirm_time', confirm_time, 'complete_time', complete_time,
    'cancel_time', cancel_time, 'cancel_reason', cancel_reason,
    'cancel_text', CASE cancelled_by WHEN 'BUYER' THEN cancel_text END,
    'wanted_changes', (SELECT jsonb_agg(jsonb_build_object(
        'delivery', one -> 'number', 'text', one -> 'changes_text', 'time', one -> 'changes_time'))
        FROM jsonb_array_elements(deliveries) AS one WHERE one ->> 'changes_text' <> '')))
FROM orders WHERE buyer = :user
"""
_PAYMENTS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'order', 'orders/' || order_id, 'subscription', 'subscriptions/' || subscription_id, 'seller', seller,
    'purpose', purpose, 'currency', currency, 'amount_minor_units', amount, 'state', state,
    'refunded_minor_units', refunded, 'create_time', create_time, 'capture_time', capture_time))
FROM payment WHERE buyer = :user
"""
_SUBSCRIPTIONS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'subscriptions/' || id, 'seller', seller, 'package', package, 'plan', plan, 'bucket', bucket,
    'payment_method', payment_method, 'create_time', create_time, 'start_time', start_time,
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
    Kind("payments", _PAYMENTS),
    Kind("subscriptions", _SUBSCRIPTIONS),
    Kind("notes_written", _NOTES),
    Kind("refunds_asked_for", _REFUNDS),
)
"""What he ordered and paid, and what he wrote as a member of a team."""
