"""Translations by a real engine: Apertium with its pair of English and Spanish.

It runs where an engine is there: at the address that PARLEY_TEST_APERTIUM names, or started from the program
`apertium-apy` of this machine. `make test-translation` installs that on Debian, and runs this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chassis.testing import Backends
from services.messaging.config import TranslatorKind
from tests.component.messaging.conftest import ANA, OTTO
from tests.component.messaging.test_translation import choose, languages, messages, spoken, translate
from tests.integration.gateway.conftest import free_port

ADDRESS = "PARLEY_TEST_APERTIUM"
MODES = Path("/usr/share/apertium/modes")
START_SECONDS = 30.0
ENGLISH = (
    "Hello! The new house is very big, and the price is 1.250,00 EUR until 2026-05-01. "
    "Please look at https://x.example/the-house?a=1 or write to ana@x.example.\n"
    "The order is orders/0190a000-0000-7000-8000-000000000001: we have 3 cats and 2 dogs."
)
PARTS = (
    "1.250,00 EUR",
    "2026-05-01",
    "https://x.example/the-house?a=1",
    "ana@x.example",
    "orders/0190a000-0000-7000-8000-000000000001",
    "3",
    "2",
)


@pytest.fixture(scope="module")
def apertium() -> Iterator[str]:
    """The address of an engine."""
    if given := os.environ.get(ADDRESS):
        yield given
        return
    program = shutil.which("apertium-apy")
    if program is None or not (MODES / "eng-spa.mode").exists():
        pytest.skip(f"no Apertium: `make test-translation` installs it, or {ADDRESS} names one")
    port = free_port()
    command = (program, "-p", str(port), str(MODES))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _until_ready(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=5)) as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, "apertium-apy ended"
            try:
                client.get(f"{url}/listPairs").raise_for_status()
            except httpx.TransportError:
                continue
            return
    raise AssertionError("apertium-apy did not begin to answer")


async def test_a_real_engine_translates_both_ways_and_loses_nothing(
    backends: Backends, apertium: str
) -> None:
    settings = {"translator_url": apertium, "translator_seconds": 20.0}
    async with spoken(backends, TranslatorKind.APERTIUM, **settings) as (scene, _):
        await choose(scene, OTTO, auto_translate="es")
        await choose(scene, ANA, auto_translate="en")
        name = (await scene.inquiry(ENGLISH)).conversation.name
        await scene.say(OTTO, name, "Muchas gracias. La casa es de mi madre, pero el perro no está.")
        await scene.service.settle()
        asked, said = await messages(scene, ANA, name)
        assert (asked.text, asked.language, languages(asked)) == (ENGLISH, "en", ["es"])
        spanish = asked.translations[0].text
        places = [spanish.index(part) for part in PARTS[:-2]]
        assert places == sorted(places)
        assert "casa" in spanish
        assert spanish.count("\n") == 1
        assert {"3", "2"} <= set(spanish.splitlines()[1].replace(":", " ").split())
        assert (said.language, languages(said)) == ("es", ["en"])
        assert "mother" in said.translations[0].text
        # A long text goes in pieces.
        long = await scene.say(OTTO, name, "The price of the house is 5 EUR. " * 200)
        translated = (await translate(scene, ANA, long, "es")).translation.text
        assert translated.count("5 EUR") == 200
