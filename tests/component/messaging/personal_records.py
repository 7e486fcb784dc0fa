"""What messaging itself keeps about a person, as it hands it out."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import sqlalchemy as sa

from chassis.db import Transaction
from chassis.testing import RunningService
from services.messaging.adapters.record_sources import OwnRecords
from tests.component.messaging.conftest import ANA
from tests.component.messaging.link_office import LinkOffice

_WROTE = "I would rather have an owl."
_RECEIVED = """
INSERT INTO received_mail (id, address, key, user_name, conversation_id, outcome, reason, message_id, digest,
    original, left_out, create_time)
VALUES (gen_random_uuid(), 'a', 'k', :user, 'c', 'POSTED', '', 'm', 'd', :said, 1, now())
"""


async def records_of(service: RunningService, user: str) -> dict[str, list[Any]]:
    """What is handed out to somebody, by kind."""
    page = await OwnRecords(service.host.database).page(user, None)
    assert page.next_cursor is None
    found: dict[str, list[Any]] = {}
    for record in page.items:
        found.setdefault(record.kind, []).append(json.loads(record.content))
    return found


async def mails_and_links_are_handed_out_once(made: LinkOffice, token: str, offer: str) -> None:
    """Ana has one link, which nobody used."""
    values = {"user": ANA.subject, "said": _WROTE}
    receiving = partial(Transaction.execute, statement=sa.text(_RECEIVED), parameters=values)
    await made.service.host.database.transact(receiving)
    found = await records_of(made.service, ANA.subject)
    assert [kind for kind, records in found.items() if _WROTE in str(records)] == ["received_mails"]
    (link,) = found["links"]
    assert (link["kind"], link["offer"], link["revision"], link["state"]) == ("offer", offer, 1, "unused")
    assert link["create_time"] < link["expire_time"]
    assert "use_time" not in link
    # What opens it is not even his to read.
    assert not [part for part in (token, *token.split(".")[1:], "hash") if part in str(found)]


async def a_used_link_says_how(made: LinkOffice) -> None:
    (link,) = (await records_of(made.service, ANA.subject))["links"]
    assert (link["state"], link["used_action"]) == ("used", "accept")
    assert link["use_time"] >= link["create_time"]
