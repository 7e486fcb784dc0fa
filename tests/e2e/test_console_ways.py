"""Ways through the console: what is shown is what was asked for last."""

from __future__ import annotations

import asyncio

import pytest

from stack.demo.api import Party
from tests.e2e.browser import SECONDS, Page, chromium
from tests.e2e.screens import inquiry, sign_in
from tests.e2e.shop import Shop
from tests.e2e.target import Target

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no chromium on this machine"),
]

ASKED = "performance.getEntriesByType('resource').map((each) => each.name).join(' ')"


async def test_what_comes_late_takes_no_place_from_what_is_wanted_by_then(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    first, second = [await inquiry(ana, shop, text, title=text) for text in ("The first", "The second")]
    await phone.look(1280, 800)
    await sign_in(phone, stack, ana, "/console")
    await phone.until("document.querySelectorAll('.rows a').length === 2")
    # Two conversations, chosen one after the other before either could be shown.
    async with phone.held("*/thread.js") as caught:
        await phone.run(f"document.querySelector('.rows a[href=\"/{first}\"]').click()")
        await asyncio.wait_for(caught.wait(), SECONDS)
        await phone.run(f"document.querySelector('.rows a[href=\"/{second}\"]').click()")
    await phone.until("document.querySelector('.titles h1')?.innerText === 'The second'")
    await phone.until("document.querySelector('.bubble')")
    assert await phone.run("document.querySelectorAll('.titles h1').length") == 1
    assert f"{first}/timeline" not in await phone.run(ASKED)
    # A page that is given up before it comes.
    async with phone.held("*/profile.js") as caught:
        await phone.run("document.querySelector('#bar a[href=\"/profile\"]').click()")
        await asyncio.wait_for(caught.wait(), SECONDS)
        await phone.run("history.back()")
        await phone.until(f"location.pathname === '/{second}'")
    # Another one is asked for after it: by the time that it is there, the first would be too.
    await phone.run(
        "import(document.querySelector('script').src.replace('app.js', 'profile.js')).then(() => 0)"
    )
    await phone.until("document.querySelector('.titles h1')?.innerText === 'The second'")
    await phone.run("document.querySelector('#bar a[href=\"/profile\"]').click()")
    await phone.until("document.querySelector('#notice-MESSAGE')")


async def test_a_list_holds_nothing_of_the_folder_that_was_left(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    await inquiry(ana, shop, "Hello.")
    await sign_in(phone, stack, ana, "/console")
    await phone.until("document.querySelectorAll('.rows a').length === 1")
    async with phone.held("*topic=CONVERSATION_TOPIC_INQUIRY*") as caught:
        await phone.click("Inquiries")
        await asyncio.wait_for(caught.wait(), SECONDS)
        await phone.click("Orders")
        await phone.until("document.querySelector('.more .empty')")
    await phone.until(f"{ASKED}.includes('TOPIC_INQUIRY')")
    # Asked for after it: by the time that it is there, the first would be shown.
    await phone.run("fetch('/console').then((answer) => answer.text()).then(() => 0)")
    assert await phone.run("document.querySelectorAll('.rows a').length") == 0
    await phone.click("Inquiries")
    await phone.until("document.querySelectorAll('.rows a').length === 1")
