"""Calls about templates that are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from chassis.kernel.refusal import Kind
from chassis.testing import ANONYMOUS, Identity
from chassis.wire import timestamp
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1.offer_template_pb2 import OfferTemplate
from tests.component.offers.bad_calls import INVALID, NOT_FOUND, Bad
from tests.component.offers.scene import ACME, ANA, HOUR, NOW, OPERATOR, OTHER, plan, terms

MISSING = "sellers/acme/offerTemplates/none"


def made(**fields: Any) -> Callable[[Any], Any]:
    template = OfferTemplate(**{"title": "Logo", "terms": terms(), **fields})
    return lambda ground: pb.CreateOfferTemplateRequest(parent="sellers/acme", offer_template=template)


def edited(name: str = MISSING, paths: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    mask = FieldMask(paths=paths) if paths else None
    return lambda ground: pb.UpdateOfferTemplateRequest(
        offer_template=OfferTemplate(name=name, title="New"), update_mask=mask
    )


def offered(**fields: Any) -> Callable[[Any], Any]:
    return lambda ground: pb.CreateOfferRequest(order_request=ground.request, **fields)


def _bad(
    method: str, make: Callable[[Any], Any], reason: str = "VALIDATION_FAILED", *, field: str = ""
) -> Bad:
    path = f"offer_template.terms.{field}" if field else ""
    return Bad(method, ACME, make, NOT_FOUND if reason == "NOT_FOUND" else INVALID, reason, field=path)


def _strangers(method: str, make: Callable[[Any], Any]) -> list[Bad]:
    found: list[tuple[Identity, Kind, str]] = [
        (ANONYMOUS, Kind.UNAUTHENTICATED, "UNAUTHENTICATED"),
        *((who, NOT_FOUND, "NOT_FOUND") for who in (ANA, OTHER, OPERATOR)),
    ]
    return [Bad(method, who, make, kind, reason) for who, kind, reason in found]


TEMPLATE_CALLS = [
    *_strangers("CreateOfferTemplate", made()),
    *_strangers("GetOfferTemplate", lambda ground: pb.GetOfferTemplateRequest(name=MISSING)),
    *_strangers("ListOfferTemplates", lambda ground: pb.ListOfferTemplatesRequest(parent="sellers/acme")),
    *_strangers("UpdateOfferTemplate", edited()),
    *_strangers("DeleteOfferTemplate", lambda ground: pb.DeleteOfferTemplateRequest(name=MISSING)),
    _bad("CreateOfferTemplate", made(title="")),
    _bad("CreateOfferTemplate", made(title="\x00")),
    _bad("CreateOfferTemplate", made(terms=None)),
    _bad("CreateOfferTemplate", made(terms=terms(delivery_days=366))),
    _bad("CreateOfferTemplate", made(terms=terms(0)), "AMOUNT_INVALID", field="line_items"),
    _bad("CreateOfferTemplate", made(terms=terms(start_time=timestamp(NOW + HOUR))), field="start_time"),
    _bad("CreateOfferTemplate", made(terms=terms(expires_in=HOUR)), field="expire_time"),
    _bad(
        "CreateOfferTemplate",
        made(terms=terms(plan=plan(start_time=timestamp(NOW + HOUR)))),
        field="plan.start_time",
    ),
    _bad("CreateOfferTemplate", made(terms=terms(scope="\x00")), field="scope"),
    _bad("CreateOfferTemplate", made(terms=terms(plan=plan(0))), "AMOUNT_INVALID", field="plan.price"),
    _bad("CreateOfferTemplate", made(valid_days=366)),
    _bad("CreateOfferTemplate", made(note="x" * 2001)),
    _bad("GetOfferTemplate", lambda ground: pb.GetOfferTemplateRequest(name="sellers/acme")),
    _bad("GetOfferTemplate", lambda ground: pb.GetOfferTemplateRequest(name=MISSING), "NOT_FOUND"),
    _bad(
        "ListOfferTemplates",
        lambda ground: pb.ListOfferTemplatesRequest(parent="sellers/acme", page_token="x"),
        "PAGE_TOKEN_INVALID",
    ),
    _bad("UpdateOfferTemplate", edited("sellers/acme")),
    _bad("UpdateOfferTemplate", edited(paths=("etag",)), "UNKNOWN_FIELD_PATH"),
    _bad("UpdateOfferTemplate", edited(), "NOT_FOUND"),
    _bad("DeleteOfferTemplate", lambda ground: pb.DeleteOfferTemplateRequest(name=MISSING), "NOT_FOUND"),
    _bad("DeleteOfferTemplate", lambda ground: pb.DeleteOfferTemplateRequest(name="")),
    _bad("CreateOffer", offered(terms=terms(), template=MISSING)),
    _bad("CreateOffer", offered(template="offerTemplates/none")),
    _bad("CreateOffer", offered(template=MISSING), "NOT_FOUND"),
    _bad("CreateOffer", offered(template="sellers/other/offerTemplates/none"), "NOT_FOUND"),
]
