"""The running stack, and people who talk to it over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stack.demo.api import Api, Party, Patience
from tests.e2e import target
from tests.e2e.browser import Browser, Page, browsing
from tests.e2e.shop import Shop, fresh, open_shop

PATIENCE = Patience(seconds=10.0)


@pytest.fixture(scope="session")
def stack(testrun_uid: str) -> Iterator[target.Target]:
    """The stack that PARLEY_E2E_URL names, else one of this test run."""
    found = target.given()
    if found is not None:
        yield found
        return
    with target.own(testrun_uid) as started:
        yield started


@pytest.fixture
async def api(stack: target.Target) -> AsyncIterator[Api]:
    """The gateway of the stack."""
    async with Api(stack.url, stack.token, patience=PATIENCE) as opened:
        yield opened


@pytest.fixture
def ana(api: Api) -> Party:
    """A buyer of whom nobody ever heard."""
    return api.buyer(fresh("ana"))


@pytest.fixture
async def shop(api: Api) -> Shop:
    """A fresh seller whose gate is switched off."""
    return await open_shop(api)


@pytest.fixture
async def gated(api: Api) -> Shop:
    """A fresh seller who wants to be asked first, always and for everything."""
    opened = await open_shop(api)
    await opened.gate()
    return opened


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    async with browsing(tmp_path) as opened:
        yield opened
        # A refusal of the API is no fault of the page.
        assert [
            each for each in opened.problems if "the server responded with a status of 4" not in each
        ] == []


@pytest.fixture
async def phone(browser: Browser) -> Page:
    page = await browser.page()
    await page.look(390, 844)
    return page
