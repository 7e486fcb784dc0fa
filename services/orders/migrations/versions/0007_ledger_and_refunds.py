"""The ledger, append-only and balanced by the database itself; refunds, and the sandbox's books of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from chassis import audit
from chassis.audit import Followed

revision = "0007"
down_revision = "0006"

_OWNER = "coalesce('orders/' || payment.order_id, 'subscriptions/' || payment.subscription_id)"
_OF_REFUND = "FROM payment WHERE id = {row}.payment_id"
_REFUND = Followed(
    "payment_refund",
    subject=f"SELECT {_OWNER} {_OF_REFUND}",
    resource=f"SELECT {_OWNER} || '/payments/' || id || '/refunds/' || {{row}}.number {_OF_REFUND}",
    shown=("number", "reason", "state", "failure_code", "resolve_time"),
    computed={"amount": "{row}.amount || ' ' || {row}.currency"},
    ignored=("payment_id", "key", "currency", "amount", "requested_by", "create_time"),
    version="0",
)

_APPEND_ONLY = """
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on %', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$
"""

# Counting seals a transaction: nothing can be added to it later, not even something balanced.
_BALANCED = """
CREATE FUNCTION ledger_is_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted text := to_jsonb(NEW) ->> TG_ARGV[0];
BEGIN
    IF (SELECT entry_count FROM ledger_transaction WHERE id = wanted) IS DISTINCT FROM
       (SELECT count(*)::int FROM ledger_entry WHERE transaction_id = wanted) THEN
        RAISE EXCEPTION 'the entries of % are not those that it began with', wanted
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_ledger_transaction_sealed';
    END IF;
    IF EXISTS (
        SELECT FROM ledger_entry WHERE transaction_id = wanted GROUP BY currency
        HAVING sum(CASE side WHEN 'DEBIT' THEN amount ELSE -amount END) <> 0
    ) THEN
        RAISE EXCEPTION '% is not balanced', wanted
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_ledger_transaction_balanced';
    END IF;
    RETURN NULL;
END $$
"""

_TRANSACTIONS_SO_FAR = (
    "INSERT INTO ledger_transaction (id, kind, payment_id, payment, seller, buyer, entry_count, create_time) "
    "SELECT id || '-capture', 'CAPTURE', id, 'orders/' || order_id || '/payments/' || id, seller, buyer, 2, "
    "capture_time FROM payment WHERE state = 'CAPTURED'"
)
_ENTRIES_SO_FAR = (
    "INSERT INTO ledger_entry "
    "(id, transaction_id, account, party, side, currency, amount, seller, create_time) "
    "SELECT id || '-capture-1', id || '-capture', 'PROVIDER_CLEARING', provider, 'DEBIT', currency, amount, "
    "seller, capture_time FROM payment WHERE state = 'CAPTURED' UNION ALL "
    "SELECT id || '-capture-2', id || '-capture', 'SELLER_PAYABLE', seller, 'CREDIT', currency, amount, "
    "seller, capture_time FROM payment WHERE state = 'CAPTURED'"
)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text, nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _nothing(table: str, column: str) -> None:
    op.add_column(table, sa.Column(column, sa.BigInteger, nullable=False, server_default=sa.text("0")))


def upgrade() -> None:
    _nothing("orders", "refunded")
    op.create_check_constraint("ck_orders_refunded", "orders", "refunded BETWEEN 0 AND total")
    _nothing("payment", "reserved")
    # The last line against giving back more than was taken.
    op.create_check_constraint(
        "ck_payment_reserved",
        "payment",
        "reserved BETWEEN 0 AND amount AND (reserved = 0 OR state = 'CAPTURED')",
    )
    op.add_column(
        "payment_attempt", sa.Column("reference", sa.Text, nullable=False, server_default=sa.text("''"))
    )
    _create_refunds()
    audit.follow(op, _REFUND)
    _create_ledger()


def downgrade() -> None:
    audit.unfollow(op, "payment_refund")
    for table in ("ledger_entry", "ledger_transaction", "sandbox_refund", "payment_refund"):
        op.drop_table(table)
    op.execute("DROP FUNCTION ledger_is_balanced()")
    op.execute("DROP FUNCTION ledger_is_append_only()")
    op.drop_column("payment_attempt", "reference")
    op.drop_constraint("ck_payment_reserved", "payment")
    op.drop_column("payment", "reserved")
    op.drop_constraint("ck_orders_refunded", "orders")
    op.drop_column("orders", "refunded")


def _create_refunds() -> None:
    op.create_table(
        "payment_refund",
        _text("payment_id"),
        sa.Column("number", sa.Integer, nullable=False),
        _text("key"),
        _text("currency"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        _text("reason"),
        _text("text"),
        _text("requested_by"),
        _text("state"),
        _text("failure_code"),
        _instant("create_time"),
        _instant("resolve_time", nullable=True),
        sa.PrimaryKeyConstraint("payment_id", "number", name="pk_payment_refund"),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name="fk_payment_refund_payment_id_payment"),
        sa.UniqueConstraint("key", name="uq_payment_refund_key"),
        sa.CheckConstraint("amount > 0", name="ck_payment_refund_amount"),
        sa.CheckConstraint(
            "state IN ('CREATED', 'SUBMITTING', 'UNKNOWN', 'SUCCEEDED', 'FAILED')",
            name="ck_payment_refund_state",
        ),
        sa.CheckConstraint(
            "(state IN ('SUCCEEDED', 'FAILED')) = (resolve_time IS NOT NULL)",
            name="ck_payment_refund_resolve_time",
        ),
    )
    op.create_table(
        "sandbox_refund",
        _text("key"),
        _text("charge_key"),
        _text("currency"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        _text("outcome"),
        _text("failure_code"),
        _instant("create_time"),
        sa.PrimaryKeyConstraint("key", name="pk_sandbox_refund"),
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger_transaction",
        _text("id"),
        _text("kind"),
        _text("payment_id"),
        _text("payment"),
        _text("seller"),
        _text("buyer"),
        sa.Column("entry_count", sa.Integer, nullable=False),
        _instant("create_time"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_transaction"),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name="fk_ledger_transaction_payment_id_payment"
        ),
        sa.CheckConstraint("entry_count >= 2", name="ck_ledger_transaction_entry_count"),
        sa.CheckConstraint(
            "kind IN ('CAPTURE', 'REFUND', 'OFFLINE_PAYMENT', 'OFFLINE_REVERSAL')",
            name="ck_ledger_transaction_kind",
        ),
    )
    op.create_table(
        "ledger_entry",
        _text("id"),
        _text("transaction_id"),
        _text("account"),
        _text("party"),
        _text("side"),
        _text("currency"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        _text("seller"),
        _instant("create_time"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger_entry"),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["ledger_transaction.id"],
            name="fk_ledger_entry_transaction_id_ledger_transaction",
        ),
        sa.CheckConstraint(
            "account IN ('PROVIDER_CLEARING', 'SELLER_PAYABLE', 'REFUNDS', 'OFFLINE_RECEIPTS')",
            name="ck_ledger_entry_account",
        ),
        sa.CheckConstraint("side IN ('DEBIT', 'CREDIT')", name="ck_ledger_entry_side"),
        sa.CheckConstraint("amount > 0", name="ck_ledger_entry_amount"),
    )
    op.create_index("ix_ledger_transaction_payment_id", "ledger_transaction", ["payment_id"])
    op.create_index("ix_ledger_entry_transaction_id", "ledger_entry", ["transaction_id"])
    op.create_index(
        "ix_ledger_entry_seller", "ledger_entry", ["seller", sa.text("create_time DESC"), sa.text("id DESC")]
    )
    for statement in (_TRANSACTIONS_SO_FAR, _ENTRIES_SO_FAR):
        op.execute(statement)
    op.execute(_APPEND_ONLY)
    op.execute(_BALANCED)
    for table, column in (("ledger_transaction", "id"), ("ledger_entry", "transaction_id")):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()"
        )
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {table}_balanced AFTER INSERT ON {table} "
            f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_is_balanced('{column}')"
        )
