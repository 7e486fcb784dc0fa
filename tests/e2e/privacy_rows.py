"""The rows of leads, consents and personal data."""

from __future__ import annotations

from collections.abc import Mapping

from parley.gating.v1 import personal_data_pb2 as gating
from parley.messaging.v1 import consent_pb2, erasure_pb2, lead_pb2, personal_data_pb2
from parley.offers.v1 import personal_data_pb2 as offers
from parley.orders.v1 import erasure_pb2 as orders_erasure
from parley.orders.v1 import personal_data_pb2 as orders
from tests.e2e.rows import DENIED, MISSING, Row

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
    "ErasePersonalData": Row(lambda _: erasure_pb2.ErasePersonalDataRequest(name="users/somebody")),
    "GetErasure": Row(lambda _: erasure_pb2.GetErasureRequest(name=f"erasures/{MISSING}")),
    "ExportPersonalData": Row(lambda _: personal_data_pb2.ExportPersonalDataRequest(name="users/somebody")),
}
# For the other services only.
OF_GATING: Mapping[str, Row] = {
    "ListGatingRecords": Row(
        lambda _: gating.ListGatingRecordsRequest(parent="users/somebody"), buyer=DENIED, seller=DENIED
    ),
}
OF_OFFERS: Mapping[str, Row] = {
    "ListOffersRecords": Row(
        lambda _: offers.ListOffersRecordsRequest(parent="users/somebody"), buyer=DENIED, seller=DENIED
    ),
}
OF_ORDERS: Mapping[str, Row] = {
    "ListErasureHolds": Row(
        lambda _: orders_erasure.ListErasureHoldsRequest(parent="users/somebody"), buyer=DENIED, seller=DENIED
    ),
    "ListOrdersRecords": Row(
        lambda _: orders.ListOrdersRecordsRequest(parent="users/somebody"), buyer=DENIED, seller=DENIED
    ),
}
