"""The console in a real browser, against the real stack: what people see, and what comes of their clicks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stack.demo.api import Party
from stack.demo.terms import CARD
from tests.component.messaging import documents
from tests.e2e.browser import Browser, Page, chromium
from tests.e2e.screens import fits, inquiry, messages, sign_in
from tests.e2e.shop import Shop, seen, terms
from tests.e2e.target import Target

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no chromium on this machine"),
]

HOSTILE = (
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> javascript:window.hacked=1 '
    "https://user:secret@evil.example/ https://good.example/a?b=c. \u202egnp.exe {{constructor}} ${1} "
    + "W"
    * 300
)
SHIFTS = """
new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) sum += each.value;
  }).observe({ type: 'layout-shift', buffered: true });
  setTimeout(() => done(sum), 100);
})
"""
AS_MARKUP = """
(() => {
  try { document.body.innerHTML = '<b>x</b>'; return 'taken'; } catch { return 'refused'; }
})()
"""


@pytest.mark.covers("V41", "V05")
async def test_a_conversation_on_a_phone(phone: Page, stack: Target, shop: Shop, ana: Party) -> None:
    name = await inquiry(ana, shop, "Is that possible until March?")
    for number in range(35):
        await shop.owner.post(f"{name}/messages", {"text": f"Line {number}"})
    # The link of a mail.
    await sign_in(phone, stack, ana, f"/{name}")
    await phone.until("document.body.innerText.includes('Line 34')")
    assert "token" not in await phone.run("location.href + document.cookie + JSON.stringify(localStorage)")
    assert not await phone.run("document.body.innerText.includes('Is that possible')")
    await phone.run("document.querySelector('.thread .scroll').scrollTop = 0")
    await phone.until("document.body.innerText.includes('Is that possible until March?')")
    await phone.run("document.querySelector('.thread .scroll').scrollTop = 1e6")
    assert await phone.run(SHIFTS) < 0.1

    async def read() -> bool:
        return "readTime" in (await messages(shop.owner, name))[-1]

    await seen(read, "the seller sees that she read")
    await fits(phone)
    await shop.owner.post(f"{name}/messages", {"text": "And one more."})
    await phone.until("document.body.innerText.includes('And one more.')")
    await phone.until("document.getElementById('status').textContent.includes('And one more.')")
    await phone.type(".composer textarea", "Thank you!")
    await phone.click("Send")
    await phone.until(
        "[...document.querySelectorAll('.timeline .own')].pop().innerText.includes('Thank you!')"
    )
    assert [each["text"] for each in await messages(shop.owner, name)][-1] == "Thank you!"
    await phone.click("Back to the list")
    await phone.until(
        "location.pathname === '/console' && document.querySelector('.rows a').checkVisibility()"
    )
    await fits(phone)


async def test_a_lost_answer_sends_nothing_twice(
    phone: Page, browser: Browser, stack: Target, shop: Shop, ana: Party
) -> None:
    name = await inquiry(ana, shop, "Hello.")
    await sign_in(phone, stack, ana, f"/{name}")
    await phone.until("document.querySelector('.bubble')")
    # The message arrives, its answer does not, three times over.
    for text in ("Once", "And once more"):
        lost = await phone.lose_answers("*/messages", 3)
        await phone.type(".composer textarea", text)
        await phone.click("Send")
        await lost
        await phone.until("!document.querySelector('.outbox li')")
    assert [each["text"] for each in await messages(ana, name)] == ["Hello.", "Once", "And once more"]
    # Nobody answers: it waits, over a reload, until somebody does.
    await phone.online(False)
    await phone.type(".composer textarea", "From the tunnel")
    await phone.click("Send")
    await phone.until("document.querySelector('.outbox .unsent')")
    await phone.open("about:blank")
    await shop.owner.post(f"{name}/messages", {"text": "Where are you?"})
    await phone.online(True)
    await phone.open(f"{stack.url}/{name}")
    await phone.until("document.querySelector('.timeline') && !document.querySelector('.outbox li')")
    # Whichever of the two pages got through: it was sent once.
    expected = ["And once more", "From the tunnel", "Hello.", "Once", "Where are you?"]
    assert sorted(each["text"] for each in await messages(ana, name)) == expected
    await phone.until("document.querySelectorAll('.timeline .bubble').length === 5")
    browser.problems[:] = [each for each in browser.problems if "ERR_" not in each]


async def test_an_offer_counts_as_opened_when_it_is_seen_and_is_accepted_as_shown(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    name = await inquiry(ana, shop, "What would it cost?")
    sent = await shop.owner.post("offers", {"conversation": name, "terms": terms(shop.basic), "send": True})
    offer = str(sent["offer"]["name"])
    other = await phone.beside()
    await sign_in(phone, stack, ana, "/console")
    # A look at the list opens nothing, though it is longer than one at an offer has to be.
    await phone.until("document.querySelector('.rows a')")
    await phone.run("window.listed = performance.now()")
    await phone.until("performance.now() - window.listed > 2000")
    assert "firstOpenTime" not in (await shop.owner.get(offer))["offer"]
    await sign_in(other, stack, ana, f"/{name}")
    await other.until("document.querySelector('.offer .total')?.innerText.includes('120.00')")

    async def opened() -> bool:
        return "firstOpenTime" in (await shop.owner.get(offer))["offer"]

    await seen(opened, "the seller sees that she opened it")
    await other.click("Accept", within=".offer")
    await other.until("document.querySelector('dialog')")
    await other.click("Accept with obligation to pay")
    await other.until("document.querySelector('dialog .problem').textContent")
    await other.type("dialog input", CARD)
    await other.click("Accept with obligation to pay")
    await other.until("document.querySelector('.offer .tag').innerText === 'Accepted'")
    assert (await ana.get(offer))["offer"]["acceptance"]["revision"] == 1


async def test_what_people_write_is_shown_and_never_run(
    phone: Page, browser: Browser, stack: Target, shop: Shop, ana: Party
) -> None:
    name = await inquiry(ana, shop, HOSTILE, title='"><img src=x onerror="window.hacked=1">')
    await sign_in(phone, stack, shop.owner, f"/{name}")
    await phone.until("document.querySelector('.bubble')")
    shown = await phone.run("document.querySelector('.bubble .text').textContent")
    assert shown == HOSTILE
    links = await phone.run(
        "[...document.querySelectorAll('.bubble a')].map((a) => [a.href, a.rel, a.target])"
    )
    assert links == [["https://good.example/a?b=c", "noopener noreferrer nofollow", "_blank"]]
    assert await phone.run("window.hacked === undefined && !document.querySelector('main img, main script')")
    assert await phone.run("document.querySelector('.titles h1').innerText.includes('<img')")
    await fits(phone)
    assert await phone.run(AS_MARKUP) == "refused"
    browser.problems[:] = [each for each in browser.problems if "TrustedHTML" not in each]


async def test_the_seller_sends_a_document_and_sees_the_phone_by_a_click(
    phone: Page, stack: Target, shop: Shop, ana: Party, tmp_path: Path
) -> None:
    told = {"phone": "+41446681800", "displayName": "Ana Lee"}
    await ana.patch(f"users/{ana.name}/profile", told, updateMask="phone,displayName")
    name = await inquiry(ana, shop, "Call me.")
    good, bad = tmp_path / "Offer.pdf", tmp_path / "notes.pdf"
    good.write_bytes(documents.pdf())
    bad.write_bytes(b"no document")
    await sign_in(phone, stack, shop.owner, f"/{name}")
    await phone.until("document.querySelector('.bubble')")
    for place in (".titles p", ".bubble h3", ".rows .name"):
        assert (await phone.run(f"document.querySelector('{place}').textContent")).startswith("Ana Lee")
    await phone.choose_files(".composer input[type=file]", good, bad)
    await phone.until("document.querySelectorAll('.files li').length === 2")
    await phone.until("!document.querySelector('progress:not([hidden])')")
    assert "The file is no complete PDF." in await phone.run(
        "document.querySelector('.files .problem').innerText"
    )
    await phone.click("Remove notes.pdf")
    await phone.click("Send")
    await phone.until("document.querySelector('.timeline .file')")
    sent = (await messages(ana, name))[-1]
    assert [each["filename"] for each in sent["attachments"]] == ["Offer.pdf"]
    await phone.click("Actions")
    await phone.click("Show the phone number", within="dialog")
    await phone.click("Show it", within="dialog")
    await phone.until("document.querySelector('dialog .number')?.innerText === '+41446681800'")
    await phone.click("Close", within="dialog")
    await phone.until("document.body.innerText.includes('looked at the buyer’s phone number')")


async def test_a_profile_is_saved_and_its_address_proven_by_a_click(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    profile = f"users/{ana.name}/profile"
    await phone.open(f"{stack.url}/profile")
    await phone.until("document.querySelector('form textarea')")
    await phone.type("form textarea", ana.token)
    await phone.click("Sign in")
    await phone.until("document.querySelector('#notice-MESSAGE')")
    await fits(phone)
    await phone.run(
        "(() => { const set = (label, value) => { const input = [...document.querySelectorAll('label')]"
        ".find((each) => each.innerText === label).control; input.value = value; };"
        "set('Name that others read', 'Ana F'); set('Phone number', '0041 44 668 18 00');"
        "set('Language', 'de'); set('Offers', 'DIGEST'); })()"
    )
    await phone.click("Save")
    await phone.until("document.documentElement.lang === 'de'")
    await phone.until("document.querySelector('h1')?.innerText === 'Profil'")
    saved = (await ana.get(profile))["profile"]
    assert (saved["displayName"], saved["phone"], saved["locale"]) == ("Ana F", "+41446681800", "de")
    assert {"kind": "KIND_OFFER", "delivery": "DELIVERY_DIGEST"} in saved["notificationChoices"]
    proof = f"#profile={profile.replace('/', '%2F')}&token=guessed"
    await phone.open(f"{stack.url}/verify-email{proof}")
    await phone.until("document.querySelector('.card .primary') && !location.hash")
    await phone.click("Adresse bestätigen")
    await phone.until("document.querySelector('.problem').textContent.length > 10")
    assert "token" not in json.dumps(await phone.run("[location.href, document.cookie, {...localStorage}]"))
