"""Listings, offers with their revisions, origins, and the tables of the chassis."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from chassis import schema

revision = "0001"
down_revision = None

_STATES = "'DRAFT', 'OPEN', 'ACCEPTED', 'DECLINED', 'WITHDRAWN', 'EXPIRED'"
_INTAKES = "'INSTANT', 'SELLER_REVIEW', 'BY_QUOTE'"
_ORIGINS = "^(orderRequests|orders|conversations)/[^/]+$"


def upgrade() -> None:
    schema.create(op)
    _create_listing()
    _create_offer()
    op.create_table(
        "offer_revision",
        sa.Column("offer_id", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("proposal", JSONB, nullable=False),
        sa.PrimaryKeyConstraint("offer_id", "number", name="pk_offer_revision"),
        sa.ForeignKeyConstraint(["offer_id"], ["offer.offer_id"], name="fk_offer_revision_offer_id_offer"),
        sa.CheckConstraint("number BETWEEN 1 AND 100", name="ck_offer_revision_number"),
    )
    op.create_table(
        "origin",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("ended", sa.Text, nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("name", name="pk_origin"),
        sa.CheckConstraint(f"name ~ '{_ORIGINS}'", name="ck_origin_name"),
    )


def downgrade() -> None:
    for table in ("origin", "offer_revision", "offer", "listing"):
        op.drop_table(table)
    schema.drop(op)


def _create_listing() -> None:
    op.create_table(
        "listing",
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("listing_id", sa.Text(collation="C"), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("intake", sa.Text, nullable=False),
        sa.Column("published", sa.Boolean, nullable=False),
        sa.Column("packages", JSONB, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seller", "listing_id", name="pk_listing"),
        sa.CheckConstraint(f"intake IN ({_INTAKES})", name="ck_listing_intake"),
        sa.CheckConstraint("version >= 1", name="ck_listing_version"),
        sa.CheckConstraint("jsonb_array_length(packages) BETWEEN 1 AND 20", name="ck_listing_packages"),
    )


def _create_offer() -> None:
    op.create_table(
        "offer",
        sa.Column("offer_id", sa.Text(collation="C"), nullable=False),
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("buyer", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("proposal", JSONB, nullable=False),
        sa.Column("first_sent", sa.Integer, nullable=True),
        sa.Column("first_open_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acceptance", JSONB, nullable=True),
        sa.Column("decline_reason", sa.Text, nullable=False),
        sa.Column("close_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("offer_id", name="pk_offer"),
        sa.CheckConstraint(f"state IN ({_STATES})", name="ck_offer_state"),
        sa.CheckConstraint(f"origin ~ '{_ORIGINS}'", name="ck_offer_origin"),
        sa.CheckConstraint("version >= 1", name="ck_offer_version"),
        sa.CheckConstraint("revision BETWEEN 1 AND 100", name="ck_offer_revision"),
        sa.CheckConstraint("first_sent BETWEEN 1 AND revision", name="ck_offer_first_sent"),
        sa.CheckConstraint(
            "CASE state WHEN 'DRAFT' THEN first_sent IS NULL WHEN 'WITHDRAWN' THEN true "
            "ELSE first_sent IS NOT NULL END",
            name="ck_offer_sent",
        ),
        sa.CheckConstraint("(state = 'ACCEPTED') = (acceptance IS NOT NULL)", name="ck_offer_acceptance"),
        sa.CheckConstraint(
            "(state IN ('DECLINED', 'WITHDRAWN', 'EXPIRED')) = (close_time IS NOT NULL)",
            name="ck_offer_close_time",
        ),
    )
    op.create_index(
        "uq_offer_open_origin", "offer", ["origin"], unique=True, postgresql_where=sa.text("state = 'OPEN'")
    )
    # A request becomes one order; a quoted order and an inquiry may see several acceptances.
    op.create_index(
        "uq_offer_accepted_request",
        "offer",
        ["origin"],
        unique=True,
        postgresql_where=sa.text("state = 'ACCEPTED' AND origin LIKE 'orderRequests/%'"),
    )
    op.create_index("ix_offer_origin", "offer", ["origin"])
    op.create_index("ix_offer_seller", "offer", ["seller", "create_time", "offer_id"])
    op.create_index(
        "ix_offer_buyer",
        "offer",
        ["buyer", "create_time", "offer_id"],
        postgresql_where=sa.text("first_sent IS NOT NULL"),
    )
