"""What a refusal says of a field that breaks a rule: sentences for people, without expressions."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration

import parley
from chassis.admission import check_rules
from chassis.kernel.refusal import Refusal
from chassis.rule_words import WORDS
from parley.gating.v1 import gating_service_pb2, order_settings_pb2
from parley.messaging.v1 import attachment_pb2
from parley.offers.v1 import option_pb2

# Rules whose own words say it, as "must be greater than or equal to 1 and less than or equal to 5".
CLEAR = {f"{kind}.{bound}" for kind in ("int32", "int64", "duration") for bound in ("gte", "lte")}


def files() -> Iterator[Any]:
    (root,) = map(Path, parley.__path__)
    for path in sorted(root.rglob("*_pb2.py")):
        yield import_module(".".join(path.relative_to(root.parent).with_suffix("").parts)).DESCRIPTOR


def fields(messages: Any) -> Iterator[FieldDescriptor]:
    for message in messages:
        yield from message.fields
        yield from fields(message.nested_types)


def rules(held: Any) -> Iterator[tuple[str, Any]]:
    """The rules that the library words, by id."""
    for kind, value in held.ListFields():
        if kind.name == "required":
            yield kind.name, value
        elif kind.name not in ("cel", "ignore"):
            for rule, limit in value.ListFields():
                if rule.name in ("items", "keys", "values"):
                    yield from rules(limit)
                else:
                    yield f"{kind.name}.{rule.name}", limit


def test_every_rule_of_the_contract_has_words() -> None:
    found = [
        rule
        for file in files()
        for field in fields(file.message_types_by_name.values())
        for rule in rules(field.GetOptions().Extensions[validate_pb2.field])
    ]
    assert len(found) > 500
    assert {id_ for id_, _ in found} - CLEAR <= set(WORDS)
    # Other lists than that of the unspecified value would need words of their own.
    assert all(list(numbers) == [0] for id_, numbers in found if id_ == "enum.not_in")
    said = {WORDS[id_](limit) for id_, limit in found if id_ in WORDS}
    assert not [words for words in said if set(words) & set("[]()^$\\`{}")]


def refused(request: Any) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        check_rules(request)
    assert str(caught.value).endswith(caught.value.violations[0].description)
    return {violation.field: violation.description for violation in caught.value.violations}


def test_what_is_wrong_is_said_in_words() -> None:
    plan = gating_service_pb2.SetSellerPlanRequest(name="acme", request_id="a b", etag="v" * 65)
    assert refused(plan) == {
        "name": "must have the form sellers/*",
        "tier": "must be chosen",
        "etag": "must have at most 64 characters",
        "request_id": "must consist of ASCII characters that can be seen, without spaces",
    }
    plan = gating_service_pb2.SetSellerPlanRequest(name="sellers/acme", tier=99)  # type: ignore[arg-type]
    assert refused(plan) == {"tier": "must be one of the values that the reference lists"}
    absent = gating_service_pb2.SetAvailabilityRequest(name="acme", available=True)
    assert refused(absent) == {"name": "must have the form sellers/* or sellers/*/listings/*"}
    assert refused(attachment_pb2.UploadAttachmentRequest(parent="c", data=bytes(1_048_577))) == {
        "parent": "must have the form conversations/*",
        "data": "must have at most 1048576 bytes",
    }
    assert refused(option_pb2.Option(option_id="Colour")) == {
        "option_id": "must have the form that the reference shows",
        "title": "must not be empty",
        "input": "exactly one of values, text, number must be given",
    }


def test_the_words_are_those_of_the_inner_field() -> None:
    override = order_settings_pb2.OrderSettings.Override
    settings = order_settings_pb2.OrderSettings(
        excluded_listings=["logo", "logo"],
        windows=[order_settings_pb2.OrderSettings.Window(start="9", end="10:00")],
        overrides=[override(open=False), override()],
        request_ttl=Duration(seconds=1),
    )
    request = gating_service_pb2.UpdateOrderSettingsRequest(order_settings=settings)
    found = refused(request)
    assert {field.removeprefix("order_settings."): words for field, words in found.items()} == {
        "excluded_listings": "must not hold the same item twice",
        "excluded_listings[0]": "must have the form sellers/*/listings/*",
        "excluded_listings[1]": "must have the form sellers/*/listings/*",
        "windows[0].days": "must not be empty",
        "windows[0].start": "must have the form that the reference shows",
        "overrides[0].date": "must be given",
        "overrides[0].open": "must be true",
        "overrides[1].date": "must be given",
        "overrides[1].rule": "exactly one of open, closed, windows must be given",
        "request_ttl": "must be greater than or equal to 3600s and less than or equal to 7776000s",
    }
