"""What this service keeps about a person, in SQL."""

from __future__ import annotations

from typing import Final

from chassis.personal_data import Kind

# What was never sent to him is the seller's: also what waits for its owner, and what was taken back before.
_OFFERS: Final = """
SELECT offer_id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'offers/' || offer_id, 'seller', seller, 'origin', origin, 'state', state,
    'revision', revision, 'first_open_time', first_open_time, 'acceptance', acceptance,
    'decline_reason', decline_reason, 'new_quote', new_quote, 'create_time', create_time))
FROM offer WHERE buyer = :user AND first_sent IS NOT NULL
"""
# Ids of offers are collated otherwise than those of their revisions, and an index serves its own collation.
_COUNTERED: Final = """
SELECT offer.offer_id || '/' || number,
    made.proposal || jsonb_build_object('offer', 'offers/' || offer.offer_id)
FROM offer JOIN offer_revision AS made ON made.offer_id = offer.offer_id COLLATE "default"
WHERE buyer = :user AND first_sent IS NOT NULL AND made.proposal ->> 'author' = 'BUYER'
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

# What was accepted is a part of the order and stays; the note beside it does not.
_UNREADABLE: Final = """proposal || jsonb_build_object('note', '') || CASE
    WHEN coalesce((acceptance ->> 'revision')::integer, 0) = (proposal ->> 'number')::integer THEN '{}'
    ELSE jsonb_build_object('terms', proposal -> 'terms' || jsonb_build_object('scope', '', 'line_items', (
        SELECT jsonb_agg(one || jsonb_build_object('title', 'erased') ORDER BY place)
        FROM jsonb_array_elements(proposal -> 'terms' -> 'line_items') WITH ORDINALITY AS each (one, place))))
    END"""
_REVISIONS: Final = """
UPDATE offer_revision AS made SET proposal = (
    SELECT <unreadable> FROM (SELECT made.proposal, offer.acceptance) AS kept)
FROM offer WHERE made.offer_id = offer.offer_id COLLATE "default" AND offer.buyer = :user
    AND first_sent IS NOT NULL AND made.proposal ->> 'author' = 'BUYER'
"""
_NEWEST: Final = """
UPDATE offer SET proposal = <unreadable>
WHERE buyer = :user AND first_sent IS NOT NULL AND proposal ->> 'author' = 'BUYER'
"""
# Whoever charges was told the means of payment by the event.
_ANSWERS: Final = """
UPDATE offer SET
    acceptance = acceptance || '{"payment_token": "", "billing_address": null, "delivery_address": null}',
    new_quote = new_quote || jsonb_build_object('text', ''),
    decline_reason = CASE WHEN automatic_answer IS NULL THEN '' ELSE decline_reason END
WHERE buyer = :user AND first_sent IS NOT NULL
"""
_SUBMITTED: Final = """
UPDATE offer SET review = review || jsonb_build_object('submit_text', '')
WHERE review ->> 'submitter' = :user
"""
_REVIEWED: Final = """
UPDATE offer SET review = review || jsonb_build_object('review_text', '')
WHERE review ->> 'reviewer' = :user AND review ->> 'review_text' IS NOT NULL
"""
ERASURES: Final = (
    _REVISIONS.replace("<unreadable>", _UNREADABLE),
    _NEWEST.replace("<unreadable>", _UNREADABLE),
    _ANSWERS,
    _SUBMITTED,
    _REVIEWED,
)
"""His words, addresses and means of payment. Offers, their terms and prices stay under his id: orders came
from them.
"""
