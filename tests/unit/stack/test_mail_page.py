"""The page of the mails: for this machine alone, and harmless whatever a mail holds."""

from __future__ import annotations

import socket
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from stack.mail_page import MailPage

NAME = "20260601T120000-0190a000-0000-7000-8000-000000000001.eml"
HOST = "127.0.0.1:9106"


def write(folder: Path, number: int = 1, *, to: str = "ana@mail.example", subject: str = "Hello") -> str:
    mail = EmailMessage()
    mail["Subject"], mail["To"] = subject, to
    mail["Date"] = "Mon, 01 Jun 2026 12:00:00 +0000"
    mail.set_content("See https://parley.example/conversations/1?a=1&b=2 <b>now</b>")
    mail.add_alternative(
        "<html><head></head><body><script>alert(1)</script><img src=https://spy.example/x></body></html>",
        subtype="html",
    )
    name = NAME.replace("00001.eml", f"{number:05}.eml")
    (folder / name).write_bytes(mail.as_bytes())
    return name


def ask(folder: Path, path: str, *, host: str = HOST, method: str = "GET") -> tuple[str, str, str]:
    status, body, policy = MailPage(folder, 9106).page(method, path, host)
    return status.partition(" ")[0], body.decode(), policy


def test_it_lists_the_newest_first_and_by_reader(tmp_path: Path) -> None:
    assert "No mail yet" in ask(tmp_path, "/")[1]
    write(tmp_path, 1, subject="Older")
    write(tmp_path, 2, to="ben@mail.example", subject="Newer <i>")
    (tmp_path / ".half.new").write_text("x")
    _, shown, _ = ask(tmp_path, "/")
    assert shown.index("Newer &lt;i&gt;") < shown.index("Older")
    assert "2026-06-01 12:00:00 UTC" in shown
    _, shown, _ = ask(tmp_path, "/?to=ANA%40mail.example")
    assert "Older" in shown
    assert "Newer" not in shown
    for number in range(150):
        write(tmp_path, number)
    assert ask(tmp_path, "/")[1].count("<li>") == 100


def test_a_mail_is_shown_three_ways_and_can_do_nothing(tmp_path: Path) -> None:
    name = write(tmp_path, subject="<script>alert(2)</script>")
    status, shown, policy = ask(tmp_path, f"/mail/{name}")
    assert (status, "<script" in shown) == ("200", False)
    assert f'sandbox="allow-popups allow-popups-to-escape-sandbox" title="mail" src="/html/{name}"' in shown
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    _, framed, policy = ask(tmp_path, f"/html/{name}")
    assert "alert(1)" in framed
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "img-src" not in policy
    _, text, _ = ask(tmp_path, f"/text/{name}")
    assert 'href="https://parley.example/conversations/1?a=1&amp;b=2"' in text
    assert "&lt;b&gt;now" in text
    assert "<dt>To</dt><dd>ana@mail.example</dd>" in ask(tmp_path, f"/headers/{name}")[1]


@pytest.mark.parametrize(
    "path",
    ["/mail/", "/mail/../secrets.json", "/mail/%2e%2e/secrets.json", f"/other/{NAME}", f"/mail/{NAME}", "/x",
     "/mail/..%2fsecrets.json", "/html/.eml", "//mail"],
)  # fmt: skip
def test_nothing_but_mails_is_served(tmp_path: Path, path: str) -> None:
    (tmp_path.parent / "secrets.json").write_text("secret")
    status, shown, _ = ask(tmp_path, path)
    assert status == "404"
    assert "secret" not in shown


def test_it_is_for_this_machine_and_for_reading(tmp_path: Path) -> None:
    name = write(tmp_path)
    for host in ("evil.example", "evil.example:9106", "127.0.0.1.evil.example:9106", ""):
        assert ask(tmp_path, f"/mail/{name}", host=host)[0] == "421"
    for host in ("127.0.0.1", "localhost:9106", "[::1]:9106"):
        assert ask(tmp_path, f"/mail/{name}", host=host)[0] == "200"
    for method in ("POST", "DELETE", "OPTIONS"):
        assert ask(tmp_path, "/", method=method)[0] == "405"


async def test_it_answers_browsers_and_survives_nonsense(tmp_path: Path) -> None:
    name = write(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    page = MailPage(tmp_path, port)
    await page.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
            listed = await browser.get("/")
            assert (listed.status_code, name in listed.text) == (200, True)
            assert (await browser.head("/")).text == ""
            assert (await browser.get("/", headers={"host": "evil.example"})).status_code == 421
            with pytest.raises(httpx.RemoteProtocolError):
                await browser.get("/", headers={"x": "y" * 70_000})
            assert (await browser.get(f"/html/{name}")).headers["cache-control"] == "no-store"
    finally:
        await page.stop()
