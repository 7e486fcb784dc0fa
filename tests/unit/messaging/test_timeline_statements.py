"""The statements that add entries, without a database."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from chassis.effects import single_statement
from services.messaging.adapters.timeline_repository import TimelineRepository
from services.messaging.adapters.timeline_statements import entry_values
from services.messaging.domain.attachment import Attachment, Content, Kind
from services.messaging.domain.events import MessageSent
from services.messaging.domain.timeline import message_entry
from tests.unit.messaging.test_conversation import NOW, inquiry, say

NOBODY: Any = None


def test_either_way_of_adding_a_message_writes_its_documents_alike() -> None:
    seen = inquiry()
    changed, message = say(seen)
    document = Attachment(
        seen.name, "a1", Kind.OTHER, "plan.pdf", Content(9, "00"), message.author, message.side, "key", NOW
    )
    message = replace(message, attachments=(document,))

    locked = entry_values(message_entry(message))["documents"]
    timelines = TimelineRepository(tell_people=NOBODY, tell_endpoints=NOBODY)
    single = timelines.addition(MessageSent(changed, message), seen=seen, length=1)
    _, arguments = single_statement(replace(single, events=()), NOBODY, now=NOW)
    (unlocked,) = (each for each in arguments if isinstance(each, str) and "plan.pdf" in each)
    assert json.loads(locked) == json.loads(unlocked)
    assert [each["filename"] for each in json.loads(unlocked)] == ["plan.pdf"]
