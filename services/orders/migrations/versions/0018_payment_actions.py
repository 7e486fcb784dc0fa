"""Payments that wait for something that the provider wants of the buyer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_STATES: Final = ("CREATED", "SUBMITTING", "CAPTURED", "DECLINED", "UNKNOWN", "VOIDED")
_OUTCOMES: Final = ("CAPTURED", "SOFT_DECLINE", "HARD_DECLINE", "UNKNOWN")
_WAITING: Final = "REQUIRES_ACTION"


def upgrade() -> None:
    op.add_column("payment", sa.Column("attended", sa.Boolean, nullable=False, server_default=sa.false()))
    for column in ("action_url", "action_secret"):
        op.add_column("payment_attempt", sa.Column(column, sa.Text))
    op.add_column("payment_attempt", sa.Column("action_expire_time", sa.DateTime(timezone=True)))
    # Buyers follow their orders; what is settled is asked nothing any more.
    op.execute(
        "UPDATE payment SET attended = true "
        "WHERE order_id IS NOT NULL AND state NOT IN ('CAPTURED', 'VOIDED')"
    )
    _restrict((*_STATES, _WAITING), (*_OUTCOMES, _WAITING))


def downgrade() -> None:
    # They are asked for by their keys, as before.
    op.execute("UPDATE payment SET state = 'UNKNOWN' WHERE state = 'REQUIRES_ACTION'")
    op.execute("UPDATE payment_attempt SET outcome = 'UNKNOWN' WHERE outcome = 'REQUIRES_ACTION'")
    op.execute(
        "UPDATE sandbox_charge SET outcome = 'SOFT_DECLINE', decline_code = 'authentication_required' "
        "WHERE outcome = 'REQUIRES_ACTION'"
    )
    _restrict(_STATES, _OUTCOMES)
    for column in ("action_expire_time", "action_secret", "action_url"):
        op.drop_column("payment_attempt", column)
    op.drop_column("payment", "attended")


def _restrict(states: Sequence[str], outcomes: Sequence[str]) -> None:
    for table, name, column, values in (
        ("payment", "ck_payment_state", "state", states),
        ("payment_attempt", "ck_payment_attempt_outcome", "outcome", outcomes),
    ):
        op.drop_constraint(name, table)
        listed = ", ".join(f"'{value}'" for value in values)
        op.create_check_constraint(name, table, f"{column} IN ({listed})")
