"""What the tests of the console do on a page."""

from __future__ import annotations

from stack.demo.api import Json, Party
from tests.e2e.browser import Page
from tests.e2e.shop import Shop
from tests.e2e.target import Target

NAMELESS = """
[...document.querySelectorAll('button, a[href], input, select, textarea, dialog')].filter((each) =>
  each.checkVisibility() && !(each.ariaLabel || each.innerText || each.labels?.length))
  .map((each) => each.outerHTML)
"""
TOO_SMALL = """
[...document.querySelectorAll('button, select, input, textarea, a.button, .rows a, summary')]
  .filter((each) => each.checkVisibility() && !['checkbox', 'radio'].includes(each.type)
    && each.getBoundingClientRect().height < 43.5)
  .map((each) => each.outerHTML)
"""


async def inquiry(buyer: Party, shop: Shop, text: str, title: str = "Lettering of a van") -> str:
    body = {"seller": shop.name, "title": title, "text": text, "summary": "One van, two sides."}
    return str((await buyer.post("inquiries", body))["conversation"]["name"])


async def messages(party: Party, name: str) -> list[Json]:
    entries = (await party.get(f"{name}/timeline", pageSize=200))["entries"]
    return [entry["message"] for entry in entries if "message" in entry]


async def sign_in(page: Page, stack: Target, party: Party, path: str) -> None:
    await page.open(f"{stack.url}{path}#token={party.token}")
    await page.until("document.querySelector('.pane') && !location.hash")


async def fits(page: Page) -> None:
    """Nothing is cut off, too small to touch or without a name, down to the smallest screens."""
    for width in (390, 320):
        await page.look(width, 640)
        assert await page.run("document.documentElement.scrollWidth <= innerWidth")
        assert await page.run(NAMELESS) == []
        assert await page.run(TOO_SMALL) == []
    await page.look(390, 844)
