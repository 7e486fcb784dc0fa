"""A place for each absence of a seller or listing: as many as are allowed, and no two in one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

FILL = """
UPDATE absence SET place = numbered.place
FROM (SELECT id, row_number() OVER (PARTITION BY subject ORDER BY end_time DESC, id) - 1 AS place
      FROM absence) AS numbered
WHERE numbered.id = absence.id
"""


def upgrade() -> None:
    op.add_column("absence", sa.Column("place", sa.SmallInteger))
    op.execute(FILL)
    op.alter_column("absence", "place", nullable=False)
    op.create_index("uq_absence_subject_place", "absence", ["subject", "place"], unique=True)


def downgrade() -> None:
    op.drop_index("uq_absence_subject_place", "absence")
    op.drop_column("absence", "place")
