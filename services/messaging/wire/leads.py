"""Leads on the wire: the feed, and the table in CSV by RFC 4180."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from google.api.httpbody_pb2 import HttpBody

from chassis import paging, spreadsheet
from chassis.wire import timestamp
from parley.messaging.v1 import lead_pb2 as pb
from services.messaging.app.leads import ExportLeads, LeadsPage, ListLeads, Piece
from services.messaging.domain.lead import FeedItem, ShownLead
from services.messaging.wire.consents import CONSENTS, CONSENTS_SENT, wire_consent

FILENAME: Final = "leads.csv"


def list_leads_query(request: pb.ListLeadsRequest) -> ListLeads:
    """Decodes ListLeads. A page token goes before `since`. Refusal PAGE_TOKEN_INVALID."""
    page = paging.page_request(request)
    cursor = page.cursor
    if cursor is None and request.since:
        cursor = paging.page_request(_place(request, request.since)).cursor
    consent = CONSENTS_SENT.get(request.consent)
    return ListLeads(request.parent, consent, paging.position_of(cursor), page.size)


def _place(request: pb.ListLeadsRequest, token: str = "") -> pb.ListLeadsRequest:
    """What the place in a feed is bound to: whose feed it is, and nothing else."""
    return pb.ListLeadsRequest(parent=request.parent, page_token=token)


def list_leads_response(request: pb.ListLeadsRequest) -> Callable[[LeadsPage], pb.ListLeadsResponse]:
    """Encodes a part of the feed."""

    def encode(page: LeadsPage) -> pb.ListLeadsResponse:
        end = paging.cursor_of(page.end)
        return pb.ListLeadsResponse(
            leads=[_wire_item(each) for each in page.items],
            next_page_token=paging.next_page_token(request, end if page.more else None),
            next_since=paging.next_page_token(_place(request), end),
        )

    return encode


def _wire_item(item: FeedItem) -> pb.Lead:
    shown = item.shown
    lead = shown.lead
    known = bool(shown.consents)
    return pb.Lead(
        name=lead.name,
        state=pb.Lead.STATE_ERASED if lead.erased else pb.Lead.STATE_ACTIVE,
        change=pb.Lead.Change.Value(f"CHANGE_{item.change.value}"),
        change_time=timestamp(item.time),
        conversation=item.conversation,
        source=pb.Lead.Source.Value(f"SOURCE_{lead.source.value}"),
        first_contact_time=timestamp(lead.first_contact_time),
        last_contact_time=timestamp(lead.last_contact_time),
        consents=[wire_consent(each) for each in shown.consents],
        missing_consents=[CONSENTS[kind] for kind in shown.missing],
        buyer=lead.buyer if known else "",
        display_name=shown.contact.display_name,
        email=shown.contact.email,
        phone=shown.contact.phone,
    )


def export_leads_query(request: pb.ExportLeadsRequest) -> ExportLeads:
    """Decodes ExportLeads."""
    return ExportLeads(request.parent, CONSENTS_SENT.get(request.consent))


def table_piece(piece: Piece) -> HttpBody:
    """Some lines; the first piece has the headings and says how the file is called."""
    lines = [[cell(each) for cell in COLUMNS.values()] for each in piece.leads]
    if piece.is_first:
        return spreadsheet.first_piece(FILENAME, tuple(COLUMNS), lines)
    return spreadsheet.piece(lines)


COLUMNS: Final[Mapping[str, Callable[[ShownLead], str]]] = {
    "lead": lambda each: each.lead.name,
    "buyer": lambda each: each.lead.buyer if each.consents else "",
    "display_name": lambda each: each.contact.display_name,
    "email": lambda each: each.contact.email,
    "phone": lambda each: each.contact.phone,
    "consents": lambda each: "; ".join(held.type for held in each.consents),
    "missing_consents": lambda each: "; ".join(each.missing),
    "source": lambda each: each.lead.source.value,
    "conversation": lambda each: each.lead.conversation,
    "first_contact_time": lambda each: spreadsheet.time_cell(each.lead.first_contact_time),
    "last_contact_time": lambda each: spreadsheet.time_cell(each.lead.last_contact_time),
}
"""The headings, and what stands below them."""
