"""What this service keeps about a person, in SQL."""

from __future__ import annotations

from typing import Final

from chassis.personal_data import Kind

_OFFERS: Final = """
SELECT offer_id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'offers/' || offer_id, 'seller', seller, 'origin', origin, 'state', state,
    'revision', revision, 'first_open_time', first_open_time, 'acceptance', acceptance,
    'decline_reason', decline_reason, 'new_quote', new_quote, 'create_time', create_time))
FROM offer WHERE buyer = :user AND state <> 'DRAFT'
"""
_COUNTERED: Final = """
SELECT offer.offer_id || '/' || number,
    made.proposal || jsonb_build_object('offer', 'offers/' || offer.offer_id)
FROM offer JOIN offer_revision AS made ON made.offer_id = offer.offer_id
WHERE buyer = :user AND made.proposal ->> 'author' = 'BUYER'
"""
_REVIEWS: Final = """
SELECT offer_id, jsonb_strip_nulls(jsonb_build_object('offer', 'offers/' || offer_id,
    'submit_text', CASE review ->> 'submitter' WHEN :user THEN review -> 'submit_text' END,
    'review_text', CASE review ->> 'reviewer' WHEN :user THEN review -> 'review_text' END))
FROM offer WHERE review ->> 'submitter' = :user OR review ->> 'reviewer' = :user
"""
KINDS: Final = (
    Kind("offers_received", _OFFERS),
    Kind("counter_offers", _COUNTERED),
    Kind("reviews_written", _REVIEWS),
)
"""What was offered to him (the words of an offer are the seller's), what he answered, and what he wrote as a
member of a team.
"""
