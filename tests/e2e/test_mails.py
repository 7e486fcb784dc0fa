"""Mails of the whole: an offer is sent, a mail with a link comes, and what it leads to is done over HTTP."""

from __future__ import annotations

import email
import re
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from stack.data_folder import DataFolder
from stack.demo.api import Api, Json, Party
from tests.e2e.shop import Shop, accept, fresh, in_state, offer, open_shop, order_body, paid, request, seen
from tests.e2e.shop import terms as terms_of
from tests.e2e.target import Target
from tests.e2e.test_conversations import complete, kinds, timeline

LINK = re.compile(r"https?://[^\s<>\"]+")


@dataclass
class Post:
    """The mails of the stack, each of them looked at once."""

    folder: Path
    opened: set[str] = field(default_factory=set)

    async def to(self, address: str, subject: str) -> EmailMessage:
        """The mail to somebody whose subject begins so, once it is there."""

        async def come() -> EmailMessage | None:
            for path in sorted(self.folder.glob("*.eml")):
                mail = email.message_from_bytes(path.read_bytes(), policy=policy.default)
                is_it = mail["To"] == address and str(mail["Subject"]).startswith(subject)
                if is_it and path.name not in self.opened:
                    self.opened.add(path.name)
                    return mail
            return None

        return await seen(come, f"{address} gets {subject!r}")


@pytest.fixture
def post(stack: Target) -> Post:
    folder = DataFolder(stack.issuer_key.parent.parent).mail
    if not folder.is_dir():
        pytest.skip("the mails of this stack go to a server")
    return Post(folder)


def link_in(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(LINK.findall(str(part.get_content()))[0])


async def reachable(party: Party, user: str, post: Post, **more: str) -> str:
    """Gives somebody an address, and verifies it as the mail asks; it."""
    address = f"{fresh('box')}@mail.example"
    profile = f"users/{user}/profile"
    await party.patch(profile, {"email": address, **more})
    asked = link_in(await post.to(address, ""))
    token = parse_qs(urlsplit(asked).fragment)["token"][0]
    verified = (await party.post(f"{profile}:verifyEmail", {"token": token}))["profile"]
    assert verified["emailState"] == "EMAIL_STATE_VERIFIED"
    return address


async def behind(party: Party, mail: EmailMessage) -> str:
    """The conversation that the link of a mail opens for its reader."""
    name = urlsplit(link_in(mail)).path.removeprefix("/")
    assert (await party.get(name))["conversation"]["name"] == name
    return name


@pytest.mark.covers("V11", "V19")
async def test_an_offer_comes_by_mail_is_viewed_and_bought_online(
    gated: Shop, ana: Party, post: Post
) -> None:
    address = await reachable(ana, ana.name, post, locale="fr", timeZone="Europe/Paris")
    asked = await request(ana, gated.basic)
    found = await offer(gated, {"orderRequest": asked["name"]}, terms_of(gated.basic, "120.00 EUR"))

    mail = await post.to(address, "Vous avez une offre")
    shown = str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
    assert "120,00\u00a0EUR" in shown
    assert found["name"] not in shown
    assert await behind(ana, mail) == asked["conversation"]
    entries = await timeline(ana, asked["conversation"])
    (sent,) = [entry["event"] for entry in entries if entry.get("event", {}).get("type") == "TYPE_OFFER_SENT"]
    # A mail that was fetched, or even read, opens nothing: only looking at the offer does.
    assert "firstOpenTime" not in (await gated.owner.get(found["name"]))["offer"]
    opened = (await ana.post(f"{sent['resource']}:open"))["offer"]
    assert "accept" in opened["allowedActions"]
    order = (await accept(ana, opened))["order"]
    assert (await paid(ana, order))["state"] == "STATE_CONFIRMED"
    assert (await post.to(address, "Commande payée"))["To"] == address


async def test_the_page_of_the_mails_shows_them(stack: Target, ana: Party, post: Post) -> None:
    address = await reachable(ana, ana.name, post)
    state = DataFolder(stack.issuer_key.parent.parent).state()
    assert state is not None
    async with httpx.AsyncClient(base_url=state["mails"], trust_env=False) as browser:
        listed = await browser.get("/", params={"to": address})
        (path,) = re.findall(r"/mail/[^\"]+", listed.text)
        assert address in (await browser.get(path)).text


@pytest.mark.covers("B05", "B09", "B28", "B30", "B32")
async def test_a_quote_is_negotiated_in_the_orders_conversation_and_by_mail(
    api: Api, ana: Party, post: Post
) -> None:
    shop = await open_shop(api, intake="BY_QUOTE")
    buyer = await reachable(ana, ana.name, post)
    seller = await reachable(shop.owner, f"{shop.id}-owner", post, locale="it")
    order: Json = (await ana.post("orders", order_body(shop.basic)))["order"]
    conversation = await behind(shop.owner, await post.to(seller, "Nuovo ordine"))
    assert conversation == order["conversation"]

    # They chat from the order; the seller's first message is what begins the work on it, once.
    await shop.owner.post(f"{conversation}/messages", {"text": "Which colour?"})
    await post.to(buyer, "New message")
    await in_state(ana, order["name"], "PROCESSING")
    await ana.post(f"{conversation}/messages", {"text": "Green."})
    await shop.owner.post(f"{conversation}/messages", {"text": "Fine."})
    said = [word for word in kinds(await timeline(ana, conversation)) if not word.isupper()]
    assert said == ["Which colour?", "Green.", "Fine."]
    events = kinds(await complete(ana, conversation, "ORDER_PROCESSING_STARTED"))
    assert events.count("ORDER_PROCESSING_STARTED") == 1

    for price, verb, told, event in (
        ("180.00 EUR", "decline", "Offerta rifiutata", "OFFER_DECLINED"),
        ("140.00 EUR", "accept", "Offerta accettata", "OFFER_ACCEPTED"),
    ):
        quote = await offer(shop, {"order": order["name"]}, terms_of(shop.basic, price))
        mail = await post.to(buyer, "You have an offer")
        assert "Log in" in str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        assert await behind(ana, mail) == conversation
        await in_state(ana, order["name"], "AWAITING_ANSWER")
        if verb == "accept":
            await accept(ana, quote)
        else:
            await ana.post(f"{quote['name']}:decline")
        answered = await post.to(seller, told)
        assert await behind(shop.owner, answered) == conversation
        await complete(shop.owner, conversation, event)
        await in_state(ana, order["name"], "PROCESSING")


@pytest.mark.covers("X20")
async def test_a_scanner_follows_the_link_of_an_offer_and_the_buyer_accepts_by_it(
    stack: Target, ana: Party, gated: Shop, post: Post
) -> None:
    address = await reachable(ana, ana.name, post)
    asked = await request(ana, gated.basic)
    terms = terms_of(gated.basic, "120.00 EUR", online=False)
    found = await offer(gated, {"orderRequest": asked["name"]}, terms)
    mail = await post.to(address, "You have an offer")
    (link,) = [each for each in LINK.findall(str(mail.get_body(("plain",)).get_content())) if "/act#" in each]  # type: ignore[union-attr]
    token = parse_qs(urlsplit(link).fragment)["link"][0]
    carried, wish = {"parley-link": token}, {"token": token, "action": "accept"}
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as browser:
        before = (await ana.get(found["name"]))["offer"]
        for method in ("HEAD", "GET", "GET"):
            page = await browser.request(method, urlsplit(link).path, headers={"sec-purpose": "prefetch"})
            assert page.status_code == 200
            assert "script-src 'self'" in page.headers["content-security-policy"]
        looks = [(await browser.get("/v1/magicLink", headers=carried)).json()["link"] for _ in range(5)]
        shown = looks[-1]
        assert (shown["offer"], shown["revision"]) == (found["name"], 1)
        assert (shown["total"]["units"], shown["allowedActions"]) == ("120", ["accept", "decline"])
        assert (await browser.head("/v1/magicLink:use", headers=carried)).status_code == 405
        assert (await browser.get("/v1/magicLink:use", headers=carried)).status_code == 405
        # Addresses are logged, so that the token may not stand in one.
        exposed = await browser.get("/v1/magicLink", params={"token": token})
        assert (exposed.status_code, exposed.json()["reason"]) == (400, "MALFORMED_REQUEST")
        guessed = await browser.get("/v1/magicLink", headers={"parley-link": f"{token}x"})
        assert (guessed.status_code, guessed.json()["reason"]) == (400, "LINK_INVALID")
        assert (await ana.get(found["name"]))["offer"] == before

        first = await browser.post("/v1/magicLink:use", json=wish)
        again = await browser.post("/v1/magicLink:use", json=wish)
        assert first.json() == again.json()
        other = await browser.post("/v1/magicLink:use", json={**wish, "action": "decline"})
        assert (other.status_code, other.json()["reason"]) == (400, "LINK_USED")
    order = await seen(lambda: ana.get(first.json()["order"]), "the order exists")
    assert order["order"]["buyer"] == f"users/{ana.name}"
    assert [each["name"] for each in (await ana.get("orders"))["orders"]] == [first.json()["order"]]
    entries = await complete(ana, asked["conversation"], "OFFER_ACCEPTED")
    (accepted,) = [each["event"] for each in entries if each["event"]["type"] == "TYPE_OFFER_ACCEPTED"]
    assert (accepted["side"], accepted["byLink"]) == ("SIDE_BUYER", True)
    for path in DataFolder(stack.issuer_key.parent.parent).logs.iterdir():
        assert token.partition(".")[2] not in path.read_text("utf-8", "replace"), path.name
