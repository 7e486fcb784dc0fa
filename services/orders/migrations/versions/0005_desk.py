"""The folders of a seller's desk: an index that lists them and counters that follow the orders."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

LANE = "(CASE WHEN state = 'PROCESSING' AND unread > 0 THEN 'UNREAD' ELSE state END)"
_UNDECIDED = "'PENDING', 'PROCESSING', 'AWAITING_ANSWER'"

FOLDER = """
CREATE FUNCTION order_folder(state text, unread integer) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN state = 'PENDING' OR state = 'PROCESSING' AND unread > 0 THEN 'INBOX'
    WHEN state IN ('PROCESSING', 'AWAITING_ANSWER') THEN state
    WHEN state IN ('CONFIRMED', 'IN_PROGRESS', 'DELIVERED') THEN 'CONFIRMED'
    ELSE 'CLOSED'
END
"""
# Each folder is counted in as many slots as ever changed it at the same moment: whoever finds none free adds
# one, so that nobody waits for another's commit, and a counter is the sum of its slots.
ADD = """
CREATE FUNCTION add_to_order_folder(whose text, which text, more_orders bigint, more_unread bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE order_folder_count SET orders = orders + more_orders, unread = unread + more_unread
    WHERE seller = whose AND folder = which AND slot = (
        SELECT slot FROM order_folder_count WHERE seller = whose AND folder = which
        LIMIT 1 FOR UPDATE SKIP LOCKED);
    IF NOT FOUND THEN
        INSERT INTO order_folder_count (seller, folder, orders, unread)
        VALUES (whose, which, more_orders, more_unread);
    END IF;
END $$
"""
FOLLOW = """
CREATE FUNCTION follow_order_folder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM add_to_order_folder(NEW.seller, order_folder(NEW.state, NEW.unread), 1, NEW.unread);
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM add_to_order_folder(OLD.seller, order_folder(OLD.state, OLD.unread), -1, -OLD.unread);
    ELSIF order_folder(OLD.state, OLD.unread) = order_folder(NEW.state, NEW.unread) THEN
        IF OLD.unread <> NEW.unread THEN
            PERFORM add_to_order_folder(NEW.seller, order_folder(NEW.state, NEW.unread), 0,
                NEW.unread - OLD.unread);
        END IF;
    ELSE
        PERFORM add_to_order_folder(OLD.seller, order_folder(OLD.state, OLD.unread), -1, -OLD.unread);
        PERFORM add_to_order_folder(NEW.seller, order_folder(NEW.state, NEW.unread), 1, NEW.unread);
    END IF;
    RETURN NULL;
END $$
"""
COUNT = """
INSERT INTO order_folder_count (seller, folder, orders, unread)
SELECT seller, order_folder(state, unread), count(*), sum(unread) FROM orders GROUP BY 1, 2
"""
# The lock waits for whoever has counted and not committed, and keeps others from counting meanwhile: what the
# next statement sees is exactly what is counted.
RECOUNT = """
CREATE FUNCTION recount_order_folders(whose text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE order_folder_count IN SHARE ROW EXCLUSIVE MODE;
    PERFORM FROM (SELECT folder, sum(orders) AS orders, sum(unread) AS unread FROM order_folder_count
        WHERE seller = whose GROUP BY 1) AS held
    FULL JOIN (SELECT order_folder(state, unread) AS folder, count(*) AS orders, sum(unread) AS unread
        FROM orders WHERE seller = whose GROUP BY 1) AS counted USING (folder)
    WHERE (coalesce(held.orders, 0), coalesce(held.unread, 0))
        <> (coalesce(counted.orders, 0), coalesce(counted.unread, 0));
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM order_folder_count WHERE seller = whose;
    INSERT INTO order_folder_count (seller, folder, orders, unread)
    SELECT seller, order_folder(state, unread), count(*), sum(unread) FROM orders
    WHERE seller = whose GROUP BY 1, 2;
    RETURN true;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "order_folder_count",
        sa.Column("seller", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("slot", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("orders", sa.BigInteger, nullable=False),
        sa.Column("unread", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("seller", "folder", "slot", name="pk_order_folder_count"),
    )
    # Room on the page for the next version of a row: its index never has to change.
    op.execute("ALTER TABLE order_folder_count SET (fillfactor = 50)")
    for statement in (FOLDER, ADD, FOLLOW, RECOUNT):
        op.execute(statement)
    # The trigger comes first: its lock keeps the orders as they are until they are counted.
    op.execute(
        "CREATE TRIGGER follow_order_folder AFTER INSERT OR DELETE OR UPDATE OF state, unread ON orders "
        "FOR EACH ROW EXECUTE FUNCTION follow_order_folder()"
    )
    op.execute(COUNT)
    op.create_index(
        "ix_orders_lane",
        "orders",
        ["seller", sa.text(LANE), sa.text("create_time DESC"), sa.text("id DESC")],
    )
    op.drop_index("ix_orders_undecided", "orders")


def downgrade() -> None:
    op.create_index(
        "ix_orders_undecided",
        "orders",
        ["seller", "state", sa.text("create_time DESC"), sa.text("id DESC")],
        postgresql_where=sa.text(f"state IN ({_UNDECIDED})"),
    )
    op.drop_index("ix_orders_lane", "orders")
    op.execute("DROP TRIGGER follow_order_folder ON orders")
    for function in (
        "recount_order_folders(text)",
        "follow_order_folder()",
        "add_to_order_folder(text, text, bigint, bigint)",
        "order_folder(text, integer)",
    ):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("order_folder_count")
