"""The files of the console: complete in every language, small, and found at paths that never go stale."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from console.site import ENTRY, LANGUAGES, POLICY, Site, modules, read_site, read_sources
from parley.messaging.v1 import error_reason_pb2 as messaging
from parley.messaging.v1 import timeline_pb2
from parley.offers.v1 import error_reason_pb2 as offers
from parley.type.v1 import error_reason_pb2 as shared

SOURCES = read_sources()
SCRIPTS = {name: body.decode() for name, body in SOURCES.items() if name.endswith(".js")}
PARTS = sorted({name[2:] for name in SOURCES if re.fullmatch(r"[a-z]{2}(-[a-z]+)?\.json", name)})
FIRST_VIEW_BYTES = 60_000
MARK = re.compile(r"\{(\w+)\}")
LEARNED = re.compile(r"\blearn\(\"([a-z]+)\"\)")
DRESSED = re.compile(r"\bdress\(\"([a-z]+\.css)\"\)")


def texts(language: str, part: str) -> dict[str, str]:
    return dict(json.loads(SOURCES[f"{language}{part}"]))


def all_texts(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in PARTS:
        mine = texts(language, part)
        assert not mine.keys() & found.keys()
        found |= mine
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    for part in PARTS:
        english, mine = texts("en", part), texts(language, part)
        assert list(mine) == list(english)
        for key, text in mine.items():
            assert text.strip() == text != "", key
            assert sorted(MARK.findall(text)) == sorted(MARK.findall(english[key])), key
            assert "<" not in text, key


def test_every_sentence_that_a_script_asks_for_is_there() -> None:
    english = all_texts("en")
    asked = {key for script in SCRIPTS.values() for key in re.findall(r"\bsay\(\"([a-zA-Z.]+)\"", script)}
    assert len(asked) > 20
    assert asked <= english.keys()


def test_no_sentence_drawing_or_export_is_left_over() -> None:
    everything = "".join(SCRIPTS.values())
    quoted = set(re.findall(r"[\"`]([a-zA-Z0-9_.]+)[\"`]", everything))
    # `event.${type}` and the like: what comes of them is looked up where they stand.
    made = tuple(re.findall(r"`([a-zA-Z.]+)\$\{", everything))
    plurals = {key for key in all_texts("en") if key.rpartition(".")[2] in ("one", "many", "other")}
    unused = {key for key in all_texts("en") if key not in quoted and not key.startswith(made)}
    assert unused - plurals == set()
    assert {key.rpartition(".")[0] for key in unused & plurals} <= quoted
    drawings = re.findall(r"^  ([a-z]+): \"M", SCRIPTS["dom.js"], re.MULTILINE)
    assert len(drawings) > 5
    assert [
        name for name in drawings if not re.search(rf"(icon\(|drawing: |\? |: )\"{name}\"", everything)
    ] == []
    # The views are asked for by `app.js`, as `view.show` and so on.
    asked = {"show", "move", "layout"}
    for name, script in SCRIPTS.items():
        exported = set(re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", script, re.MULTILINE))
        others = "".join(each for other, each in SCRIPTS.items() if other != name)
        assert {one for one in exported - asked if not re.search(rf"\b{one}\b", others)} == set(), name


def test_whatever_happens_has_words() -> None:
    types = timeline_pb2.TimelineEvent.Type.keys()
    words = {key.removeprefix("event.") for key in all_texts("en") if key.startswith("event.")}
    assert {name.removeprefix("TYPE_") for name in types} - {"UNSPECIFIED"} <= words


def test_refusals_are_called_as_the_api_calls_them() -> None:
    own = {"UNREACHABLE", "PAGE", "UNKNOWN"}
    kinds = (shared.ErrorReason, messaging.ErrorReason, offers.ErrorReason)
    reasons = {
        name.removeprefix("ERROR_REASON_") for kind in kinds for name in kind.DESCRIPTOR.values_by_name
    }
    said = {key.removeprefix("reason.") for key in all_texts("en") if key.startswith("reason.")}
    assert said - own <= reasons
    # V39: a send that fails says exactly why.
    assert {"EMPTY_BODY", "ATTACHMENT_TOO_LARGE", "ATTACHMENT_NOT_PDF", "CONVERSATION_CLOSED"} <= said


@pytest.mark.parametrize("view", ["desk.js", "profile.js", "verify.js", "act.js"])
def test_the_first_view_is_small(view: str) -> None:
    # Every part of the words belongs to one that is measured, here or below.
    learned = {f"-{part}.json" for script in SCRIPTS.values() for part in LEARNED.findall(script)}
    assert {".json", *learned} == set(PARTS)
    assert sum(len(SOURCES[name]) for name in loaded(view)) < FIRST_VIEW_BYTES


def test_a_link_of_a_mail_loads_little_on_a_phone() -> None:
    packed = {name: len(gzip.compress(SOURCES[name])) for name in loaded("desk.js", "thread.js")}
    assert sum(packed.values()) < FIRST_VIEW_BYTES


def loaded(*views: str) -> set[str]:
    """What a browser gets before it shows something, in the language that takes the most: what the scripts
    import, the words that they learn and the styles that they put on.
    """
    scripts = {name for first in (ENTRY, *views) for name in modules(SOURCES, first)}
    learned = {part for name in scripts for part in LEARNED.findall(SCRIPTS[name])}
    words = {
        max((f"{language}{part}.json" for language in LANGUAGES), key=lambda name: len(SOURCES[name]))
        for part in ("", *(f"-{part}" for part in learned))
    }
    styles = {"console.css", *(style for name in scripts for style in DRESSED.findall(SCRIPTS[name]))}
    return {*scripts, *words, *styles, "shell.html", "icon.svg"}


def luminance(color: str) -> float:
    digits = color * 2 if len(color) == 3 else color
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(scheme: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", SOURCES["console.css"].decode(), re.DOTALL)
    colors = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{3,6})\b", blocks[scheme]))
    behind = {
        "ink": ["page", "panel", "tint", "pick", "note"],
        "soft": ["page", "panel", "pick"],
        "accent": ["page", "panel", "tint", "pick"],
        "on-accent": ["accent"],
        "bad": ["panel", "page", "bad-tint"],
        "good": ["page", "panel", "good-tint"],
        "note-ink": ["note"],
    }
    for text, grounds in behind.items():
        for ground in grounds:
            light, dark = sorted((luminance(colors[text]), luminance(colors[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
    light, dark = sorted((luminance(colors["edge"]), luminance(colors["panel"])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3, "the borders of fields"


def test_scripts_have_no_way_to_turn_text_into_markup() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|DOMParser|eval\("
        r"|new Function|srcdoc|javascript:"
    )
    assert [name for name, script in SCRIPTS.items() if forbidden.search(script)] == []
    assert "'unsafe" not in POLICY
    assert not re.search(r"<script>|<style|\son\w+=|style=", SOURCES["shell.html"].decode())


def test_a_token_stays_in_the_tab() -> None:
    assert [
        name for name, script in SCRIPTS.items() if re.search(r"localStorage|document\.cookie", script)
    ] == []


def test_the_shell_is_served_at_every_page_and_names_its_files() -> None:
    site = read_site()
    pages = {
        path: site.find(path)
        for path in ("/console", "/console/", "/conversations/0198-ab", "/profile", "/verify-email", "/act")
    }
    assert {path: page.label for path, page in pages.items() if page} == {
        "/console": "/console",
        "/console/": "/console",
        "/conversations/0198-ab": "/conversations/{conversation}",
        "/profile": "/profile",
        "/verify-email": "/verify-email",
        "/act": "/act",
    }
    page = site.find("/console")
    assert page is not None
    assert not page.is_immutable
    named = re.findall(r'(?:href|src)="(/[^"]+)"', page.body.decode())
    assert site.path(ENTRY) in named
    assert site.path("api.js") not in named
    found = [site.find(path) for path in named]
    assert all(asset is not None and asset.is_immutable for asset in found)


@pytest.mark.parametrize(
    "path",
    ["/", "/consoles", "/conversations", "/conversations/", "/conversations/a/b", "/conversations/a:close",
     "/console/000000000000/app.js", "/console/app.js", "/verify-email/x"],
)  # fmt: skip
def test_nothing_else_is_served(path: str) -> None:
    assert read_site().find(path) is None


def test_another_file_moves_all_of_them() -> None:
    before = Site({"shell.html": b"{base}<!-- modules -->\n", ENTRY: b'import "./a.js";', "a.js": b"1;"})
    after = Site({"shell.html": b"{base}<!-- modules -->\n", ENTRY: b'import "./a.js";', "a.js": b"2;"})
    assert before.path(ENTRY) != after.path(ENTRY)
    assert after.find(before.path(ENTRY)) is None
    assert (asset := after.find(after.path("a.js"))) is not None
    assert asset.body == b"2;"
    assert after.find(f"/console/{after.version}/shell.html") is None
