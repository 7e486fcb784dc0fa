"""Answers in the console beyond yes and no, and who else takes part: only where the API allows it."""

from __future__ import annotations

import json

import pytest

from stack.demo.api import Party
from tests.e2e.browser import Page, chromium
from tests.e2e.screens import fits, inquiry, sign_in
from tests.e2e.shop import Shop, fresh, offer, terms
from tests.e2e.target import Target

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no chromium on this machine"),
]

OFFERED = "[...document.querySelectorAll('.offer .button')].map((each) => each.innerText)"


async def fill(page: Page, label: str, value: str) -> None:
    """Replaces what is in the field of the box that has this label, as if by keyboard."""
    await page.run(
        "(() => { const field = [...document.querySelectorAll('dialog label')].find((each) => "
        f"each.innerText === {json.dumps(label)}).control; field.focus(); field.select(); }})()"
    )
    await page.send("Input.insertText", text=value)


async def choose(page: Page, action: str) -> None:
    """Takes something off the list of actions."""
    await page.click("Actions")
    await page.click(action, within="dialog")
    await page.until("document.querySelector('dialog form')")


async def test_both_sides_make_counter_offers(phone: Page, stack: Target, shop: Shop, ana: Party) -> None:
    name = await inquiry(ana, shop, "What would it cost?")
    sent = await offer(shop, {"conversation": name}, terms(shop.basic))
    await sign_in(phone, stack, ana, f"/{name}")
    await phone.click("Counter-offer", within=".offer")
    await fits(phone)
    # Thousands to some and a fraction to others: neither is taken.
    await fill(phone, "Work (EUR)", "12,345")
    await phone.click("Send counter-offer")
    await phone.until("document.querySelector('dialog .problem').innerText.includes('120.00')")
    await fill(phone, "Work (EUR)", "1 099,50")
    await phone.until("document.querySelector('dialog').innerText.includes('Total: €1,099.50')")
    await fill(phone, "Delivery within so many days", "366")
    await phone.click("Send counter-offer")
    await phone.until("document.querySelector('dialog .problem').innerText.includes('1 to 365')")
    await fill(phone, "Delivery within so many days", "10")
    await fill(phone, "What to say to it (optional)", "With both doors?")
    await phone.click("Send counter-offer")
    await phone.until("document.querySelector('.offer h3').innerText === 'Counter-offer of the buyer'")
    assert await phone.run(OFFERED) == ["Decline"]
    proposed = (await shop.owner.get(sent["name"]))["offer"]["currentRevision"]
    assert proposed["total"] == {"currencyCode": "EUR", "units": "1099", "nanos": 500000000}
    assert (proposed["terms"]["deliveryDays"], proposed["note"]) == (10, "With both doors?")
    before = {**sent["currentRevision"]["terms"], "lineItems": [], "deliveryDays": 0}
    assert {**proposed["terms"], "lineItems": [], "deliveryDays": 0} == before

    desk = await phone.beside()
    await desk.look(1280, 800)
    await sign_in(desk, stack, shop.owner, f"/{name}")
    await desk.until("document.querySelector('.offer .total')?.innerText.includes('1,099.50')")
    assert await desk.run(OFFERED) == ["Counter-offer"]
    await desk.click("Counter-offer", within=".offer")
    await fill(desk, "Work (EUR)", "1100")
    await desk.click("Send counter-offer")
    await phone.until("document.querySelector('.offer .total').innerText.includes('1,100.00')")
    await phone.until(f"{OFFERED}.includes('Accept')")
    assert await desk.run(OFFERED) == []


async def test_a_buyer_declines_what_was_shown(phone: Page, stack: Target, shop: Shop, ana: Party) -> None:
    name = await inquiry(ana, shop, "What would it cost?")
    sent = await offer(shop, {"conversation": name}, terms(shop.basic))
    await sign_in(phone, stack, ana, f"/{name}")
    await phone.click("Decline", within=".offer")
    await phone.until("document.querySelector('dialog form')")
    better = {"revision": 1, "terms": terms(shop.basic, "90.00 EUR")}
    await shop.owner.post(f"{sent['name']}:revise", better)
    await phone.until("document.querySelector('.offer .total').innerText.includes('90.00')")
    await phone.click("Decline", within="dialog form")
    await phone.until("document.querySelector('dialog .problem').innerText")
    assert (await shop.owner.get(sent["name"]))["offer"]["state"] == "STATE_OPEN"


async def test_a_buyer_asks_for_a_new_offer_once(phone: Page, stack: Target, shop: Shop, ana: Party) -> None:
    name = await inquiry(ana, shop, "What would it cost?")
    sent = await offer(shop, {"conversation": name}, terms(shop.basic, expire_seconds=2))
    await sign_in(phone, stack, ana, f"/{name}")
    await phone.until("document.querySelector('.offer .tag')?.innerText === 'Expired'")
    assert await phone.run(OFFERED) == ["Ask for a new offer"]
    await phone.click("Ask for a new offer", within=".offer")
    await fill(phone, "What to say to it (optional)", "For May instead")
    await phone.click("Ask for a new offer", within="dialog")
    await phone.until("document.querySelector('.offer').innerText.includes('For May instead')")
    assert await phone.run(OFFERED) == []
    assert (await shop.owner.get(sent["name"]))["offer"]["newQuote"]["text"] == "For May instead"


async def test_people_come_into_copy_and_go_again(phone: Page, stack: Target, shop: Shop, ana: Party) -> None:
    name = await inquiry(ana, shop, "Hello.")
    carl, dora = (shop.api.buyer(fresh(who)) for who in ("carl", "dora"))
    await carl.patch(f"users/{carl.name}/profile", {"displayName": "Carl"}, updateMask="displayName")
    await sign_in(phone, stack, shop.owner, f"/{name}")
    await choose(phone, "Put somebody in copy")
    await fits(phone)
    await fill(phone, "Account", "carl@example.org")
    await phone.click("Put in copy")
    await phone.until("document.querySelector('dialog .problem').innerText.startsWith('An account is')")
    await fill(phone, "Account", f"users/{carl.name}")
    await phone.run("document.querySelector('dialog [type=checkbox]').click()")
    await phone.click("Put in copy")
    await phone.until("document.querySelector('.titles p').innerText.includes('In copy: Carl')")
    await phone.until("document.querySelector('.timeline').innerText.includes('Carl is in copy')")

    await choose(phone, "Forward")
    await fill(phone, "E-mail address", "dora@example.org")
    await fill(phone, "Account (optional)", dora.name)
    await phone.click("Forward", within="dialog form")
    await phone.until(
        "document.querySelector('.timeline').innerText.includes('forwarded to dora@example.org')"
    )
    # She has chosen no name.
    await phone.until(f"document.querySelector('.titles p').innerText.includes('Carl, {dora.name}')")
    await choose(phone, "Take somebody out of copy")
    await phone.run(f"document.querySelector('dialog select').value = 'users/{dora.name}'")
    await phone.click("Take out")
    await phone.until("document.querySelector('.titles p').innerText.endsWith('In copy: Carl')")

    other = await phone.beside()
    await sign_in(other, stack, carl, f"/{name}")
    await other.until("document.querySelector('.bubble')")
    assert (await other.run("document.querySelector('.bubble').innerText")).find("Hello.") > 0
    await other.click("Actions")
    offered = await other.run(
        "[...document.querySelectorAll('dialog .menu .button')].map((each) => each.innerText)"
    )
    assert offered == ["Leave the conversation", "Put into the archive"]
    await other.click("Leave the conversation", within="dialog")
    await other.click("Leave the conversation", within="dialog form")
    await other.until("location.pathname === '/console'")
    await phone.until("!document.querySelector('.titles p').innerText.includes('In copy')")
    copies = [
        each for each in (await ana.get(name))["conversation"]["participants"] if each["role"] == "ROLE_COPY"
    ]
    assert copies == []
