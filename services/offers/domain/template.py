"""Templates: terms that a seller's team offers again and again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from chassis.kernel.refusal import invalid
from chassis.kernel.timetable import local_time, zone_of
from services.offers.domain.terms import Expiry, LocalDay, Terms, check_undated, total_of

TERMS_PATH: Final = "offer_template.terms"
"""Where the terms stand in a request about a template."""


@dataclass(frozen=True, slots=True)
class TemplateContent:
    """What the team edits. `valid_days` is 0 for offers that never expire."""

    title: str
    terms: Terms
    note: str
    valid_days: int


@dataclass(frozen=True, slots=True)
class OfferTemplate:
    """A template of ``sellers/{seller}``."""

    seller: str
    template_id: str
    content: TemplateContent
    version: int
    create_time: datetime
    update_time: datetime

    @property
    def name(self) -> str:
        """``sellers/{seller}/offerTemplates/{template}``."""
        return f"{self.seller}/offerTemplates/{self.template_id}"

    @property
    def etag(self) -> str:
        """The version as text."""
        return f"v{self.version}"


def create(*, seller: str, template_id: str, content: TemplateContent, now: datetime) -> OfferTemplate:
    """A new template. Refusals AMOUNT_INVALID, CURRENCY_MISMATCH, VALIDATION_FAILED."""
    _check(content)
    return OfferTemplate(seller, template_id, content, 1, now, now)


def update(template: OfferTemplate, *, content: TemplateContent, now: datetime) -> OfferTemplate:
    """The template with other content; the same content changes nothing. Refusals as for `create`."""
    if content == template.content:
        return template
    _check(content)
    return replace(template, content=content, version=template.version + 1, update_time=now)


def terms_of(template: OfferTemplate, *, zone: str, now: datetime) -> Terms:
    """The terms of an offer that is made of it now; not settled yet. `zone` is the seller's."""
    content = template.content
    if not content.valid_days:
        return content.terms
    today = local_time(now, zone_of(zone)).date()
    return content.terms.with_expiry(Expiry(day=LocalDay(today + timedelta(days=content.valid_days), zone)))


def _check(content: TemplateContent) -> None:
    total_of(content.terms, path=TERMS_PATH)
    if content.terms.start_time is not None:
        raise invalid(f"{TERMS_PATH}.start_time", "belongs to one offer, not to a template")
    check_undated(content.terms.plan, field=f"{TERMS_PATH}.plan")
    if content.terms.expiry != Expiry():
        raise invalid(f"{TERMS_PATH}.expire_time", "belongs to one offer; a template has valid_days")
