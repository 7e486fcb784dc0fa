"""What messaging itself keeps about a person, as it hands it out."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from chassis.db import Transaction
from chassis.kernel.clock import ManualClock
from chassis.testing import Backends
from services.messaging.adapters.record_sources import OwnRecords
from tests.component.messaging.conftest import ANA
from tests.component.messaging.link_office import LinkOffice, office

_WROTE = "I would rather have an owl.\n> Do you want a logo?"
_RECEIVED = """
INSERT INTO received_mail (id, address, key, user_name, conversation_id, outcome, reason, message_id, digest,
    original, left_out, create_time)
VALUES (gen_random_uuid(), 'a', 'k', :user, 'c', 'POSTED', '', 'm', 'd', :said, 1, now())
"""


async def kept(made: LinkOffice) -> dict[str, list[Any]]:
    """What is handed out to ana, by kind."""
    page = await OwnRecords(made.service.host.database).page(ANA.subject, None)
    assert page.next_cursor is None
    found: dict[str, list[Any]] = {}
    for record in page.items:
        found.setdefault(record.kind, []).append(json.loads(record.content))
    return found


async def test_mails_and_links_are_handed_out_once_and_without_their_secrets(
    backends: Backends, clock: ManualClock, tmp_path: Path
) -> None:
    async with office(backends, clock, tmp_path / "mail") as made:
        values = {"user": ANA.subject, "said": _WROTE}
        receiving = partial(Transaction.execute, statement=sa.text(_RECEIVED), parameters=values)
        await made.service.host.database.transact(receiving)
        inquiry = (await made.inquiry()).conversation.name
        await made.settle()
        made.box.new()
        sent = await made.offer(inquiry)
        (mail,) = made.box.new("ana@mail.example")
        (token,) = made.links(mail)

        found = await kept(made)
        assert [kind for kind, records in found.items() if "rather have an owl" in str(records)] == [
            "received_mails"
        ]
        (link,) = found["links"]
        assert (link["conversation"], link["offer"], link["revision"]) == (inquiry, sent.name, 1)
        assert (link["kind"], link["state"]) == ("offer", "unused")
        assert link["create_time"] < link["expire_time"]
        assert "use_time" not in link

        await made.act(token, "decline")
        (used,) = (await kept(made))["links"]
        assert used == link | {"state": "used", "used_action": "decline", "use_time": used["use_time"]}
        assert not [part for part in (token, *token.split(".")[1:], "hash") if part in str(await kept(made))]
