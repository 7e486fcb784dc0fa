"""What people write in the console: kept, sent once and in order, and never for somebody else."""

from __future__ import annotations

import asyncio

import pytest

from stack.demo.api import Party
from tests.e2e.browser import SECONDS, Page, chromium
from tests.e2e.screens import inquiry, messages, sign_in
from tests.e2e.shop import Shop
from tests.e2e.target import Target

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no chromium on this machine"),
]

WAITING = "[...document.querySelectorAll('.outbox .text')].map((each) => each.innerText)"
KEPT = "JSON.stringify({...sessionStorage})"


async def write(page: Page, text: str) -> None:
    await page.type(".composer textarea", text)
    await page.click("Send")


async def test_what_is_written_while_a_message_is_under_way_follows_it(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    name = await inquiry(ana, shop, "Hello.")
    await sign_in(phone, stack, ana, f"/{name}")
    await phone.until("document.querySelector('.bubble')")
    async with phone.held("*/messages") as caught:
        await write(phone, "First")
        await asyncio.wait_for(caught.wait(), SECONDS)
        for text in ("Second", "Third"):
            await write(phone, text)
        assert await phone.run(WAITING) == ["First", "Second", "Third"]
        # Also if the page is closed now.
        kept = await phone.run(KEPT)
        assert all(text in kept for text in ("First", "Second", "Third"))
    await phone.until("!document.querySelector('.outbox li')")
    assert [each["text"] for each in await messages(ana, name)] == ["Hello.", "First", "Second", "Third"]
    assert "outbox" not in await phone.run(KEPT)


async def test_what_somebody_wrote_is_not_left_to_whoever_comes_after_him(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    name = await inquiry(ana, shop, "Hello.")
    await sign_in(phone, stack, ana, f"/{name}")
    await phone.until("document.querySelector('.bubble')")
    async with phone.held("*/messages") as caught:
        await write(phone, "Mine alone")
        await asyncio.wait_for(caught.wait(), SECONDS)
        # The seller works in the same tab from here on, in the same conversation.
        await phone.run(f"location.hash = 'token={shop.owner.token}'")
        await phone.until("document.querySelector('.switch')?.checkVisibility()")
        assert await phone.run(WAITING) == []
        assert "Mine alone" not in await phone.run(KEPT)
    await write(phone, "The seller's own")
    await phone.until("document.querySelector('.timeline .own') && !document.querySelector('.outbox li')")
    sent = [(each["author"], each["text"]) for each in await messages(shop.owner, name)]
    assert [text for author, text in sent if author != f"users/{ana.name}"] == ["The seller's own"]
