"""Values that are stored as JSON documents, and read back exactly as they were."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from chassis.kernel.money import Money
from services.offers.adapters.option_documents import options_document, read_options
from services.offers.domain.chain import Acceptance, Answer, Author, AutomaticAnswer, NewQuote, Revision
from services.offers.domain.listing import Package
from services.offers.domain.offer_settings import CounterRule, SettingsContent
from services.offers.domain.review import Review, Verdict
from services.offers.domain.template import TemplateContent
from services.offers.domain.terms import Address, Interval, LineItem, LocalDay, PaymentMethod, Plan, Terms

Document = dict[str, Any]


def packages_document(packages: tuple[Package, ...]) -> list[Document]:
    """The stored form of a listing's packages."""
    return [
        {
            "package_id": package.package_id,
            "title": package.title,
            "description": package.description,
            "price": _money_document(package.price),
            "delivery_days": package.delivery_days,
            "plan": _plan_document(package.plan),
            "retire_time": _instant_document(package.retire_time),
            "options": options_document(package.options),
        }
        for package in packages
    ]


def read_packages(documents: list[Document]) -> tuple[Package, ...]:
    """What `packages_document` stored."""
    return tuple(
        Package(
            package_id=document["package_id"],
            title=document["title"],
            description=document["description"],
            price=_read_money(document["price"]),
            delivery_days=document["delivery_days"],
            plan=_read_plan(document["plan"]),
            # Not there in what was stored before packages could retire.
            retire_time=_read_instant(document.get("retire_time")),
            # Nor this, in what was stored before there were options.
            options=read_options(document.get("options", ())),
        )
        for document in documents
    )


def terms_document(terms: Terms) -> Document:
    """The stored form of a proposal."""
    return {
        "line_items": [
            {
                "title": item.title,
                "quantity": item.quantity,
                "unit_price": _money_document(item.unit_price),
            }
            for item in terms.line_items
        ],
        "delivery_days": terms.delivery_days,
        "payment_method": terms.payment_method.value,
        "package": terms.package,
        "scope": terms.scope,
        "start_time": _instant_document(terms.start_time),
        "expire_time": _instant_document(terms.expire_time),
        "plan": _plan_document(terms.plan),
        "expire_day": _day_document(terms.expire_day),
    }


def read_terms(document: Document) -> Terms:
    """What `terms_document` stored."""
    return Terms(
        line_items=tuple(
            LineItem(item["title"], item["quantity"], _read_money(item["unit_price"]))
            for item in document["line_items"]
        ),
        delivery_days=document["delivery_days"],
        payment_method=PaymentMethod(document["payment_method"]),
        package=document["package"],
        scope=document["scope"],
        start_time=_read_instant(document["start_time"]),
        expire_time=_read_instant(document["expire_time"]),
        plan=_read_plan(document["plan"]),
        # Revisions are never written again, so those of before have no such key.
        expire_day=_read_day(document.get("expire_day")),
    )


def template_document(content: TemplateContent) -> Document:
    """The stored form of a template."""
    return {
        "title": content.title,
        "terms": terms_document(content.terms),
        "note": content.note,
        "valid_days": content.valid_days,
    }


def read_template(document: Document) -> TemplateContent:
    """What `template_document` stored."""
    terms = read_terms(document["terms"])
    return TemplateContent(document["title"], terms, document["note"], document["valid_days"])


def revision_document(revision: Revision) -> Document:
    """The stored form of a revision."""
    return {
        "number": revision.number,
        "author": revision.author.value,
        "total": _money_document(revision.total),
        "note": revision.note,
        "create_time": _instant_document(revision.create_time),
        "terms": terms_document(revision.terms),
    }


def read_revision(document: Document) -> Revision:
    """What `revision_document` stored."""
    return Revision(
        number=document["number"],
        author=Author(document["author"]),
        total=_read_money(document["total"]),
        note=document["note"],
        create_time=datetime.fromisoformat(document["create_time"]),
        terms=read_terms(document["terms"]),
    )


def acceptance_document(acceptance: Acceptance | None) -> Document | None:
    """The stored form of an acceptance."""
    if acceptance is None:
        return None
    return {
        "revision": acceptance.revision,
        "accept_time": _instant_document(acceptance.accept_time),
        "order": acceptance.order,
        "payment_token": acceptance.payment_token,
        "billing_address": _address_document(acceptance.billing_address),
        "delivery_address": _address_document(acceptance.delivery_address),
    }


def read_acceptance(document: Document | None) -> Acceptance | None:
    """What `acceptance_document` stored."""
    if document is None:
        return None
    return Acceptance(
        revision=document["revision"],
        accept_time=datetime.fromisoformat(document["accept_time"]),
        order=document["order"],
        payment_token=document["payment_token"],
        billing_address=_read_address(document["billing_address"]),
        delivery_address=_read_address(document["delivery_address"]),
    )


def new_quote_document(new_quote: NewQuote | None) -> Document | None:
    """The stored form of a wish for a new quote."""
    if new_quote is None:
        return None
    return {
        "revision": new_quote.revision,
        "request_time": _instant_document(new_quote.request_time),
        "text": new_quote.text,
    }


def read_new_quote(document: Document | None) -> NewQuote | None:
    """What `new_quote_document` stored."""
    if document is None:
        return None
    time = datetime.fromisoformat(document["request_time"])
    return NewQuote(document["revision"], time, document["text"])


def automatic_answer_document(answer: AutomaticAnswer | None) -> Document | None:
    """The stored form of an automatic answer."""
    if answer is None:
        return None
    return {
        "answer": answer.answer.value,
        "revision": answer.revision,
        "answer_time": _instant_document(answer.answer_time),
        "settings_version": answer.settings_version,
        "percent": answer.percent,
    }


def read_automatic_answer(document: Document | None) -> AutomaticAnswer | None:
    """What `automatic_answer_document` stored."""
    if document is None:
        return None
    return AutomaticAnswer(
        answer=Answer(document["answer"]),
        revision=document["revision"],
        answer_time=datetime.fromisoformat(document["answer_time"]),
        settings_version=document["settings_version"],
        percent=document["percent"],
    )


def review_document(review: Review | None) -> Document | None:
    """The stored form of a review."""
    if review is None:
        return None
    return {
        "revision": review.revision,
        "submitter": review.submitter,
        "submit_time": _instant_document(review.submit_time),
        "submit_text": review.submit_text,
        "verdict": review.verdict.value if review.verdict else None,
        "reviewer": review.reviewer,
        "review_time": _instant_document(review.review_time),
        "review_text": review.review_text,
    }


def read_review(document: Document | None) -> Review | None:
    """What `review_document` stored."""
    if document is None:
        return None
    return Review(
        revision=document["revision"],
        submitter=document["submitter"],
        submit_time=datetime.fromisoformat(document["submit_time"]),
        submit_text=document["submit_text"],
        verdict=Verdict(document["verdict"]) if document["verdict"] else None,
        reviewer=document["reviewer"],
        review_time=_read_instant(document["review_time"]),
        review_text=document["review_text"],
    )


def settings_document(content: SettingsContent) -> Document:
    """The stored form of a seller's settings."""
    return {
        "time_zone": content.time_zone,
        "counter_rules": [
            {
                "package": rule.package,
                "accept_percent": rule.accept_percent,
                "decline_percent": rule.decline_percent,
            }
            for rule in content.counter_rules
        ],
        "approval_limits": [_money_document(limit) for limit in content.approval_limits],
    }


def read_settings(document: Document) -> SettingsContent:
    """What `settings_document` stored."""
    return SettingsContent(
        time_zone=document["time_zone"],
        counter_rules=tuple(
            CounterRule(rule["package"], rule["accept_percent"], rule["decline_percent"])
            for rule in document["counter_rules"]
        ),
        approval_limits=tuple(_read_money(limit) for limit in document.get("approval_limits", ())),
    )


def _money_document(money: Money) -> Document:
    return {"currency": money.currency, "amount": money.amount}


def _read_money(document: Document) -> Money:
    return Money(document["currency"], document["amount"])


def _plan_document(plan: Plan | None) -> Document | None:
    if plan is None:
        return None
    return {
        "price": _money_document(plan.price),
        "interval": plan.interval.value,
        "interval_count": plan.interval_count,
        "trial_days": plan.trial_days,
        "period_count": plan.period_count,
        "anchor_day": plan.anchor_day,
        "start_time": _instant_document(plan.start_time),
    }


def _read_plan(document: Document | None) -> Plan | None:
    if document is None:
        return None
    return Plan(
        price=_read_money(document["price"]),
        interval=Interval(document["interval"]),
        interval_count=document["interval_count"],
        # Not there in what was stored before plans had a trial, a term, an anchor and a start.
        trial_days=document.get("trial_days", 0),
        period_count=document.get("period_count", 0),
        anchor_day=document.get("anchor_day", 0),
        start_time=_read_instant(document.get("start_time")),
    )


def _address_document(address: Address | None) -> Document | None:
    if address is None:
        return None
    return {
        "recipient": address.recipient,
        "organization": address.organization,
        "address_lines": list(address.address_lines),
        "postal_code": address.postal_code,
        "locality": address.locality,
        "region_code": address.region_code,
    }


def _read_address(document: Document | None) -> Address | None:
    if document is None:
        return None
    return Address(
        recipient=document["recipient"],
        organization=document["organization"],
        address_lines=tuple(document["address_lines"]),
        postal_code=document["postal_code"],
        locality=document["locality"],
        region_code=document["region_code"],
    )


def _day_document(day: LocalDay | None) -> Document | None:
    if day is None:
        return None
    return {"date": day.date.isoformat(), "time_zone": day.time_zone}


def _read_day(document: Document | None) -> LocalDay | None:
    if document is None:
        return None
    return LocalDay(date.fromisoformat(document["date"]), document["time_zone"])


def _instant_document(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _read_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
