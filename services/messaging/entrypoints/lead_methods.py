"""The RPCs of leads, consents and disclosures: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis.server import respond, respond_each
from parley.messaging.v1 import consent_pb2, lead_pb2
from services.messaging.app.consents import ConsentCommands, PrivacyQueries
from services.messaging.app.leads import LeadQueries
from services.messaging.wire import consents, leads


@dataclass(frozen=True, slots=True)
class LeadRooms:
    """What the methods call."""

    queries: LeadQueries
    consents: ConsentCommands
    privacy: PrivacyQueries


class LeadMethods:
    """A part of `MessagingServicer`, which sets `_leads`."""

    _leads: LeadRooms

    async def ListLeads(self, request: lead_pb2.ListLeadsRequest, context: Any) -> lead_pb2.ListLeadsResponse:
        query, encode = leads.list_leads_query(request), leads.list_leads_response(request)
        return await respond(context, query, self._leads.queries.list, encode)

    async def ExportLeads(
        self, request: lead_pb2.ExportLeadsRequest, context: Any
    ) -> AsyncIterator[HttpBody]:
        query = leads.export_leads_query(request)
        async for piece in respond_each(context, query, self._leads.queries.export, leads.table_piece):
            yield piece

    async def SetConsent(
        self, request: consent_pb2.SetConsentRequest, context: Any
    ) -> consent_pb2.SetConsentResponse:
        command = consents.set_consent_command(request)
        return await respond(context, command, self._leads.consents.set, consents.set_consent_response)

    async def ListConsents(
        self, request: consent_pb2.ListConsentsRequest, context: Any
    ) -> consent_pb2.ListConsentsResponse:
        query, encode = consents.own_list(request), consents.list_consents_response(request)
        return await respond(context, query, self._leads.privacy.consents, encode)

    async def ListDisclosures(
        self, request: consent_pb2.ListDisclosuresRequest, context: Any
    ) -> consent_pb2.ListDisclosuresResponse:
        query, encode = consents.own_list(request), consents.list_disclosures_response(request)
        return await respond(context, query, self._leads.privacy.disclosures, encode)
