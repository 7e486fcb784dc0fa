"""Consents and disclosures on the wire."""

from __future__ import annotations

from collections.abc import Callable

from chassis import paging
from chassis.kernel.page import Page
from chassis.wire import timestamp
from parley.messaging.v1 import consent_pb2 as pb
from services.messaging.app.consents import OwnList, SetConsent
from services.messaging.domain.consent import ConsentType, Decision
from services.messaging.domain.lead import Disclosure
from services.messaging.wire.profiles import user_of_profile

CONSENTS = {kind: pb.ConsentType.Value(f"CONSENT_TYPE_{kind.value}") for kind in ConsentType}
CONSENTS_SENT = {value: kind for kind, value in CONSENTS.items()}


def set_consent_command(request: pb.SetConsentRequest) -> SetConsent:
    """Decodes SetConsent."""
    user = user_of_profile(request.name, field="name")
    return SetConsent(user, request.seller, CONSENTS_SENT[request.type], request.granted)


def wire_consent(decision: Decision) -> pb.Consent:
    """A decision."""
    return pb.Consent(
        type=CONSENTS[decision.type],
        seller=decision.seller,
        granted=decision.granted,
        decide_time=timestamp(decision.time),
        conversation=decision.conversation,
    )


def set_consent_response(decision: Decision) -> pb.SetConsentResponse:
    """Encodes SetConsent."""
    return pb.SetConsentResponse(consent=wire_consent(decision))


def own_list(request: pb.ListConsentsRequest | pb.ListDisclosuresRequest) -> OwnList:
    """Decodes both lists. Refusal PAGE_TOKEN_INVALID."""
    return OwnList(user_of_profile(request.parent, field="parent"), paging.page_request(request))


def list_consents_response(
    request: pb.ListConsentsRequest,
) -> Callable[[Page[Decision]], pb.ListConsentsResponse]:
    """Encodes a page of decisions; its token is bound to the request."""

    def encode(page: Page[Decision]) -> pb.ListConsentsResponse:
        return pb.ListConsentsResponse(
            consents=[wire_consent(each) for each in page.items],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode


def list_disclosures_response(
    request: pb.ListDisclosuresRequest,
) -> Callable[[Page[Disclosure]], pb.ListDisclosuresResponse]:
    """Encodes a page of disclosures; its token is bound to the request."""

    def encode(page: Page[Disclosure]) -> pb.ListDisclosuresResponse:
        return pb.ListDisclosuresResponse(
            disclosures=[
                pb.Disclosure(
                    means=pb.Disclosure.Means.Value(f"MEANS_{each.means.value}"),
                    seller=each.seller,
                    reader=each.reader,
                    conversation=each.conversation,
                    disclose_time=timestamp(each.time),
                )
                for each in page.items
            ],
            next_page_token=paging.next_page_token(request, page.next_cursor),
        )

    return encode
