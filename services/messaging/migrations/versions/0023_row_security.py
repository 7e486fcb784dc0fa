"""Who may see a row, as the database keeps it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chassis import row_security

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_PARTY = """
{names} && ARRAY[buyer, seller]
OR jsonb_path_query_array(copies, '$[*].user') ?| {names}
"""
# A scalar sub-select: it is looked up for each row that is read, and never turned into a table of every
# conversation that a team has. What the caller may not see of conversations is not found, and null is no.
_OF_CONVERSATION = """
(SELECT {condition} FROM conversation AS parent WHERE parent.id = {table}.conversation_id)
"""
_IN_TEAM = "parent.seller = ANY ({names})"
_ENTRY = f"""
timeline_entry.kind = 'public' OR timeline_entry.event_type <> 'REQUEST_REMINDED' OR {_IN_TEAM}
"""
_ATTACHMENT = f"""
attachment.author = ANY ({{names}})
OR attachment.state = 'sent' AND (NOT attachment.for_team OR {_IN_TEAM})
"""
_OF_ENTRY = """
(SELECT true FROM timeline_entry AS parent WHERE parent.conversation_id = message_translation.conversation_id
    AND parent.id = message_translation.message_id)
"""
_OF_ENDPOINT = "(SELECT true FROM webhook_endpoint AS parent WHERE parent.id = webhook_delivery.endpoint_id)"
_OWN = "user_name = ANY ({names})"

_SEEN = {
    "conversation": _PARTY,
    "conversation_copy": _OWN,
    "timeline_entry": _OF_CONVERSATION.replace("{table}", "timeline_entry").replace("{condition}", _ENTRY),
    "message_translation": _OF_ENTRY,
    "attachment": _OF_CONVERSATION.replace("{table}", "attachment").replace("{condition}", _ATTACHMENT),
    "outcome": "observer = ANY ({names})",
    "received_mail": _OWN,
    "consent_decision": _OWN,
    "contact_disclosure": _OWN,
    "webhook_endpoint": "seller = ANY ({names})",
    "webhook_delivery": _OF_ENDPOINT,
    # Read by nobody's call: what leaves of them, leaves by the process.
    "attachment_download": "false",
    "conversation_forward": "false",
    "lead": "false",
    "lead_entry": "false",
    "magic_link": "false",
    "mail": "false",
    "notification": "false",
    "reply_address": "false",
}


def upgrade() -> None:
    """Protects them."""
    # An index of `lower(address)` would not be used any more: the function is not leakproof.
    op.drop_index("ix_conversation_forward_address", "conversation_forward")
    made = sa.Computed("lower(address)", persisted=True)
    op.add_column("conversation_forward", sa.Column("address_key", sa.Text, made))
    op.create_index("ix_conversation_forward_address", "conversation_forward", ["address_key"])
    for table, seen in _SEEN.items():
        row_security.protect(op, table, seen=seen)


def downgrade() -> None:
    """Opens them."""
    for table in reversed(_SEEN):
        row_security.unprotect(op, table)
    op.drop_index("ix_conversation_forward_address", "conversation_forward")
    op.drop_column("conversation_forward", "address_key")
    op.create_index("ix_conversation_forward_address", "conversation_forward", [sa.text("lower(address)")])
