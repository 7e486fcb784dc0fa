"""What people write in the console: kept, sent once and in order, and never for somebody else."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stack.demo.api import Party
from tests.component.messaging import documents
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
NOTED = "document.querySelector('.switch input').checked"
DROP = """
(() => {
  const files = new DataTransfer();
  const bytes = Uint8Array.from(atob(%s), (each) => each.charCodeAt(0));
  files.items.add(new File([bytes], 'Sketch.pdf', { type: 'application/pdf' }));
  const drop = new DragEvent('drop', { dataTransfer: files, bubbles: true, cancelable: true });
  document.querySelector('.composer').dispatchEvent(drop);
})()
"""


async def write(page: Page, text: str) -> None:
    await page.type(".composer textarea", text)
    await page.click("Send")


@asynccontextmanager
async def under_way(
    page: Page, stack: Target, party: Party, conversation: str, text: str
) -> AsyncIterator[None]:
    """While the block runs, what somebody wrote in a conversation is on its way, and does not arrive."""
    await sign_in(page, stack, party, f"/{conversation}")
    await page.until("document.querySelector('.bubble')")
    async with page.held("*/messages") as caught:
        await write(page, text)
        await asyncio.wait_for(caught.wait(), SECONDS)
        yield


async def test_what_is_written_while_a_message_is_under_way_follows_it(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    name = await inquiry(ana, shop, "Hello.")
    async with under_way(phone, stack, ana, name, "First"):
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
    async with under_way(phone, stack, ana, name, "Mine alone"):
        # The seller works in the same tab from here on, in the same conversation.
        await phone.run(f"location.hash = 'token={shop.owner.token}'")
        await phone.until("document.querySelector('.switch')?.checkVisibility()")
        assert await phone.run(WAITING) == []
        assert "Mine alone" not in await phone.run(KEPT)
    await write(phone, "The seller's own")
    await phone.until("document.querySelector('.timeline .own') && !document.querySelector('.outbox li')")
    sent = [(each["author"], each["text"]) for each in await messages(shop.owner, name)]
    assert [text for author, text in sent if author != f"users/{ana.name}"] == ["The seller's own"]


async def test_a_kind_belongs_to_the_one_message_for_which_it_was_chosen(
    phone: Page, stack: Target, shop: Shop, ana: Party
) -> None:
    words = ("Hello.", "And something else.")
    name, other = [await inquiry(ana, shop, text) for text in words]
    await sign_in(phone, stack, shop.owner, f"/{name}")
    await phone.until("document.querySelector('.bubble')")
    await phone.run("document.querySelector('.switch input').click()")
    await write(phone, "For us alone")
    await phone.until("document.querySelector('.timeline .note')")
    assert not await phone.run(NOTED)
    await write(phone, "For her")
    # A draft that is left stays what it was meant to be, and says nothing about another conversation.
    await phone.run("document.querySelector('.switch input').click()")
    await phone.type(".composer textarea", "Half a note")
    for where, said, expected in ((other, words[1], False), (name, words[0], True)):
        await phone.click("Back to the list")
        await phone.run(f"document.querySelector('.rows a[href=\"/{where}\"]').click()")
        # The conversation that was left stands there until the other has come.
        await phone.until(f"document.querySelector('.bubble')?.textContent.includes('{said}')")
        assert await phone.run(NOTED) is expected
        assert await phone.run("document.querySelector('.composer').classList.contains('note')") is expected
    assert await phone.run("document.querySelector('.composer textarea').value") == "Half a note"
    await phone.click("Send")
    await phone.until("document.querySelectorAll('.timeline .note').length === 2")
    kinds = [(each["text"], each["kind"]) for each in await messages(shop.owner, name)]
    assert kinds[1:] == [
        ("For us alone", "KIND_INTERNAL_NOTE"),
        ("For her", "KIND_PUBLIC"),
        ("Half a note", "KIND_INTERNAL_NOTE"),
    ]

    # An offer was to be attached, and then was not: what is dropped later is none.
    await phone.send("Page.setInterceptFileChooserDialog", enabled=True)
    await phone.click("Attach a PDF")
    await phone.click("As an offer document", within="dialog")
    await phone.run(DROP % json.dumps(base64.b64encode(documents.pdf()).decode()))
    await phone.until("document.querySelector('.files .icon-check')")
    await phone.click("Send")
    await phone.until("document.querySelector('.timeline .file')")
    (sent,) = (await messages(ana, name))[-1]["attachments"]
    assert (sent["filename"], sent["kind"]) == ("Sketch.pdf", "KIND_OTHER")
