from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode import BadValue, JsonReader, JsonWriter, NotJson, dumps, loads
from parley.offers.v1 import offers_service_pb2
from tests.unit.gateway import sample
from tests.unit.gateway.messages import messages

READER, WRITER = JsonReader(), JsonWriter()


def written(message: Any) -> Any:
    return json.loads(dumps(WRITER.message(message.DESCRIPTOR)(message)))


def read(name: str, value: Any) -> Any:
    message = sample.new(name)
    READER.message(message.DESCRIPTOR)(message, value)
    return message


def refusal(value: Any, name: str = "Everything") -> tuple[str, str]:
    with pytest.raises(BadValue) as caught:
        read(name, value)
    return caught.value.field, caught.value.problem


def by_protobuf(message: Any) -> Any:
    """What protobuf's own library writes, which is the definition of the mapping."""
    return json.loads(
        json.dumps(json_format.MessageToDict(message, always_print_fields_with_no_presence=True))
    )


EVERYTHING = messages(sample.descriptor("Everything"))
OFFERS = messages(offers_service_pb2.GetOfferResponse.DESCRIPTOR)


def same(left: Any, right: Any) -> bool:
    """Equality in which NaN equals NaN."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


@given(EVERYTHING)
def test_it_writes_what_protobuf_writes(message: Any) -> None:
    ours, theirs = written(message), by_protobuf(message)
    # Whether a whole number in `Value` is written as 1 or 1.0 makes no difference to JSON.
    assert same(numbers_as_floats(ours), numbers_as_floats(theirs))


@given(OFFERS)
def test_it_writes_offers_as_protobuf_does(message: Any) -> None:
    assert written(message) == by_protobuf(message)


@given(EVERYTHING)
def test_what_is_written_is_read_back(message: Any) -> None:
    again = read("Everything", loads(dumps(WRITER.message(message.DESCRIPTOR)(message))))
    assert same(written(again), written(message))
    assert again.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


@given(EVERYTHING)
def test_it_reads_what_protobuf_writes(message: Any) -> None:
    for preserve in (True, False):
        text = json_format.MessageToJson(message, preserving_proto_field_name=preserve)
        again = read("Everything", loads(text.encode()))
        assert again.SerializeToString(deterministic=True) == message.SerializeToString(deterministic=True)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([f.json_name for f in sample.descriptor("Everything").fields]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(JSON_VALUES)
def test_no_json_makes_it_fail_in_another_way(value: Any) -> None:
    with contextlib.suppress(BadValue):
        read("Everything", value).SerializeToString()


def numbers_as_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: numbers_as_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers_as_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_fields_without_presence_are_always_shown() -> None:
    assert written(sample.new("Thing")) == {
        "name": "", "title": "", "count": 0, "etag": "", "kind": "KIND_UNSPECIFIED", "labels": [],
    }  # fmt: skip


def test_an_enum_value_of_a_newer_contract_is_passed_on_as_a_number() -> None:
    assert written(sample.new("Thing", kind=17))["kind"] == 17
    assert read("Thing", {"kind": 17}).kind == 17


def test_both_spellings_of_a_name_are_read() -> None:
    assert read("Thing", {"create_time": "2026-01-01T00:00:00Z"}) == read(
        "Thing", {"createTime": "2026-01-01T00:00:00Z"}
    )


def test_null_means_not_set() -> None:
    nothing = {
        field.json_name: None for field in sample.descriptor("Everything").fields if field.name != "value"
    }
    assert read("Everything", nothing) == sample.new("Everything")
    assert read("Everything", {"value": None}).HasField("value")


@pytest.mark.parametrize(
    ("value", "field", "problem"),
    [
        ({"nothing": 1}, "nothing", "is not a field of the request"),
        ({"thing": {"nothing": 1}}, "thing.nothing", "is not a field of the request"),
        ({"things": [{}, {"count": "x"}]}, "things[1].count", "must be an integer"),
        ({"thingsByName": {"a": {"count": True}}}, "thingsByName.a.count", "must be an integer"),
        ({"kindsByNumber": {"x": "KIND_GOOD"}}, "kindsByNumber.x", "must be an integer"),
        ({"textsByFlag": {"maybe": "x"}}, "textsByFlag.maybe", "must be true or false"),
        ({"text": 1}, "text", "must be a string"),
        ({"text": "\ud800"}, "text", "contains half of a surrogate pair"),
        ({"flag": "true"}, "flag", "must be true or false"),
        ({"flag": 1}, "flag", "must be true or false"),
        ({"small": 2**31}, "small", "must be between -2147483648 and 2147483647"),
        ({"small": 1.5}, "small", "must be an integer"),
        ({"small": "1_0"}, "small", "must be an integer"),
        ({"small": " 1"}, "small", "must be an integer"),
        ({"smallUnsigned": -1}, "smallUnsigned", "must be between 0 and 4294967295"),
        ({"large": "9223372036854775808"}, "large", f"must be between {-(2**63)} and {2**63 - 1}"),
        ({"double": "x"}, "double", "must be a number"),
        ({"double": "1e999"}, "double", "is too large for a 64-bit number"),
        ({"single": 1e39}, "single", "is too large for a 32-bit number"),
        ({"kind": "GOOD"}, "kind", "must be one of KIND_UNSPECIFIED, KIND_GOOD, KIND_BETTER"),
        ({"kind": True}, "kind", "must be one of KIND_UNSPECIFIED, KIND_GOOD, KIND_BETTER"),
        ({"raw": "a"}, "raw", "is not valid base64"),
        ({"raw": "ab$d"}, "raw", "is not valid base64"),
        ({"texts": "a"}, "texts", "must be a list"),
        ({"texts": [None]}, "texts[0]", "must be a string"),
        ({"thing": []}, "thing", "must be an object"),
        ({"thingsByName": []}, "thingsByName", "must be an object"),
        ({"time": "2026-02-30T00:00:00Z"}, "time", "is not a date and time that exists"),
        ({"time": "2026-01-01T00:00:00"}, "time", "must be a timestamp such as 2026-06-01T08:30:00Z"),
        ({"time": "0001-01-01T00:00:00+01:00"}, "time", "must be between the years 1 and 9999"),
        ({"time": 7}, "time", "must be a timestamp such as 2026-06-01T08:30:00Z"),
        ({"span": "1"}, "span", "must be a duration in seconds such as 3600s or 1.5s"),
        ({"span": "315576000001s"}, "span", "must be at most 315576000000 seconds"),
        ({"mask": "a,,b"}, "mask", "has an invalid field path ''"),
        ({"mask": ["a"]}, "mask", "must be field paths separated by commas"),
        ({"object": 1}, "object", "must be an object"),
        ({"values": {}}, "values", "must be a list"),
        ({"any": {"@type": "x/y.Z"}}, "any",
         "must be an object whose @type is known and whose fields fit it"),
        ({"oneText": "a", "oneNumber": 1}, "oneNumber", "excludes one_text, which is given too"),
        ({"smallUnsigned": 1, "small_unsigned": 1}, "small_unsigned", "is given twice, in two spellings"),
        ([], "", "must be an object"),
        ("x", "", "must be an object"),
    ],
)  # fmt: skip
def test_refusals_name_the_field(value: Any, field: str, problem: str) -> None:
    assert refusal(value) == (field, problem)


@pytest.mark.parametrize(
    ("value", "attribute", "expected"),
    [
        ({"small": "12"}, "small", 12),
        ({"small": 1e3}, "small", 1_000),
        ({"large": -5}, "large", -5),
        ({"double": "-Infinity"}, "double", -math.inf),
        ({"double": "1.5e2"}, "double", 150.0),
        ({"kind": "KIND_GOOD"}, "kind", 1),
        ({"kind": 2}, "kind", 2),
        ({"raw": "_-8"}, "raw", b"\xff\xef"),
        ({"raw": "/+8="}, "raw", b"\xff\xef"),
        ({"@odd": "x"}, "json_named", "x"),
        ({"maybe": False}, "maybe", False),
    ],
)
def test_values_in_other_spellings(value: Any, attribute: str, expected: Any) -> None:
    assert getattr(read("Everything", value), attribute) == expected


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1970-01-01t00:00:01z", 1, 0),
        ("1970-01-01T01:00:00+01:00", 0, 0),
        ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
        ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
    ],
)
def test_timestamps(text: str, seconds: int, nanos: int) -> None:
    time = read("Everything", {"time": text}).time
    assert (time.seconds, time.nanos) == (seconds, nanos)


@pytest.mark.parametrize("text", ["updateTime,thing.createTime", "update_time,thing.create_time"])
def test_field_masks_in_both_spellings(text: str) -> None:
    message = read("Everything", {"mask": text})
    assert list(message.mask.paths) == ["update_time", "thing.create_time"]
    assert written(message)["mask"] == "updateTime,thing.createTime"


def test_free_json() -> None:
    value = {"a": [1, 2.5, None, True, {"b": "c"}], "d": {}}
    assert written(read("Everything", {"object": value}))["object"] == value


def test_any_with_a_known_type() -> None:
    packed = {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "2s"}
    assert written(read("Everything", {"any": packed}))["any"] == packed


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{", "line 1 column 2: Expecting property name enclosed in double quotes"),
        (b"{'a': 1}", "line 1 column 2: Expecting property name enclosed in double quotes"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b'{"a": 1, "a": 2}', "a key is given twice in one object"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "line 1 column 1: Expecting value"),
        (b"{} x", "line 1 column 4: Extra data"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json(body: bytes, problem: str) -> None:
    with pytest.raises(NotJson) as caught:
        loads(body)
    assert str(caught.value) == problem


def test_deep_nesting_is_refused_and_not_a_crash() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert refusal({"value": deep}) == ("value", "is nested more than 100 levels deep")
