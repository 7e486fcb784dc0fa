"""What this service keeps about a person, in SQL."""

from __future__ import annotations

from typing import Final

from chassis.personal_data import Kind
from services.messaging.domain.magic_link import LIFE

_PROFILE: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'user', id, 'display_name', display_name, 'email', email, 'email_state', email_state, 'phone', phone,
    'locale', locale, 'time_zone', time_zone, 'auto_translate', auto_translate,
    'notification_choices', choices,
    'create_time', create_time, 'update_time', update_time))
FROM profile WHERE id = :user AND version > 0
"""
_TEAMS: Final = """
SELECT seller, jsonb_build_object('seller', seller, 'show_time', show_time)
FROM team_member WHERE member = :user
"""
_CONSENTS: Final = """
SELECT lpad(position::text, 19, '0'), jsonb_build_object('type', type, 'seller', seller,
    'granted', granted, 'decide_time', decide_time)
FROM consent_decision WHERE user_name = :user
"""
_DISCLOSURES: Final = """
SELECT id::text, jsonb_build_object('means', means, 'seller', seller, 'reader', reader,
    'conversation', 'conversations/' || conversation_id, 'time', disclose_time)
FROM contact_disclosure WHERE user_name = :user
"""
_CONVERSATIONS: Final = """
SELECT id, jsonb_strip_nulls(jsonb_build_object(
    'name', 'conversations/' || id, 'seller', seller, 'about', subject, 'state', state, 'title', title,
    'summary', summary, 'marketplace', marketplace, 'observer', observer,
    'feedback_rating', feedback_rating, 'feedback_text', feedback_text, 'create_time', create_time))
FROM conversation WHERE buyer = :user
"""
_IN_COPY: Final = """
SELECT conversation_id, jsonb_build_object('conversation', 'conversations/' || conversation_id)
FROM conversation_copy WHERE user_name = :user
"""
_MESSAGES: Final = """
SELECT id::text, jsonb_strip_nulls(jsonb_build_object(
    'conversation', 'conversations/' || conversation_id, 'kind', kind, 'text', text,
    'documents', documents, 'recipients', recipients, 'create_time', create_time, 'read_time', read_time))
FROM timeline_entry WHERE kind IS NOT NULL AND author = :user
"""
_TRANSLATIONS: Final = """
SELECT id::text || ' ' || message_translation.language, jsonb_strip_nulls(jsonb_build_object(
    'message', id, 'language', message_translation.language, 'source_language', source,
    'text', message_translation.text, 'engine', engine, 'create_time', message_translation.create_time))
FROM timeline_entry JOIN message_translation USING (conversation_id)
WHERE message_id = id AND author = :user AND kind IS NOT NULL AND message_translation.text IS NOT NULL
"""
_DOCUMENTS: Final = """
SELECT id::text, jsonb_build_object('conversation', 'conversations/' || conversation_id,
    'filename', filename, 'size_bytes', size_bytes, 'sha256', sha256, 'create_time', create_time)
FROM attachment WHERE author = :user AND state IN ('ready', 'sent')
"""
_DOWNLOADS: Final = """
SELECT attachment_id::text, jsonb_build_object('attachment', attachment_id, 'time', download_time)
FROM attachment_download WHERE "user" = :user
"""
_FORWARDS: Final = """
SELECT id::text, jsonb_build_object('conversation', 'conversations/' || conversation_id,
    'address', address, 'author', author, 'create_time', create_time)
FROM conversation_forward WHERE author = :user OR user_name = :user
"""
_BLOCKS: Final = """
SELECT seller || ' ' || buyer || ' ' || side, jsonb_build_object('seller', seller, 'buyer', buyer,
    'side', side, 'create_time', create_time)
FROM party_block WHERE author = :user
"""
_MAILS: Final = """
SELECT id::text, jsonb_strip_nulls(jsonb_build_object('conversation', conversation_id,
    'purpose', purpose, 'state', state, 'create_time', create_time, 'end_time', end_time))
FROM mail WHERE recipient = :user
"""
_RECEIVED_MAILS: Final = """
SELECT id::text, jsonb_build_object('conversation', conversation_id, 'outcome', outcome, 'reason', reason,
    'message', message_id, 'original_text', original, 'create_time', create_time)
FROM received_mail WHERE user_name = :user
"""
# By which he could answer from a mail. What opens them is nobody's to read, not even his.
_LINKS: Final = """
SELECT id::text, jsonb_strip_nulls(jsonb_build_object(
    'conversation', 'conversations/' || conversation_id, 'kind', kind,
    'offer', nullif(offer, ''), 'revision', nullif(revision, 0),
    'state', CASE WHEN used_action IS NULL THEN 'unused' ELSE 'used' END, 'used_action', used_action,
    'create_time', create_time, 'expire_time', create_time + interval '<days> days',
    'use_time', use_time))
FROM magic_link WHERE recipient = :user
"""
_LEADS: Final = """
SELECT id::text, jsonb_build_object('seller', seller, 'source', source,
    'first_contact_time', first_contact_time, 'last_contact_time', last_contact_time)
FROM lead WHERE buyer = :user AND buyer <> ''
"""
KINDS: Final = (
    Kind("profile", _PROFILE),
    Kind("teams", _TEAMS),
    Kind("consents", _CONSENTS),
    Kind("disclosures", _DISCLOSURES),
    Kind("conversations", _CONVERSATIONS),
    Kind("conversations_in_copy", _IN_COPY),
    Kind("messages", _MESSAGES),
    Kind("translations", _TRANSLATIONS),
    Kind("documents", _DOCUMENTS),
    Kind("downloads", _DOWNLOADS),
    Kind("forwards", _FORWARDS),
    Kind("blocks", _BLOCKS),
    Kind("mails", _MAILS),
    Kind("received_mails", _RECEIVED_MAILS),
    Kind("links", _LINKS.replace("<days>", str(LIFE.days))),
    Kind("leads", _LEADS),
)
"""How he is reached, what he decided, said and uploaded, and who saw what of him."""

UPLOADED: Final = (
    "SELECT id::text AS id, key, filename FROM attachment "
    "WHERE author = :user AND state IN ('ready', 'sent') ORDER BY id"
)
"""The files that he uploaded."""
