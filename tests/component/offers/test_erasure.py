"""What offers keeps about a person: what was sent to him is his, and erasing it twice is erasing it once."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from parley.messaging.v1.erasure_pb2 import ErasureRequested
from parley.offers.v1 import offers_service_pb2 as pb
from parley.offers.v1 import personal_data_pb2
from parley.offers.v1.offer_settings_pb2 import OfferSettings
from parley.type.v1 import commerce_pb2
from tests.component.offers.scene import ACME, ACME_AGENT, ANA, ORDERS, Scene, create, money, terms

WORDS = "canarywords"


async def records(scene: Scene, who: str = ANA.subject) -> dict[str, list[Any]]:
    """What is handed out to somebody, by kind."""
    request = personal_data_pb2.ListOffersRecordsRequest(parent=who)
    found: dict[str, list[Any]] = {}
    for each in (await scene.by(ORDERS).ListOffersRecords(request)).records:
        found.setdefault(each.kind, []).append(json.loads(each.content))
    return found


async def erase(scene: Scene, number: int, who: str = ANA.subject) -> list[list[str]]:
    """Erases somebody; the offers and their revisions afterwards."""
    name = f"erasures/0190a000-0000-7000-8000-{number:012d}"
    told = ErasureRequested(erasure=name, user=who)
    await scene.tell(told, SimpleNamespace(name=name, version=1))
    assert await scene.event_names(name) == ["PersonalDataErased"]
    written = await scene.written()
    return [written["offer"], written["offer_revision"]]


async def test_somebody_gets_what_was_sent_to_him_and_is_erased_once_however_often(scene: Scene) -> None:
    settings = OfferSettings(name="sellers/acme/offerSettings", approval_limits=[money(500)])
    await scene.by(ACME).UpdateOfferSettings(pb.UpdateOfferSettingsRequest(offer_settings=settings))
    # What waits for the owner and what was taken back before it was sent is the seller's.
    request = create(scene.origins.add(), terms=terms(501))
    waiting = (await scene.by(ACME_AGENT).CreateOffer(request)).offer
    submitting = pb.SubmitOfferRequest(name=waiting.name, text=f"{WORDS} of the team")
    await scene.by(ACME_AGENT).SubmitOffer(submitting)
    unsent = await scene.offer(send=False)
    await scene.by(ACME).WithdrawOffer(pb.WithdrawOfferRequest(name=unsent.name))
    countered, declined = await scene.offer(), await scene.offer()
    counter = pb.CounterOfferRequest(name=countered.name, revision=1, terms=terms(80), note=WORDS)
    await scene.by(ANA).CounterOffer(counter)
    await scene.by(ANA).DeclineOffer(pb.DeclineOfferRequest(name=declined.name, reason=WORDS))

    bought = await scene.offer(payment_method=commerce_pb2.PAYMENT_METHOD_ONLINE)
    await scene.by(ANA).AcceptOffer(pb.AcceptOfferRequest(name=bought.name, revision=1, payment_token=WORDS))

    found = await records(scene)
    sent = {each["name"]: each for each in found["offers_received"]}
    assert set(sent) == {countered.name, declined.name, bought.name}
    assert sent[bought.name]["acceptance"]["payment_token"] == WORDS
    assert [each["note"] for each in found["counter_offers"]] == [WORDS]
    assert "of the team" not in str(found)
    (review,) = (await records(scene, ACME_AGENT.subject))["reviews_written"]
    assert review == {"offer": waiting.name, "submit_text": f"{WORDS} of the team"}

    first = await erase(scene, 1)
    assert WORDS not in str(await records(scene))
    assert [row for rows in first for row in rows if WORDS in row and "of the team" not in row] == []
    assert await erase(scene, 2) == first
    assert WORDS not in str(await erase(scene, 3, ACME_AGENT.subject))
