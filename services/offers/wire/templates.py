"""Requests and answers about templates."""

from __future__ import annotations

from chassis.admission import check_rules
from chassis.field_mask import masked_paths, overlay
from chassis.kernel.ids import parse_name
from chassis.kernel.machine import ActionState
from chassis.kernel.page import Page
from chassis.paging import next_page_token, page_request
from chassis.wire import timestamp, write_actions
from parley.offers.v1 import offer_template_pb2, offers_service_pb2
from services.offers.app.templates import (
    CreateTemplate,
    DeleteTemplate,
    GetTemplate,
    ListTemplates,
    UpdateTemplate,
)
from services.offers.domain.template import TERMS_PATH, OfferTemplate, TemplateContent
from services.offers.domain.terms import check_text
from services.offers.wire.values import read_terms, seller_name, wire_terms

_UPDATABLE = ("title", "terms", "note", "valid_days")
_ACTIONS = (ActionState("update", allowed=True), ActionState("delete", allowed=True))


def create_template_command(request: offers_service_pb2.CreateOfferTemplateRequest) -> CreateTemplate:
    """What CreateOfferTemplate asks for. Refusals as for terms."""
    return CreateTemplate(seller_name(request.parent, field="parent"), _read_content(request.offer_template))


def get_template_query(request: offers_service_pb2.GetOfferTemplateRequest) -> GetTemplate:
    """What GetOfferTemplate asks for."""
    return GetTemplate(template_name(request.name, field="name"))


def list_templates_query(request: offers_service_pb2.ListOfferTemplatesRequest) -> ListTemplates:
    """What ListOfferTemplates asks for. Refusal PAGE_TOKEN_INVALID."""
    return ListTemplates(seller_name(request.parent, field="parent"), page_request(request))


def update_template_command(request: offers_service_pb2.UpdateOfferTemplateRequest) -> UpdateTemplate:
    """What UpdateOfferTemplate asks for. Refusal UNKNOWN_FIELD_PATH, and later those of terms."""
    sent = request.offer_template
    name = template_name(sent.name, field="offer_template.name")
    paths = masked_paths(request.update_mask, sent, updatable=_UPDATABLE)

    def edit(template: OfferTemplate) -> TemplateContent:
        merged = overlay(_wire_content(template), sent, paths)
        # Wrapped, so that the paths of violations are those of the request.
        wrapped = offers_service_pb2.CreateOfferTemplateRequest(parent=template.seller, offer_template=merged)
        check_rules(wrapped)
        return _read_content(merged)

    return UpdateTemplate(name, etag=sent.etag, edit=edit)


def delete_template_command(request: offers_service_pb2.DeleteOfferTemplateRequest) -> DeleteTemplate:
    """What DeleteOfferTemplate asks for."""
    return DeleteTemplate(template_name(request.name, field="name"), etag=request.etag)


def create_template_response(template: OfferTemplate) -> offers_service_pb2.CreateOfferTemplateResponse:
    """The answer of CreateOfferTemplate."""
    return offers_service_pb2.CreateOfferTemplateResponse(offer_template=_wire_template(template))


def get_template_response(template: OfferTemplate) -> offers_service_pb2.GetOfferTemplateResponse:
    """The answer of GetOfferTemplate."""
    return offers_service_pb2.GetOfferTemplateResponse(offer_template=_wire_template(template))


def list_templates_response(
    request: offers_service_pb2.ListOfferTemplatesRequest, page: Page[OfferTemplate]
) -> offers_service_pb2.ListOfferTemplatesResponse:
    """The answer of ListOfferTemplates."""
    return offers_service_pb2.ListOfferTemplatesResponse(
        offer_templates=[_wire_template(template) for template in page.items],
        next_page_token=next_page_token(request, page.next_cursor),
    )


def update_template_response(template: OfferTemplate) -> offers_service_pb2.UpdateOfferTemplateResponse:
    """The answer of UpdateOfferTemplate."""
    return offers_service_pb2.UpdateOfferTemplateResponse(offer_template=_wire_template(template))


def delete_template_response(_: OfferTemplate) -> offers_service_pb2.DeleteOfferTemplateResponse:
    """The answer of DeleteOfferTemplate."""
    return offers_service_pb2.DeleteOfferTemplateResponse()


def template_name(name: str, *, field: str) -> str:
    """`name`, if it has the form of a template's. Refusal INVALID."""
    parse_name(name, "sellers/*/offerTemplates/*", field=field)
    return name


def _wire_template(template: OfferTemplate) -> offer_template_pb2.OfferTemplate:
    message = _wire_content(template)
    message.MergeFrom(
        offer_template_pb2.OfferTemplate(
            name=template.name,
            etag=template.etag,
            create_time=timestamp(template.create_time),
            update_time=timestamp(template.update_time),
        )
    )
    write_actions(message, _ACTIONS, explanations={})
    return message


def _wire_content(template: OfferTemplate) -> offer_template_pb2.OfferTemplate:
    content = template.content
    return offer_template_pb2.OfferTemplate(
        title=content.title,
        terms=wire_terms(content.terms),
        note=content.note,
        valid_days=content.valid_days,
    )


def _read_content(message: offer_template_pb2.OfferTemplate) -> TemplateContent:
    return TemplateContent(
        title=check_text(message.title, field="offer_template.title"),
        terms=read_terms(message.terms, path=TERMS_PATH),
        note=check_text(message.note, field="offer_template.note"),
        valid_days=message.valid_days,
    )
