"""A real Chromium, driven through the DevTools protocol over two pipes: no library, no port."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

SECONDS = 20.0
START_SECONDS = 60.0
"""Of a cold browser on a busy machine, which is slower than anything that it does afterwards."""
FOUND_AFTER_SECONDS = 0.05
MESSAGE_LIMIT_BYTES = 64 * 1024 * 1024
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check",
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
    "--hide-scrollbars",
)  # fmt: skip


def chromium() -> str | None:
    """The program, if this machine has one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One tab."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session

    async def send(self, method: str, **parameters: Any) -> Any:
        return await self._browser.send(method, parameters, self._session)

    async def look(self, width: int, height: int, *, dark: bool = False, language: str = "en-GB") -> None:
        """What kind of screen the page is on."""
        await self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])
        agent = await self.run("navigator.userAgent")
        await self.send("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage=language)

    async def open(self, url: str) -> None:
        await self.send("Page.navigate", url=url)

    async def run(self, expression: str) -> Any:
        """The value of an expression, awaited if it is a promise; AssertionError where it throws."""
        answer = await self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str) -> None:
        """Waits until an expression is true."""
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    # A navigation that is under way has no page to ask.
                    with suppress(AssertionError):
                        if await self.run(f"Boolean({expression})"):
                            return
                    await asyncio.sleep(FOUND_AFTER_SECONDS)
        except TimeoutError:
            shown = await self.run("document.body.innerText")
            raise AssertionError(f"never came true: {expression}\n{shown}\n{self.problems}") from None

    async def click(self, words: str, within: str = "body") -> None:
        """Clicks what has these words, or is called so."""
        chosen = (
            f"[...document.querySelectorAll('{within} button, {within} a, {within} summary')].find((each) => "
            f"!each.disabled && each.offsetParent && [each.getAttribute('aria-label'), each.innerText.trim()]"
            f".includes({json.dumps(words)}))"
        )
        await self.until(chosen)
        await self.run(f"{chosen}.click()")

    async def type(self, selector: str, text: str) -> None:
        """Writes into a field as if by keyboard."""
        await self.run(f"document.querySelector({json.dumps(selector)}).focus()")
        await self.send("Input.insertText", text=text)

    async def choose_files(self, selector: str, *files: Path) -> None:
        """Fills a field for files."""
        document = await self.send("DOM.getDocument")
        node = await self.send("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.send("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(file) for file in files])

    async def online(self, is_online: bool) -> None:
        """Whether the network is there."""
        await self.send(
            "Network.emulateNetworkConditions",
            offline=not is_online, latency=0, downloadThroughput=-1, uploadThroughput=-1,
        )  # fmt: skip

    async def lose_answers(self, pattern: str, count: int) -> asyncio.Future[None]:
        """Lets so many requests through, but not their answers; done when all are lost."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left = count

        async def lose(parameters: Any) -> None:
            nonlocal left
            left -= 1
            await self.send(
                "Fetch.failRequest", requestId=parameters["requestId"], errorReason="ConnectionReset"
            )
            if not left:
                await self.send("Fetch.disable")
                self._browser.on.pop("Fetch.requestPaused")
                ended.set_result(None)

        self._browser.on["Fetch.requestPaused"] = lose
        await self.send("Fetch.enable", patterns=[{"urlPattern": pattern, "requestStage": "Response"}])
        return ended

    @asynccontextmanager
    async def held(self, pattern: str) -> AsyncIterator[asyncio.Event]:
        """While the block runs, requests that match wait; the event is set as soon as one does."""
        waiting: list[str] = []
        caught = asyncio.Event()

        async def keep(parameters: Any) -> None:
            waiting.append(parameters["requestId"])
            caught.set()

        self._browser.on["Fetch.requestPaused"] = keep
        await self.send("Fetch.enable", patterns=[{"urlPattern": pattern}])
        try:
            yield caught
        finally:
            self._browser.on.pop("Fetch.requestPaused")
            for request in waiting:
                # One that the page has given up meanwhile is gone, which the browser says without harm.
                await self.send("Fetch.continueRequest", requestId=request)
            await self.send("Fetch.disable")

    async def beside(self) -> Page:
        """One more tab, of somebody else."""
        page = await self._browser.page()
        await page.look(390, 844)
        return page

    @property
    def problems(self) -> Sequence[str]:
        """What the page complained of: exceptions, refused policies, errors in its console."""
        return self._browser.problems


class Browser:
    """One Chromium."""

    def __init__(self, reader: asyncio.StreamReader, writer: int) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.problems: list[str] = []
        self.on: dict[str, Callable[[Any], Awaitable[None]]] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    async def send(
        self, method: str, parameters: dict[str, Any], session: str = "", *, seconds: float = SECONDS
    ) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self._waiting[number] = asyncio.get_running_loop().create_future()
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(seconds):
            return await self._waiting[number]

    async def read(self) -> None:
        """Takes what the browser says, until it ends."""
        while True:
            try:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            except asyncio.IncompleteReadError:
                return
            waiting = self._waiting.pop(message.get("id", 0), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message.get("result") or {"error": message.get("error")})
            elif "method" in message:
                self._note(message["method"], message["params"])

    def _note(self, method: str, parameters: Any) -> None:
        if method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(parameters["exceptionDetails"])[:2_000])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.problems.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif method == "Runtime.consoleAPICalled" and parameters["type"] == "error":
            self.problems.append(json.dumps(parameters["args"])[:2_000])
        elif method in self.on:
            task = asyncio.ensure_future(self.on[method](parameters))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def page(self) -> Page:
        """A new tab with nothing in common with the others."""
        context = await self.send("Target.createBrowserContext", {})
        target = await self.send(
            "Target.createTarget",
            {"url": "about:blank", "browserContextId": context["browserContextId"]},
        )
        attached = await self.send("Target.attachToTarget", {"targetId": target["targetId"], "flatten": True})
        page = Page(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            await page.send(f"{domain}.enable")
        return page


@asynccontextmanager
async def browsing(profile: Path) -> AsyncIterator[Browser]:
    """A Chromium of our own while the block runs."""
    program = chromium()
    assert program is not None
    commands_out, commands_in = os.pipe()
    answers_out, answers_in = os.pipe()
    # The browser reads its third and writes its fourth file; a shell puts the pipes there.
    line = f'exec "$0" "$@" 3<&{commands_out} 4>&{answers_in}'
    process = await asyncio.create_subprocess_exec(
        "/bin/bash", "-c", line, program, *OPTIONS, f"--user-data-dir={profile}",
        pass_fds=(commands_out, answers_in),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    os.close(commands_out)
    os.close(answers_in)
    reader = asyncio.StreamReader(limit=MESSAGE_LIMIT_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(answers_out, "rb")
    )
    browser = Browser(reader, commands_in)
    reading = asyncio.ensure_future(browser.read())
    try:
        await browser.send("Browser.getVersion", {}, seconds=START_SECONDS)
        yield browser
        with suppress(TimeoutError):
            await browser.send("Browser.close", {})
    finally:
        reading.cancel()
        transport.close()
        os.close(commands_in)
        # It is the leader of its own group: nothing of it stays.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
