"""A person who leaves a canary in every field that takes his words or says how he is reached, beside a seller
who leaves his own.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field

from stack.demo.api import Api, Json, Party
from stack.demo.terms import CARD
from tests.component.messaging import documents
from tests.e2e.shop import (
    Shop,
    accept,
    fresh,
    in_state,
    offer,
    open_shop,
    order_body,
    paid,
    request,
    seen,
    terms,
)


@dataclass
class Person:
    """`said` and `theirs` map what a canary is in to the canary: the person's, and the seller's."""

    shop: Shop
    party: Party
    said: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)
    conversation: str = ""
    order: str = ""

    @property
    def name(self) -> str:
        return f"users/{self.party.name}"

    def says(self, what: str) -> str:
        """A canary of the person."""
        return self.said.setdefault(what, f"canary{what}{_letters()}")

    def hears(self, what: str) -> str:
        """A canary of the seller."""
        return self.theirs.setdefault(what, f"theirs{what}{_letters()}")

    def address(self, what: str) -> Json:
        return {
            "recipient": self.says(f"{what}recipient"),
            "organization": self.says(f"{what}organization"),
            "addressLines": [self.says(f"{what}street")],
            "postalCode": "10115",
            "locality": self.says(f"{what}city"),
            "regionCode": "DE",
        }


def _letters() -> str:
    # Letters only: a display name takes no numbers.
    return "".join(random.choices(string.ascii_lowercase, k=12))


async def live(api: Api) -> Person:
    """Everything that a person can leave behind, with nothing open at the end."""
    shop = await open_shop(api)
    person = Person(shop, api.buyer(fresh("leaver")))
    await _profile(person)
    await _inquiry(api, person)
    await _negotiation(person)
    await _orders(person)
    return person


async def _profile(person: Person) -> None:
    phone = "+4930" + "".join(random.choices(string.digits, k=9))
    person.said["phone"] = phone
    body = {
        "displayName": person.says("name"),
        "email": f"{person.says('email')}@mail.example",
        "phone": phone,
        "timeZone": "Europe/Berlin",
    }
    await person.party.patch(f"{person.name}/profile", body)


async def _inquiry(api: Api, person: Person) -> None:
    ana, owner = person.party, person.shop.owner
    body = {
        "seller": person.shop.name,
        "title": person.says("title"),
        "summary": person.says("summary"),
        "text": person.says("inquiry"),
        "consents": ["CONSENT_TYPE_CONTACT_ABOUT_REQUEST"],
    }
    name = (await ana.post("inquiries", body))["conversation"]["name"]
    person.conversation = name
    filename, content = f"{person.says('filename')}.pdf", person.says("document")
    sent = await api.http.post(
        f"/v1/{name}/attachments",
        params={"kind": "KIND_OTHER", "filename": filename},
        content=documents.pdf(catalog=f"/Canary({content})".encode()),
        headers={"authorization": f"Bearer {ana.token}", "content-type": "application/pdf"},
    )
    held = sent.json()["attachment"]["name"]
    await ana.post(f"{name}/messages", {"text": person.says("message"), "attachments": [held]})
    await owner.post(f"{name}/messages", {"text": person.hears("message")})
    note = {"text": person.hears("internalnote"), "kind": "KIND_INTERNAL_NOTE"}
    await owner.post(f"{name}/messages", note)
    await owner.post(f"{name}:revealPhone")
    await owner.get(f"{person.shop.name}/leads")
    # Forwarded to himself, under his address alone.
    await owner.post(f"{name}:forward", {"address": f"{person.says('email')}@mail.example"})
    await ana.post(f"{name}:leaveFeedback", {"rating": 2, "text": person.says("feedback")})


async def _negotiation(person: Person) -> None:
    shop, ana = person.shop, person.party
    await shop.gate()
    needs = {
        "text": person.says("needs"),
        "answers": [{"question": "Which colour?", "answer": person.says("formanswer")}],
    }
    asked = (await ana.post("orderRequests", {"package": shop.basic, "needs": needs}))["orderRequest"]["name"]
    await shop.owner.post(f"{asked}:askInformation", {"question": person.hears("question")})
    await ana.post(f"{asked}:answerInformation", {"answer": person.says("answer")})
    origin = {"orderRequest": asked}
    made = await offer(shop, origin, terms(shop.basic), note=person.hears("offernote"))
    counter = {"revision": 1, "terms": terms(shop.basic, "90.00 EUR"), "note": person.says("counternote")}
    await ana.post(f"{made['name']}:counter", counter)
    back = {"revision": 2, "terms": terms(shop.basic, "95.00 EUR"), "note": person.hears("backnote")}
    final = (await shop.owner.post(f"{made['name']}:counter", back))["offer"]
    addresses = {"billingAddress": person.address("bill"), "deliveryAddress": person.address("parcel")}
    # The sandbox knows no such means of payment, and refuses it for good.
    order = (await accept(ana, final, paymentToken=person.says("means"), **addresses))["order"]
    await paid(ana, order, "FAILED")
    (payment,) = (await ana.get(f"{order}/payments"))["payments"]
    await ana.post(f"{payment['name']}:retry", {"paymentToken": CARD})
    await paid(ana, order)
    await ana.post(f"{order}:cancel", {"reason": "REASON_NOT_NEEDED", "text": person.says("cancelling")})
    await in_state(ana, order, "CANCELLED")
    person.order = order
    second = await request(ana, shop.basic, person.says("secondneeds"))
    refused = await offer(shop, {"orderRequest": second["name"]}, terms(shop.basic))
    await ana.post(f"{refused['name']}:decline", {"reason": person.says("declining")})

    async def again() -> bool:
        found = (await ana.get(second["name"]))["orderRequest"]
        return bool(found["state"] == "STATE_PENDING")

    await seen(again, "the request is pending again")
    await ana.post(f"{second['name']}:withdraw")


async def _orders(person: Person) -> None:
    shop, ana = person.shop, person.party
    await shop.gate(enabled=False)
    where = {"billingAddress": person.address("invoice"), "requirements": person.says("requirements")}

    async def placed() -> Json | None:
        found: Json = (await ana.post("orders", {**order_body(shop.basic), **where}))["order"]
        return found

    order: Json = await seen(placed, "the gate is open again")
    name = order["name"]
    await paid(ana, name)
    if (await ana.get(name))["order"]["state"] == "STATE_CONFIRMED":
        await shop.owner.post(f"{name}:start")
    await shop.owner.post(f"{name}:deliver", {"text": person.hears("delivery")})
    await ana.post(f"{name}:requestChanges", {"text": person.says("changes")})
    await shop.owner.post(f"{name}/notes", {"text": person.hears("note")})
    await shop.owner.post(f"{name}:deliver", {"text": person.hears("redelivery")})
    await ana.post(f"{name}:complete")
