"""The tables that every service has beside its own, in its own database.

``outbox``             events of this service, until and after they are published
``inbox``              events of others that a reaction has taken in (once each)
``consumer_position``  the newest version of each foreign aggregate that a projection holds
``dead_letter``        deliveries that were given up, with the reason
``timer``              what has to happen later
``idempotency``        answers to calls that carried a request id
``lease``              who leads a job that only one replica may do
``stream_state``       when the stream of this service was created, to notice a new one
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

NAMING_CONVENTION: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraint names are part of the schema: migrations and refusals refer to them."""


def metadata() -> sa.MetaData:
    """An empty collection of tables that follows the naming convention."""
    return sa.MetaData(naming_convention=NAMING_CONVENTION)


METADATA: Final = metadata()
"""The tables of this module; a service keeps its own tables in a collection of its own."""


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, primary_key: bool = False, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=False, server_default=default)


outbox = sa.Table(
    "outbox",
    METADATA,
    _text("event_id", primary_key=True),
    _text("aggregate"),
    sa.Column("version", sa.BigInteger, nullable=False),
    _text("type"),
    _text("subject"),
    _instant("time"),
    _text("traceparent"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _instant("published_at", nullable=True),
    sa.UniqueConstraint("aggregate", "version"),
)
# The partial index holds only what is still to be published, so claiming stays quick however long the
# history is.
sa.Index(
    "ix_outbox_unpublished",
    outbox.c.event_id,
    postgresql_where=outbox.c.published_at.is_(None),
)
sa.Index("ix_outbox_time", outbox.c.time)

inbox = sa.Table(
    "inbox",
    METADATA,
    _text("consumer", primary_key=True),
    _text("event_id", primary_key=True),
    _instant("receive_time"),
)
sa.Index("ix_inbox_receive_time", inbox.c.receive_time)

consumer_position = sa.Table(
    "consumer_position",
    METADATA,
    _text("consumer", primary_key=True),
    _text("aggregate", primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
)

dead_letter = sa.Table(
    "dead_letter",
    METADATA,
    _text("consumer", primary_key=True),
    _text("event_id", primary_key=True),
    _text("subject"),
    sa.Column("headers", JSONB, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    _text("reason"),
    sa.Column("deliveries", sa.Integer, nullable=False),
    _instant("create_time"),
)

timer = sa.Table(
    "timer",
    METADATA,
    _text("kind", primary_key=True),
    _text("key", primary_key=True),
    _instant("due_time"),
    sa.Column("payload", JSONB, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    # A claim that is not renewed by the deletion of the row lapses: the visibility timeout.
    _text("claim", default=""),
    _instant("visible_time"),
)
sa.Index("ix_timer_visible_time", timer.c.visible_time)

idempotency = sa.Table(
    "idempotency",
    METADATA,
    _text("principal", primary_key=True),
    _text("method", primary_key=True),
    _text("key", primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("answer", sa.LargeBinary, nullable=True),
    _instant("create_time"),
)
sa.Index("ix_idempotency_create_time", idempotency.c.create_time)

lease = sa.Table(
    "lease",
    METADATA,
    _text("name", primary_key=True),
    _text("holder"),
    _instant("expire_time"),
)

stream_state = sa.Table(
    "stream_state",
    METADATA,
    _text("stream", primary_key=True),
    _text("created"),
)


_WAITING = sa.text("published_at IS NULL")


def create(op: Any) -> None:
    """Creates every table of this module; for the first migration of a service (`op` is alembic's). What came
    later has a function each, for a later migration.
    """
    METADATA.create_all(op.get_bind(), checkfirst=False)


def drop(op: Any) -> None:
    """Removes what `create` made."""
    METADATA.drop_all(op.get_bind(), checkfirst=False)


def find_waiting_by_aggregate(op: Any) -> None:
    """Lets the relay find what waits of one aggregate without reading what waits of all. The second condition
    of the other index is explained in `chassis.outbox`.
    """
    op.create_index("ix_outbox_waiting", "outbox", ["aggregate", "version"], postgresql_where=_WAITING)
    op.drop_index("ix_outbox_unpublished", "outbox")
    op.create_index(
        "ix_outbox_unpublished",
        "outbox",
        ["event_id"],
        postgresql_where=sa.text("published_at IS NULL AND event_id > ''"),
    )


def find_waiting_by_time_alone(op: Any) -> None:
    """Takes `find_waiting_by_aggregate` back."""
    op.drop_index("ix_outbox_unpublished", "outbox")
    op.create_index("ix_outbox_unpublished", "outbox", ["event_id"], postgresql_where=_WAITING)
    op.drop_index("ix_outbox_waiting", "outbox")


def find_timers_by_kind(op: Any) -> None:
    """Lets a runner find the timers of the kinds that it has places for, however many of others are due."""
    op.create_index("ix_timer_kind_visible_time", "timer", ["kind", "visible_time"])
    op.drop_index("ix_timer_visible_time", "timer")


def find_timers_by_time_alone(op: Any) -> None:
    """Takes `find_timers_by_kind` back."""
    op.create_index("ix_timer_visible_time", "timer", ["visible_time"])
    op.drop_index("ix_timer_kind_visible_time", "timer")
