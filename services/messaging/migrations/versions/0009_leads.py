"""Leads, consents, and who was shown contact data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# What happened before: conversations are the contacts, and reveals stand in the timelines.
_FILL = (
    """
    INSERT INTO lead (id, seller, buyer, source, conversation_id, first_contact_time, last_contact_time)
    SELECT gen_random_uuid(), seller, buyer,
        CASE (array_agg(split_part(subject, '/', 1) ORDER BY create_time, id))[1]
            WHEN '' THEN 'INQUIRY' WHEN 'orderRequests' THEN 'ORDER_REQUEST' ELSE 'ORDER' END,
        (array_agg(id ORDER BY create_time DESC, id DESC))[1], min(create_time), max(create_time)
    FROM conversation GROUP BY seller, buyer
    """,
    """
    INSERT INTO lead_entry (seller, position, lead_id, change, conversation_id, consents, create_time)
    SELECT seller, row_number() OVER (PARTITION BY seller ORDER BY first_contact_time, id), id, 'CONTACTED',
        conversation_id, '{}', first_contact_time
    FROM lead
    """,
    "INSERT INTO lead_feed (seller, last_position) SELECT seller, count(*) FROM lead_entry GROUP BY seller",
    """
    INSERT INTO contact_disclosure (id, user_name, seller, reader, means, conversation_id, disclose_time)
    SELECT entry.id, talk.buyer, talk.seller, entry.resource, 'PHONE_REVEALED', talk.id, entry.create_time
    FROM timeline_entry AS entry JOIN conversation AS talk ON talk.id = entry.conversation_id
    WHERE entry.event_type = 'PHONE_REVEALED'
    """,
)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """Adds them, and fills them with what is known."""
    op.create_table(
        "consent_decision",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _text("user_name"),
        _text("seller"),
        _text("type"),
        sa.Column("granted", sa.Boolean(), nullable=False),
        _text("conversation_id"),
        _instant("decide_time"),
        sa.PrimaryKeyConstraint("position", name="pk_consent_decision"),
        sa.CheckConstraint(
            "type in ('CONTACT_ABOUT_REQUEST', 'MARKETING')", name=op.f("ck_consent_decision_type")
        ),
    )
    op.create_index(
        "ix_consent_decision_user", "consent_decision", ["user_name", "seller", "type", "position"]
    )
    op.create_table(
        "lead_feed",
        _text("seller"),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seller", name="pk_lead_feed"),
    )
    op.create_table(
        "lead",
        sa.Column("id", sa.Uuid(), nullable=False),
        _text("seller"),
        _text("buyer"),
        _text("source"),
        _text("conversation_id"),
        _instant("first_contact_time"),
        _instant("last_contact_time"),
        sa.PrimaryKeyConstraint("id", name="pk_lead"),
        sa.CheckConstraint("source in ('INQUIRY', 'ORDER_REQUEST', 'ORDER')", name=op.f("ck_lead_source")),
    )
    op.create_index(
        "uq_lead_buyer_seller",
        "lead",
        ["buyer", "seller"],
        unique=True,
        postgresql_where=sa.text("buyer <> ''"),
    )
    op.create_index("ix_lead_seller", "lead", ["seller", "id"])
    _entries()
    for statement in _FILL:
        op.execute(statement)


def _entries() -> None:
    op.create_table(
        "lead_entry",
        _text("seller"),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("lead_id", sa.Uuid(), nullable=False),
        _text("change"),
        _text("conversation_id"),
        sa.Column("consents", sa.ARRAY(sa.Text()), nullable=False),
        _instant("create_time"),
        sa.PrimaryKeyConstraint("seller", "position", name="pk_lead_entry"),
        sa.ForeignKeyConstraint(["lead_id"], ["lead.id"], name="fk_lead_entry_lead_id_lead"),
    )
    op.create_index("ix_lead_entry_lead", "lead_entry", ["lead_id"])
    op.create_table(
        "contact_disclosure",
        sa.Column("id", sa.Uuid(), nullable=False),
        _text("user_name"),
        _text("seller"),
        _text("reader"),
        _text("means"),
        _text("conversation_id"),
        sa.Column("day", sa.Date()),
        _instant("disclose_time"),
        sa.PrimaryKeyConstraint("id", name="pk_contact_disclosure"),
        sa.CheckConstraint(
            "means in ('PHONE_REVEALED', 'LEADS_LISTED', 'LEADS_EXPORTED')",
            name=op.f("ck_contact_disclosure_means"),
        ),
    )
    op.create_index("ix_contact_disclosure_user", "contact_disclosure", ["user_name", "disclose_time", "id"])
    op.create_index(
        "uq_contact_disclosure_day",
        "contact_disclosure",
        ["user_name", "seller", "reader", "means", "day"],
        unique=True,
    )


def downgrade() -> None:
    """Removes them."""
    for table in ("contact_disclosure", "lead_entry", "lead", "lead_feed", "consent_decision"):
        op.drop_table(table)
