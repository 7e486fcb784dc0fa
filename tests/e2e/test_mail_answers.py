"""Answers by mail to the whole: a mail of the embedded stack is answered by SMTP."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage

import pytest

from stack.data_folder import DataFolder
from stack.demo.api import Json, Party
from tests.e2e.shop import Shop, offer, request, seen
from tests.e2e.shop import terms as terms_of
from tests.e2e.target import Target
from tests.e2e.test_conversations import timeline
from tests.e2e.test_mails import Post, post, reachable

__all__ = ["post"]


@pytest.mark.covers("V18")
async def test_a_mail_is_answered_by_mail(gated: Shop, ana: Party, post: Post, stack: Target) -> None:
    address = await reachable(ana, ana.name, post)
    asked = await request(ana, gated.basic)
    await offer(gated, {"orderRequest": asked["name"]}, terms_of(gated.basic, "120.00 EUR"))
    mail = await post.to(address, "You have an offer")
    state = DataFolder(stack.issuer_key.parent.parent).running_state()
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = address, mail["Reply-To"], f"Re: {mail['Subject']}"
    answer["In-Reply-To"] = mail["Message-ID"]
    answer.set_content("Could you draw two?\n\nOn 1 June 2026, Parley wrote:\n> You have an offer\n")
    host, _, port = state["smtp"].rpartition(":")
    await asyncio.to_thread(_send, host, int(port), answer)

    async def said() -> Json | None:
        messages: list[Json] = [
            entry.get("message", {}) for entry in await timeline(ana, asked["conversation"])
        ]
        return next((each for each in messages if each.get("channel") == "CHANNEL_EMAIL"), None)

    message = await seen(said, "the answer is in the conversation")
    assert (message["text"], message["author"]) == ("Could you draw two?", f"users/{ana.name}")
    kept = (await ana.get(f"users/{ana.name}/receivedMails"))["receivedMails"]
    assert [(each["outcome"], each["message"]) for each in kept] == [("OUTCOME_POSTED", message["name"])]


def _send(host: str, port: int, answer: EmailMessage) -> None:
    with smtplib.SMTP(host, port, timeout=20) as client:
        assert client.send_message(answer) == {}
