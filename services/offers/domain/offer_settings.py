"""How a seller deals with his offers, and which counter-offers his settings answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from chassis.kernel.money import Money
from chassis.kernel.timetable import zone_of
from services.offers.domain.chain import Answer, AutomaticAnswer, Revision
from services.offers.domain.difference import changed_fields
from services.offers.domain.listing import Listing
from services.offers.domain.refusals import amount_invalid, approval_limit_invalid, counter_rule_invalid
from services.offers.domain.terms import LineItem

DEFAULT_ZONE: Final = "UTC"
"""Where a seller is who has not said so."""

# What a counter-offer may change and still ask for nothing but another price.
_PRICE_ONLY: Final = frozenset({"line_items", "expire_time"})


@dataclass(frozen=True, slots=True)
class CounterRule:
    """Shares in percent of the seller's last total; 0 is none. `package` is empty for all other offers."""

    package: str
    accept_percent: int
    decline_percent: int


@dataclass(frozen=True, slots=True)
class SettingsContent:
    """What the owner edits; an empty `time_zone` is the default one."""

    time_zone: str = ""
    counter_rules: tuple[CounterRule, ...] = ()
    approval_limits: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True)
class OfferSettings:
    """The settings of ``sellers/{seller}``; version 0 while nothing was saved."""

    seller: str
    content: SettingsContent = field(default_factory=SettingsContent)
    version: int = 0
    create_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def name(self) -> str:
        """``sellers/{seller}/offerSettings``."""
        return f"{self.seller}/offerSettings"

    @property
    def etag(self) -> str:
        """The version as text."""
        return f"v{self.version}"

    @property
    def zone(self) -> str:
        """The zone in which dates are read that name none."""
        return self.content.time_zone or DEFAULT_ZONE


def save(settings: OfferSettings, content: SettingsContent, *, now: datetime) -> OfferSettings:
    """The settings with other content; the same content changes nothing.

    Refusals UNKNOWN_TIME_ZONE, COUNTER_RULE_INVALID, APPROVAL_LIMIT_INVALID, AMOUNT_INVALID.
    """
    if content == settings.content:
        return settings
    if content.time_zone:
        zone_of(content.time_zone, field="offer_settings.time_zone")
    _check_rules(content.counter_rules, seller=settings.seller)
    _check_limits(content.approval_limits)
    return replace(
        settings,
        content=content,
        version=settings.version + 1,
        create_time=settings.create_time or now,
        update_time=now,
    )


def _check_rules(rules: Sequence[CounterRule], *, seller: str) -> None:
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        path = f"offer_settings.counter_rules[{index}]"
        if rule.package in seen:
            raise counter_rule_invalid(path, "is for the same offers as another one")
        seen.add(rule.package)
        if rule.package and not rule.package.startswith(f"{seller}/"):
            raise counter_rule_invalid(f"{path}.package", "is not one of the seller's own")
        if rule.accept_percent and rule.decline_percent > rule.accept_percent:
            raise counter_rule_invalid(
                f"{path}.auto_decline_percent", "must not be above auto_accept_percent"
            )


def newly_named(settings: OfferSettings, *, before: OfferSettings) -> Sequence[tuple[int, str]]:
    """The packages of rules that no rule named before, each with the place of its rule. What was named before
    may have left the sale since, and hinders no other change.
    """
    known = {"", *(rule.package for rule in before.content.counter_rules)}
    rules = enumerate(settings.content.counter_rules)
    return [(index, rule.package) for index, rule in rules if rule.package not in known]


def check_package(package: str, listing: Listing | None, *, index: int) -> None:
    """Refusal COUNTER_RULE_INVALID where the listing of a rule never had its package."""
    if listing is None or not (listing.sells(package) or listing.sold(package)):
        path = f"offer_settings.counter_rules[{index}].package"
        raise counter_rule_invalid(path, "is not a package that the seller has")


def _check_limits(limits: Sequence[Money]) -> None:
    seen: set[str] = set()
    for index, limit in enumerate(limits):
        field = f"offer_settings.approval_limits[{index}]"
        if limit.currency in seen:
            raise approval_limit_invalid(field)
        seen.add(limit.currency)
        if limit.amount < 0:
            raise amount_invalid(field, "must not be negative", limit)


def automatic_answer(
    settings: OfferSettings, *, proposal: Revision, counter: Revision, now: datetime
) -> AutomaticAnswer | None:
    """How the settings answer the buyer's `counter` to the seller's `proposal`; None: he answers himself.

    Exact: shares are compared in integers.
    """
    rule = _rule_for(settings.content.counter_rules, proposal.terms.package)
    if rule is None or not asks_for_another_price_only(proposal, counter):
        return None
    share, whole = counter.total.amount * 100, proposal.total.amount
    if rule.accept_percent and share >= whole * rule.accept_percent:
        return AutomaticAnswer(Answer.ACCEPTED, counter.number, now, settings.version, rule.accept_percent)
    if rule.decline_percent and share < whole * rule.decline_percent:
        return AutomaticAnswer(Answer.DECLINED, counter.number, now, settings.version, rule.decline_percent)
    return None


def asks_for_another_price_only(proposal: Revision, counter: Revision) -> bool:
    """Whether the counter-offer leaves everything as it was but prices and its own expiry."""
    if not set(changed_fields(proposal.terms, counter.terms)) <= _PRICE_ONLY:
        return False
    return _pieces(proposal.terms.line_items) == _pieces(counter.terms.line_items)


def _pieces(items: Sequence[LineItem]) -> Counter[tuple[str, int]]:
    return Counter((item.title, item.quantity) for item in items)


def _rule_for(rules: Sequence[CounterRule], package: str) -> CounterRule | None:
    by_package = {rule.package: rule for rule in rules}
    return by_package.get(package) or by_package.get("")
