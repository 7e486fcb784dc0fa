"""The tables of offers; the migrations make them."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from chassis.db import metadata

METADATA: Final = metadata()


def _text(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


listing = sa.Table(
    "listing",
    METADATA,
    _text("seller", primary_key=True),
    _text("listing_id", primary_key=True),
    _text("title"),
    _text("description"),
    _text("intake"),
    sa.Column("published", sa.Boolean, nullable=False),
    sa.Column("packages", JSONB, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _instant("create_time"),
    _instant("update_time"),
    # What follows from the content, in columns of its own for the indexes that lists walk along.
    _text("state"),
    sa.Column("has_plan", sa.Boolean, nullable=False),
    _text("currency"),
    sa.Column("lowest_price", sa.BigInteger, nullable=False),
    sa.Column("retired", JSONB, nullable=False),
    _instant("retire_time", nullable=True),
    sa.Column("kind", sa.Text, nullable=False, server_default=sa.text("'SERVICE'")),
)

# Which listings contain a word. It repeats what lists are filtered and ordered by, so that a page of a word
# is as short a walk as one of all listings.
listing_word = sa.Table(
    "listing_word",
    METADATA,
    _text("seller", primary_key=True),
    _text("word", primary_key=True),
    _text("listing_id", primary_key=True),
    _text("state", primary_key=True),
    _text("intake", primary_key=True),
    sa.Column("has_plan", sa.Boolean, primary_key=True, nullable=False),
    _instant("create_time"),
    _text("currency"),
    sa.Column("lowest_price", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, primary_key=True, nullable=False, server_default=sa.text("'SERVICE'")),
)

# `proposal` repeats the newest row of offer_revision: one lock on one row then shows everything that decides,
# while a join would be evaluated on the revision that was newest before the lock was granted.
offer = sa.Table(
    "offer",
    METADATA,
    _text("offer_id", primary_key=True),
    _text("seller"),
    _text("buyer"),
    _text("origin"),
    _text("state"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("proposal", JSONB, nullable=False),
    sa.Column("first_sent", sa.Integer, nullable=True),
    _instant("first_open_time", nullable=True),
    sa.Column("acceptance", JSONB(none_as_null=True), nullable=True),
    _text("decline_reason"),
    _instant("close_time", nullable=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    _instant("create_time"),
    _instant("update_time"),
    sa.Column("new_quote", JSONB(none_as_null=True), nullable=True),
    sa.Column("automatic_answer", JSONB(none_as_null=True), nullable=True),
    sa.Column("review", JSONB(none_as_null=True), nullable=True),
)

offer_revision = sa.Table(
    "offer_revision",
    METADATA,
    _text("offer_id", primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("proposal", JSONB, nullable=False),
)

# Whoever opens or ends offers of an origin locks its row first. `ended` is the state in which it ended.
origin = sa.Table(
    "origin",
    METADATA,
    _text("name", primary_key=True),
    sa.Column("ended", sa.Text, nullable=False, server_default=""),
)

offer_settings = sa.Table(
    "offer_settings",
    METADATA,
    _text("seller", primary_key=True),
    sa.Column("content", JSONB, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _instant("create_time", nullable=True),
    _instant("update_time", nullable=True),
)

offer_template = sa.Table(
    "offer_template",
    METADATA,
    _text("seller", primary_key=True),
    _text("template_id", primary_key=True),
    sa.Column("content", JSONB, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    _instant("create_time"),
    _instant("update_time"),
)
