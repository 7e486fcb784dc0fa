"""What this service keeps about a person, in SQL."""

from __future__ import annotations

from typing import Final

from chassis.personal_data import Kind

_REQUESTS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'orderRequests/' || id, 'seller', seller, 'package', package, 'state', state, 'needs', needs,
    'answers', (SELECT jsonb_agg(jsonb_build_object('text', one -> 'answer', 'time', one -> 'answer_time'))
        FROM jsonb_array_elements(inquiries) AS one WHERE one ->> 'answer' <> ''),
    'offer', offer, 'order', order_name, 'create_time', create_time))
FROM order_request WHERE buyer = :user
"""
_VISITS: Final = """
SELECT day || ' ' || listing, jsonb_build_object('listing', listing, 'day', day, 'time', time)
FROM visit WHERE buyer = :user
"""
_VERIFICATIONS: Final = """
SELECT lpad(version::text, 10, '0'), jsonb_strip_nulls(jsonb_build_object(
    'verified', verified, 'set_time', set_time, 'expire_time', expire_time))
FROM buyer_verification WHERE buyer = :user
"""
_ABSENCES: Final = """
SELECT id, jsonb_build_object('subject', subject, 'label', label, 'start_time', start_time,
    'end_time', end_time, 'create_time', create_time)
FROM absence WHERE author = :user
"""
_SETTINGS: Final = """
SELECT seller || ' ' || lpad(version::text, 10, '0'),
    jsonb_build_object('seller', seller, 'version', version, 'save_time', save_time)
FROM order_settings_version WHERE author = :user
"""
KINDS: Final = (
    Kind("order_requests", _REQUESTS),
    Kind("visits", _VISITS),
    Kind("verifications", _VERIFICATIONS),
    Kind("absences_planned", _ABSENCES),
    Kind("settings_saved", _SETTINGS),
)
"""What he asked for and looked at, and what he did as a member of a team."""

ERASURES: Final = (
    """
    UPDATE order_request SET
        needs = needs || jsonb_build_object('text', '', 'attachments', '[]'::jsonb, 'answers', (
            SELECT coalesce(jsonb_agg(jsonb_build_array(one -> 0, '') ORDER BY place), '[]')
            FROM jsonb_array_elements(needs -> 'answers') WITH ORDINALITY AS each (one, place))),
        inquiries = (
            SELECT coalesce(jsonb_agg(CASE WHEN one ->> 'answer' <> ''
                THEN one || jsonb_build_object('answer', '') ELSE one END ORDER BY place), '[]')
            FROM jsonb_array_elements(inquiries) WITH ORDINALITY AS each (one, place))
    WHERE buyer = :user
    """,
    "UPDATE absence SET label = '' WHERE author = :user",
)
"""His words. Requests, visits and decisions stay under his id: figures are made of them."""
