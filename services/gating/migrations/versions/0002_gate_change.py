"""A log of what changed for the gate, so that replicas need not load again what did not."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# Table, the column that names whose rules changed (a seller or a listing), the column of the buyer if the
# change concerns one buyer only.
WATCHED = (
    ("order_settings", "seller", ""),
    ("seller_plan", "seller", ""),
    ("availability", "subject", ""),
    ("listing", "name", ""),
    ("offer", "seller", "buyer"),
    ("offered_package", "seller", "buyer"),
    ("confirmed_order", "seller", "buyer"),
)

# A trigger, not a statement of the service: a row that is changed by hand is noticed as well.
NOTE = """
CREATE FUNCTION note_gate_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(coalesce(NEW, OLD));
BEGIN
    INSERT INTO gate_change (subject, buyer)
    VALUES (changed ->> TG_ARGV[0], coalesce(changed ->> nullif(TG_ARGV[1], ''), ''));
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    op.execute(
        "CREATE TABLE gate_change (id bigint GENERATED ALWAYS AS IDENTITY, "
        "transaction xid8 NOT NULL DEFAULT pg_current_xact_id(), subject text NOT NULL, "
        "buyer text NOT NULL, time timestamptz NOT NULL DEFAULT now(), "
        "CONSTRAINT pk_gate_change PRIMARY KEY (id))"
    )
    op.create_index("ix_gate_change_transaction", "gate_change", ["transaction"])
    op.create_index("ix_gate_change_time", "gate_change", ["time"])
    op.execute(NOTE)
    for table, subject, buyer in WATCHED:
        op.execute(
            f"CREATE TRIGGER note_gate_change AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION note_gate_change('{subject}', '{buyer}')"
        )


def downgrade() -> None:
    for table, *_ in WATCHED:
        op.execute(f"DROP TRIGGER note_gate_change ON {table}")
    op.execute("DROP FUNCTION note_gate_change()")
    op.drop_table("gate_change")
