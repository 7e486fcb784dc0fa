"""Who scheduled the cancellation of a subscription: only that side can take it back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from chassis import audit
from chassis.audit import Followed

revision = "0016"
down_revision = "0015"


def _followed(*shown: str) -> Followed:
    return Followed(
        "subscription",
        subject="'subscriptions/' || {row}.id",
        resource="'subscriptions/' || {row}.id",
        shown=(
            "package",
            "time_zone",
            "payment_method",
            "start_time",
            "activate_time",
            "number",
            "period_begin",
            "period_end",
            "cancel_at",
            *shown,
            "pause_at",
            "paused_since",
            "resume_at",
            "past_due_since",
            "retry_at",
            "grace_until",
            "ended_at",
            "end_reason",
        ),
        computed={
            "balance": "{row}.balance || ' ' || {row}.currency",
            "price": "{row}.plan -> 'price' ->> 1 || ' ' || {row}.currency",
        },
        # Either part of something shown, or the service's own bookkeeping; the bucket follows from the rest.
        ignored=(
            "id",
            "version",
            "seller",
            "buyer",
            "order_request",
            "origin_conversation",
            "create_time",
            "update_time",
            "anchor_day",
            "currency",
            "worth",
            "worth_from",
            "balance",
            "changes",
            "unpaid",
            "charging",
            "retries",
            "bucket",
        ),
    )


def upgrade() -> None:
    # Of cancellations that are scheduled already nobody knows it any more: they can not be taken back.
    op.add_column("subscription", sa.Column("cancelled_by", sa.Text))
    op.create_check_constraint(
        "ck_subscription_cancelled_by",
        "subscription",
        "cancelled_by IS NULL OR cancelled_by IN ('BUYER', 'SELLER') AND cancel_at IS NOT NULL",
    )
    audit.follow(op, _followed("cancelled_by"))


def downgrade() -> None:
    audit.follow(op, _followed())
    op.drop_constraint("ck_subscription_cancelled_by", "subscription")
    op.drop_column("subscription", "cancelled_by")
