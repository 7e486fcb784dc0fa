"""The rows of leads, consents and personal data."""

from __future__ import annotations

from collections.abc import Mapping

from parley.messaging.v1 import consent_pb2, lead_pb2
from tests.e2e.rows import DENIED, Row

SOMEBODY = "users/somebody/profile"
PRIVACY: Mapping[str, Row] = {
    "ListLeads": Row(lambda f: lead_pb2.ListLeadsRequest(parent=f.seller)),
    "ExportLeads": Row(lambda f: lead_pb2.ExportLeadsRequest(parent=f.seller)),
    "SetConsent": Row(
        lambda _: consent_pb2.SetConsentRequest(
            name=SOMEBODY, type=consent_pb2.CONSENT_TYPE_MARKETING, granted=True
        ),
        seller=DENIED,
    ),
    "ListConsents": Row(lambda _: consent_pb2.ListConsentsRequest(parent=SOMEBODY), seller=DENIED),
    "ListDisclosures": Row(lambda _: consent_pb2.ListDisclosuresRequest(parent=SOMEBODY), seller=DENIED),
}
