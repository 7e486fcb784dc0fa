"""How values are written into JSON columns, and read back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from chassis.kernel.money import Money
from chassis.kernel.timetable import Span, Window
from services.gating.domain.catalogue import Package
from services.gating.domain.gate import GateDecision, GateReason, Outcome, Verdict
from services.gating.domain.order_request import Inquiry, Needs, PackageSnapshot
from services.gating.domain.request_rules import DEFAULT_REMINDER_POINTS, ReofferPolicy
from services.gating.domain.settings import (
    NO_LIMIT,
    Audience,
    BypassPolicy,
    DayOverride,
    DayRule,
    OrderSettings,
    Scope,
)

Document = dict[str, Any]

_MICROSECOND = timedelta(microseconds=1)


def settings_document(settings: OrderSettings) -> Document:
    """Everything of settings but their key, version and times, which are columns."""
    return {
        "enabled": settings.enabled,
        "audience": settings.audience.value,
        "all_packages": settings.scope.all_packages,
        "packages": list(settings.scope.packages),
        "excluded_listings": list(settings.excluded_listings),
        "time_zone": settings.time_zone,
        "windows": [[sorted(w.days), w.start_minute, w.end_minute] for w in settings.windows],
        "overrides": [
            {
                "date": o.date.isoformat(),
                "rule": o.rule.value,
                "spans": [[s.start_minute, s.end_minute] for s in o.spans],
                "label": o.label,
            }
            for o in settings.overrides
        ],
        "bypass_policy": settings.bypass_policy.value,
        "request_ttl_microseconds": settings.request_ttl // _MICROSECOND,
        "reminder_points": list(settings.reminder_points),
        "reoffer_policy": settings.reoffer_policy.value,
        "max_open_orders": settings.max_open_orders,
        "capacity_only": settings.capacity_only,
    }


def settings_of(
    seller: str, document: Document, *, version: int, create_time: datetime, update_time: datetime
) -> OrderSettings:
    """The settings that `settings_document` wrote."""
    return OrderSettings(
        seller=seller,
        enabled=document["enabled"],
        audience=Audience(document["audience"]),
        scope=Scope(document["all_packages"], tuple(document["packages"])),
        excluded_listings=tuple(document["excluded_listings"]),
        time_zone=document["time_zone"],
        windows=tuple(Window(frozenset(days), start, end) for days, start, end in document["windows"]),
        overrides=tuple(
            DayOverride(
                date.fromisoformat(o["date"]),
                DayRule(o["rule"]),
                tuple(Span(start, end) for start, end in o["spans"]),
                o["label"],
            )
            for o in document["overrides"]
        ),
        bypass_policy=BypassPolicy(document["bypass_policy"]),
        request_ttl=timedelta(microseconds=document["request_ttl_microseconds"]),
        # Settings that were saved before these existed have their defaults.
        reminder_points=tuple(document.get("reminder_points", DEFAULT_REMINDER_POINTS)),
        reoffer_policy=ReofferPolicy(document.get("reoffer_policy", ReofferPolicy.ALLOW)),
        max_open_orders=document.get("max_open_orders", NO_LIMIT),
        capacity_only=document.get("capacity_only", False),
        version=version,
        create_time=create_time,
        update_time=update_time,
    )


def package_document(package: Package) -> Document:
    """A package."""
    return {
        "name": package.name,
        "title": package.title,
        "currency": package.price.currency,
        "amount": package.price.amount,
        "delivery_days": package.delivery_days,
        "retired": package.retired,
    }


def package_of(document: Document) -> Package:
    """The package that `package_document` wrote."""
    price = Money(document["currency"], document["amount"])
    # Not there in what was stored before packages could retire.
    retired = document.get("retired", False)
    return Package(document["name"], document["title"], price, document["delivery_days"], retired)


def snapshot_document(snapshot: PackageSnapshot) -> Document:
    """A package as it was."""
    return {"listing_title": snapshot.listing_title, "package": package_document(snapshot.package)}


def snapshot_of(document: Document) -> PackageSnapshot:
    """The snapshot that `snapshot_document` wrote."""
    return PackageSnapshot(document["listing_title"], package_of(document["package"]))


def needs_document(needs: Needs) -> Document:
    """What a buyer needs."""
    return {
        "text": needs.text,
        "answers": [list(answer) for answer in needs.answers],
        "attachments": list(needs.attachments),
        "preferred_start_time": _instant(needs.preferred_start_time),
    }


def needs_of(document: Document) -> Needs:
    """The needs that `needs_document` wrote."""
    return Needs(
        document["text"],
        tuple((question, answer) for question, answer in document["answers"]),
        tuple(document["attachments"]),
        _instant_of(document["preferred_start_time"]),
    )


def inquiries_document(inquiries: tuple[Inquiry, ...]) -> list[Document]:
    """Questions and answers."""
    return [
        {
            "question": i.question,
            "ask_time": _instant(i.ask_time),
            "answer": i.answer,
            "answer_time": _instant(i.answer_time),
        }
        for i in inquiries
    ]


def inquiries_of(documents: list[Document]) -> tuple[Inquiry, ...]:
    """The inquiries that `inquiries_document` wrote."""
    return tuple(
        Inquiry(
            d["question"], datetime.fromisoformat(d["ask_time"]), d["answer"], _instant_of(d["answer_time"])
        )
        for d in documents
    )


def decision_document(decision: GateDecision) -> Document:
    """A decision."""
    verdict = decision.verdict
    return {
        "package": decision.package,
        "buyer": decision.buyer,
        "evaluate_time": _instant(decision.evaluate_time),
        "local_time": decision.local_time,
        "time_zone": decision.time_zone,
        "settings_version": decision.settings_version,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason.value,
        "explanation": verdict.explanation,
        "matched_window": verdict.matched_window,
        "next_change_time": _instant(verdict.next_change_time),
        "offer": verdict.offer,
        "unavailable_until": _instant(verdict.unavailable_until),
        "messages_closed": verdict.messages_closed,
    }


def decision_of(document: Document) -> GateDecision:
    """The decision that `decision_document` wrote."""
    verdict = Verdict(
        Outcome(document["outcome"]),
        GateReason(document["reason"]),
        document["explanation"],
        document["matched_window"],
        _instant_of(document["next_change_time"]),
        document["offer"],
        _instant_of(document["unavailable_until"]),
        # Decisions that were stored before messages could be closed apart do not have it.
        document.get("messages_closed", False),
    )
    return GateDecision(
        document["package"],
        document["buyer"],
        datetime.fromisoformat(document["evaluate_time"]),
        document["local_time"],
        document["time_zone"],
        document["settings_version"],
        verdict,
    )


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
