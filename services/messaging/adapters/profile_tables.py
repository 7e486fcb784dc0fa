"""The tables of profiles. They alone hold contact data."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, Table, Text, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from services.messaging.adapters.tables import METADATA

profile = Table(
    "profile",
    METADATA,
    # `users/{user}`.
    Column("id", Text, primary_key=True),
    # 0: made only to be locked, nothing was saved yet.
    Column("version", BigInteger, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("email_state", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    # A language, or nothing.
    Column("auto_translate", Text, nullable=False, server_default=""),
    Column("choices", JSONB, nullable=False),
    Column("create_time", DateTime(timezone=True)),
    Column("update_time", DateTime(timezone=True)),
    CheckConstraint("email_state in ('none', 'unverified', 'verified', 'bounced')", name="email_state"),
    CheckConstraint("(email = '') = (email_state = 'none')", name="email"),
)

Index(
    "ix_profile_bounced",
    func.lower(profile.c.email),
    postgresql_where=profile.c.email_state == literal_column("'bounced'"),
)

team_member = Table(
    "team_member",
    METADATA,
    # `users/{user}` and `sellers/{seller}`, as a token showed them.
    Column("member", Text, primary_key=True),
    Column("seller", Text, primary_key=True),
    Column("show_time", DateTime(timezone=True), nullable=False),
)
Index("ix_team_member_seller", team_member.c.seller)
