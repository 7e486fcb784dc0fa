"""Verified buyers: every version of what was said of them; each is a change for the gate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "buyer_verification",
        sa.Column("buyer", sa.Text, nullable=False),
        sa.Column(
            "version", sa.BigInteger, sa.CheckConstraint("version > 0", name="version"), nullable=False
        ),
        sa.Column("verified", sa.Boolean, nullable=False),
        sa.Column("expire_time", sa.DateTime(timezone=True), nullable=True),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("set_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("buyer", "version", name="pk_buyer_verification"),
        sa.CheckConstraint("verified OR expire_time IS NULL", name="ck_buyer_verification_expire_time"),
    )
    # The subject is the buyer himself: it concerns what is known of him at every seller.
    op.execute(
        "CREATE TRIGGER note_gate_change AFTER INSERT OR UPDATE OR DELETE ON buyer_verification "
        "FOR EACH ROW EXECUTE FUNCTION note_gate_change('buyer', '')"
    )


def downgrade() -> None:
    op.drop_table("buyer_verification")
