"""A negotiation in which the seller's team writes a canary into whatever only it may see.

What is for the team is found in the descriptors: a new field of the contract that is marked so needs a canary
here, or the test that uses this fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.type import money_pb2

from parley.gating.v1 import gating_service_pb2 as gating
from parley.messaging.v1 import messaging_service_pb2 as messaging
from parley.messaging.v1 import participant_methods_pb2 as joining
from parley.messaging.v1 import timeline_pb2
from parley.offers.v1 import offer_settings_pb2, offer_template_pb2
from parley.offers.v1 import offers_service_pb2 as offers
from parley.orders.v1 import desk_methods_pb2 as desk
from parley.type.v1 import audience_pb2, authorization_pb2
from stack.demo.api import Api, Json, Party, Refused
from tests.e2e.calling import http_call, methods
from tests.e2e.rows import Foreign
from tests.e2e.shop import PLAN, Shop, accept, fresh, open_shop, order_body, paid, request, seen, terms

METHODS: Mapping[str, MethodDescriptor] = {method.full_name: method for method in methods()}

LABEL, NOTE, SUBMITTED, RETURNED, INTERNAL, TEMPLATE, FORWARDED = (
    f"canary-{name}-7f3a9c"
    for name in ("label", "note", "submitted", "returned", "internal", "template", "forwarded")
)
WRITTEN: Mapping[str, str] = {
    "parley.orders.v1.SetLabelsRequest.labels": LABEL,
    "parley.orders.v1.CreateNoteRequest.text": NOTE,
    "parley.offers.v1.SubmitOfferRequest.text": SUBMITTED,
    "parley.offers.v1.ReturnOfferRequest.text": RETURNED,
    "parley.messaging.v1.ForwardConversationRequest.address": FORWARDED,
}
"""What the team can write for itself, and the canary that is written there."""
PHONE, EMAIL = "+41446681727", "canary-7f3a9c@buyers.example.org"
CONTACT = (PHONE, EMAIL)
"""How the buyer is reached: for nobody else, except the number where it is revealed."""
ASKED: frozenset[str] = frozenset(
    {"parley.orders.v1.ListOrdersRequest.labels", "parley.orders.v1.ListOrdersRequest.note_author"}
)
"""What is only looked for, and kept nowhere."""
CANARIES = (*WRITTEN.values(), INTERNAL, TEMPLATE)
"""Two more are for the team by the kind of the message and by the resource, not by a field."""


# ---------------------------------------------------------------------------------- the contract


FILE = "google.api.HttpBody"


def is_for_team(one: FieldDescriptor) -> bool:
    """Whether the field is marked as the team's."""
    # The stubs leave the type of extensions out.
    found: int = one.GetOptions().Extensions[audience_pb2.audience]
    return found == audience_pb2.AUDIENCE_TEAM


def buyers(method: MethodDescriptor) -> bool:
    """Whether a buyer may call the method."""
    rule = method.GetOptions().Extensions[authorization_pb2.authorization]
    return rule.relation == authorization_pb2.RELATION_PUBLIC or authorization_pb2.ROLE_BUYER in rule.roles


def within(top: Descriptor) -> Iterator[Descriptor]:
    """The message and every message that it can hold."""
    waiting, known = [top], {top.full_name}
    while waiting:
        one = waiting.pop()
        yield one
        for each in one.fields:
            inner = each.message_type
            if inner is not None and inner.full_name not in known:
                known.add(inner.full_name)
                waiting.append(inner)


def team_fields(top: Descriptor) -> Iterator[FieldDescriptor]:
    """Every field for the team that the message can hold somewhere."""
    return (one for message in within(top) for one in message.fields if is_for_team(one))


def parts(message: Message) -> Iterator[Message]:
    """The message and every message in it."""
    yield message
    for one, value in message.ListFields():
        if one.message_type is not None:
            for inner in value if one.is_repeated else (value,):
                if isinstance(inner, Message):
                    yield from parts(inner)


def filled(message: Message) -> Iterator[FieldDescriptor]:
    """Every field for the team that is not empty anywhere in the message."""
    return (one for part in parts(message) for one, _ in part.ListFields() if is_for_team(one))


def parsed(method: MethodDescriptor, answer: Json) -> Message:
    """The answer as a message; ParseError for a field that the contract lacks. A file has no fields."""
    made: Message = GetMessageClass(method.output_type)()
    if method.output_type.full_name == FILE:
        return made
    return ParseDict(answer, made, descriptor_pool=descriptor_pool.Default())


# ---------------------------------------------------------------------------------- the negotiation


async def call(party: Party, name: str, wish: Message) -> Json:
    """Calls `parley.<service>.v1.<Service>Service.<Method>` over HTTP; the answer."""
    found = http_call(METHODS[name], wish)
    return await party.call(
        found.method, found.path, body=found.body, query=found.query, headers=found.headers
    )


@dataclass(slots=True)
class Negotiation:
    """A buyer and a shop; `by_team` are the answers that the team got, by method."""

    shop: Shop
    agent: Party
    buyer: Party
    by_team: dict[str, list[Json]] = field(default_factory=dict)

    async def team(self, service: str, method: str, wish: Message, *, by: Party | None = None) -> Json:
        """Something that the team does; the owner, unless `by` says who."""
        name = f"parley.{service}.v1.{service.capitalize()}Service.{method}"
        answer = await call(by or self.shop.owner, name, wish)
        self.by_team.setdefault(name, []).append(answer)
        return answer


def _euro(units: int) -> money_pb2.Money:
    return money_pb2.Money(currency_code="EUR", units=units)


async def plant(api: Api) -> tuple[Negotiation, Foreign]:
    """The negotiation with its canaries, and the names of what came of it."""
    shop, buyer = await open_shop(api, intake="SELLER_REVIEW"), api.buyer(fresh("curious"))
    found = Negotiation(shop, api.seller(shop.id, role="agent"), buyer)
    gated = await shop.add_listing("gated", "INSTANT")
    package = f"{gated}/packages/basic"
    await shop.gate(scope={"packages": [package]})
    settings = offer_settings_pb2.OfferSettings(
        name=f"{shop.name}/offerSettings",
        approval_limits=[_euro(100)],
        counter_rules=[offer_settings_pb2.CounterRule(auto_decline_percent=90)],
    )
    await found.team(
        "offers", "UpdateOfferSettings", offers.UpdateOfferSettingsRequest(offer_settings=settings)
    )
    agreed = await _reviewed_offer(found, package)
    done = await paid(buyer, (await accept(buyer, agreed))["order"])
    asked, declined = await _declined_counter(found, package)
    order = (await buyer.post("orders", order_body(shop.basic)))["order"]
    await found.team("orders", "SetLabels", desk.SetLabelsRequest(name=order["name"], labels=[LABEL]))
    await found.team("orders", "CreateNote", desk.CreateNoteRequest(parent=order["name"], text=NOTE))
    message = await _internal_note(found, order["conversation"])
    template = offer_template_pb2.OfferTemplate(
        title=TEMPLATE, terms=ParseDict(terms(package), offer_template_pb2.OfferTemplate().terms)
    )
    await found.team(
        "offers",
        "CreateOfferTemplate",
        offers.CreateOfferTemplateRequest(parent=shop.name, offer_template=template),
    )
    (payment,) = (await buyer.get(f"{done['name']}/payments"))["payments"]
    return found, Foreign(
        seller=shop.name,
        listing=shop.listing,
        unpublished=shop.listing,
        package=shop.basic,
        gated_package=package,
        request=asked,
        offer=declined,
        order=order["name"],
        payment=payment["name"],
        subscription=done["subscription"],
        conversation=order["conversation"],
        message=message,
    )


async def _reviewed_offer(found: Negotiation, package: str) -> Json:
    """An offer that went through the owner's hands; sent."""
    wish = await request(found.buyer, package)
    body = {"orderRequest": wish["name"], "terms": {**terms(package), "plan": PLAN}}
    name = (await found.agent.post("offers", body))["offer"]["name"]
    await found.team(
        "offers", "SubmitOffer", offers.SubmitOfferRequest(name=name, text=SUBMITTED), by=found.agent
    )
    await found.team("offers", "ReturnOffer", offers.ReturnOfferRequest(name=name, text=RETURNED))
    sent = await found.team("offers", "SendOffer", offers.SendOfferRequest(name=name))
    await found.team("offers", "GetOffer", offers.GetOfferRequest(name=name))
    offer: Json = sent["offer"]
    return offer


async def _declined_counter(found: Negotiation, package: str) -> tuple[str, str]:
    """A request, and an offer for it whose counter-offer the settings declined."""
    wish = await request(found.buyer, package)
    body = {"orderRequest": wish["name"], "terms": terms(package), "send": True}
    name = (await found.shop.owner.post("offers", body))["offer"]["name"]
    await found.buyer.post(f"{name}:counter", {"revision": 1, "terms": terms(package, "60.00 EUR")})
    await found.team("offers", "GetOffer", offers.GetOfferRequest(name=name))

    async def reopened() -> bool:
        state = (await found.buyer.get(wish["name"]))["orderRequest"]["state"]
        return bool(state == "STATE_PENDING")

    await seen(reopened, "the request waits for the seller again")
    dismissed = {"reason": "DECLINE_REASON_BUDGET"}
    await found.shop.owner.post(f"{wish['name']}:decline", dismissed)
    await found.team("gating", "DismissOrderRequest", gating.DismissOrderRequestRequest(name=wish["name"]))
    await found.team("gating", "GetOrderRequest", gating.GetOrderRequestRequest(name=wish["name"]))
    return wish["name"], name


async def _internal_note(found: Negotiation, conversation: str) -> str:
    """An internal note and a public message in the order's conversation; the name of the public one."""
    await seen(lambda: found.buyer.get(conversation), "the conversation exists")
    name = f"users/{found.buyer.name}/profile"
    await found.buyer.call("PATCH", name, body={"phone": PHONE, "email": EMAIL})
    await found.team("messaging", "GetConversation", messaging.GetConversationRequest(name=conversation))
    note = messaging.SendMessageRequest(
        parent=conversation, text=INTERNAL, kind=timeline_pb2.Message.KIND_INTERNAL_NOTE
    )
    await found.team("messaging", "SendMessage", note)
    forward = joining.ForwardConversationRequest(name=conversation, address=f"{FORWARDED}@example.org")
    await found.team("messaging", "ForwardConversation", forward)
    await found.team("messaging", "ListTimeline", messaging.ListTimelineRequest(parent=conversation))
    message: str = (await found.buyer.post(f"{conversation}/messages", {"text": "Hello."}))["message"]["name"]
    return message


async def answered(party: Party, name: str, wish: Message) -> tuple[bool, Json]:
    """Whether the call was done, and its answer or the whole problem."""
    try:
        return True, await call(party, name, wish)
    except Refused as refusal:
        return False, refusal.document
