from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from hypothesis import given
from hypothesis import strategies as st

from gateway.transcode import (
    BadValue,
    BindingError,
    JsonReader,
    RequestReader,
    find_endpoints,
    parse_template,
    set_from_header,
)
from tests.unit.gateway import sample
from tests.unit.gateway.messages import TEXT


def read(rpc: str, path: str, query: str = "", body: Any = None) -> Any:
    return sample.endpoint(rpc).request.read(path[1:].partition(":")[0].split("/"), query, body)


def refusal(rpc: str, path: str, query: str = "", body: Any = None) -> tuple[str, str]:
    with pytest.raises(BadValue) as caught:
        read(rpc, path, query, body)
    return caught.value.field, caught.value.problem


LIST = "/v1/racks/a/things"
NO_DIGITS = "holds a percent sign that is not followed by two hexadecimal digits"


def test_the_path_fills_fields() -> None:
    assert read("GetThing", "/v1/racks/a/things/b%20c").name == "racks/a/things/b c"
    assert read("UpdateThing", "/v1/racks/a/things/b").thing.name == "racks/a/things/b"
    number = read("GetNumber", "/v1/numbers/-7/KIND_GOOD")
    assert (number.number, number.kind) == (-7, 1)
    assert read("GetNumber", "/v1/numbers/1/2").kind == 2
    assert read("GetFile", "/v1/files/a/b%2Fc/d").path == "a/b%2Fc/d"
    assert read("GetFile", "/v1/files").path == ""


def test_a_path_that_does_not_fit_its_field() -> None:
    assert refusal("GetNumber", "/v1/numbers/x/KIND_GOOD") == ("number", "must be an integer")
    assert refusal("GetNumber", "/v1/numbers/1/BAD")[0] == "kind"
    assert refusal("GetThing", "/v1/racks/a/things/%ff") == (
        "name",
        "holds percent-encoded bytes that are not UTF-8",
    )


def test_the_whole_body() -> None:
    request = read("CloseThing", "/v1/racks/a/things/b:close", "", {"reason": "old", "requestId": "r"})
    assert (request.name, request.reason, request.request_id) == ("racks/a/things/b", "old", "r")


def test_a_body_may_repeat_the_path_but_not_contradict_it() -> None:
    path = "/v1/racks/a/things/b:close"
    assert read("CloseThing", path, "", {"name": "racks/a/things/b"}).name == "racks/a/things/b"
    assert refusal("CloseThing", path, "", {"name": "racks/a/things/c"}) == (
        "name",
        "differs from the name in the path",
    )


def test_a_body_for_one_field_leaves_the_others_to_the_query() -> None:
    query = "updateMask=title,createTime&requestId=r"
    request = read("UpdateThing", "/v1/racks/a/things/b", query, {"title": "x"})
    assert request.thing.title == "x"
    assert list(request.update_mask.paths) == ["title", "create_time"]
    assert request.request_id == "r"


def test_an_update_that_names_nothing_means_the_fields_of_its_body() -> None:
    def named(body: Any, query: str = "") -> list[str]:
        return list(read("UpdateThing", "/v1/racks/a/things/b", query, body).update_mask.paths)

    assert named({"title": "", "count": 0, "labels": []}) == ["count", "labels", "title"]
    assert named({"title": "x"}, "updateMask=labels") == ["labels"]
    assert named({"title": "x"}, "updateMask=*") == ["*"]
    assert named({"title": "x"}, "updateMask=") == ["title"]
    # What was read is sent back as a whole.
    read_before = {"name": "racks/a/things/b", "etag": "v1", "createTime": "2026-01-01T00:00:00Z"}
    assert named({**read_before, "count": 0, "kind": None}) == ["count"]
    assert named(read_before) == named({}) == named(None) == []


@pytest.mark.parametrize("query", ["thing.title=x", "thing=x", "title=x", "thing.name=x"])
def test_fields_of_the_body_are_no_query_parameters(query: str) -> None:
    assert refusal("UpdateThing", "/v1/racks/a/things/b", query, {})[1] == (
        "is not a query parameter of this method"
    )


def test_a_method_whose_body_is_everything_has_no_query_parameters() -> None:
    assert refusal("CloseThing", "/v1/racks/a/things/b:close", "reason=x") == (
        "reason",
        "is not a query parameter of this method",
    )


def test_query_parameters_of_every_sort() -> None:
    query = (
        "pageSize=7&page_token=t&filter.kind=KIND_GOOD&filter.made_after=2026-01-01T00:00:00Z&filter.labels=a"
        "&filter.labels=b&filter.inner.inner.kind=2&kinds=KIND_GOOD&kinds=2&readMask=a,bC&patience=1.5s&sold=true"
        "&numbers=1&numbers=-2&verbose=false&raw=_-8&byNumber=4"
    )
    request = read("ListThings", LIST, query)
    assert request == sample.new(
        "ListThingsRequest",
        parent="racks/a",
        page_size=7,
        page_token="t",
        filter={
            "kind": 1,
            "made_after": {"seconds": 1_767_225_600},
            "labels": ["a", "b"],
            "inner": {"inner": {"kind": 2}},
        },
        kinds=[1, 2],
        read_mask={"paths": ["a", "b_c"]},
        patience={"seconds": 1, "nanos": 500_000_000},
        sold={"value": True},
        numbers=[1, -2],
        raw=b"\xff\xef",
        by_number=4,
    )


@pytest.mark.parametrize(
    ("query", "field", "problem"),
    [
        ("nothing=1", "nothing", "is not a query parameter of this method"),
        ("parent=racks/b", "parent", "is not a query parameter of this method"),
        ("filter=x", "filter", "is not a query parameter of this method"),
        ("filter.nothing=x", "filter.nothing", "is not a query parameter of this method"),
        ("filter.madeAfter.seconds=1", "filter.madeAfter.seconds", "is not a query parameter of this method"),
        ("unreachable=x", "unreachable", "is not a query parameter of this method"),
        ("unreachable.title=x", "unreachable.title", "is not a query parameter of this method"),
        ("unreachableMap=x", "unreachableMap", "is not a query parameter of this method"),
        ("pageSize.x=1", "pageSize.x", "is not a query parameter of this method"),
        ("=1", "", "has a parameter without a name"),
        ("filter." + "inner." * 9 + "kind=1", ("filter." + "inner." * 9 + "kind")[:80],
         "is not a query parameter of this method"),
        ("pageSize=1&pageSize=2", "pageSize", "is given more than once"),
        ("pageSize=", "pageSize", "must be an integer"),
        ("pageSize=1.0", "pageSize", "must be an integer"),
        ("pageSize=%D9%A1", "pageSize", "must be an integer"),
        ("verbose=1", "verbose", "must be true or false"),
        ("kinds=GOOD", "kinds", "must be one of KIND_UNSPECIFIED, KIND_GOOD, KIND_BETTER"),
        ("filter.madeAfter=noon", "filter.madeAfter", "must be a timestamp such as 2026-06-01T08:30:00Z"),
        ("byText=a&byNumber=1", "byNumber", "excludes by_text, which is given too"),
        ("verbose=true&pageToken=%ff", "pageToken", "holds percent-encoded bytes that are not UTF-8"),
        ("page%54oken=100%", "pageToken", NO_DIGITS),
        ("verbose=true&%zz=1", "", f"{NO_DIGITS}, in the name of parameter 2"),
        ("=%C3&=%A9", "", "holds percent-encoded bytes that are not UTF-8"),
        ("&".join(["numbers=1"] * 201), "", "has more than 200 parameters"),
    ],
)  # fmt: skip
def test_query_parameters_that_do_not_fit(query: str, field: str, problem: str) -> None:
    assert refusal("ListThings", LIST, query) == (field, problem)


def test_unknown_names_are_not_remembered() -> None:
    reader = sample.endpoint("ListThings").request
    before = len(reader._query)
    for number in range(100):
        refusal("ListThings", LIST, f"x{number}=1")
    assert len(reader._query) == before


@given(TEXT, st.lists(st.integers(-(2**63), 2**63 - 1), max_size=4), st.booleans())
def test_values_survive_the_query(token: str, numbers: list[int], verbose: bool) -> None:
    query = urlencode(
        {"pageToken": token, "numbers": numbers, "verbose": str(verbose).lower()}, doseq=True, quote_via=quote
    )
    request = read("ListThings", LIST, query)
    assert (request.page_token, list(request.numbers), request.verbose) == (token, numbers, verbose)


@given(st.text(st.characters(codec="ascii"), max_size=30))
def test_no_query_makes_it_fail_in_another_way(query: str) -> None:
    with contextlib.suppress(BadValue):
        read("ListThings", LIST, query).SerializeToString()


def test_a_body_that_is_nested_without_end_is_refused() -> None:
    deep: Any = {}
    for _ in range(600):
        deep = {"inner": deep}
    assert refusal("Echo", "/v1/everything:echo", "", deep)[1] == "is nested too deeply"


def test_a_header_fills_a_field_or_agrees_with_it() -> None:
    request = sample.new("CloseThingRequest")
    set_from_header(request, ("request_id",), "k", header="Idempotency-Key")
    set_from_header(request, ("request_id",), "k", header="Idempotency-Key")
    assert request.request_id == "k"
    with pytest.raises(BadValue) as caught:
        set_from_header(request, ("request_id",), "other", header="Idempotency-Key")
    assert (caught.value.field, caught.value.problem) == (
        "request_id",
        "differs from the header Idempotency-Key",
    )


def test_where_the_headers_go() -> None:
    assert sample.endpoint("CloseThing").request.etag == ("etag",)
    assert sample.endpoint("UpdateThing").request.etag == ("thing", "etag")
    assert sample.endpoint("GetThing").request.etag is None
    assert sample.endpoint("GetThing").request.idempotency is None
    assert sample.endpoint("CloseThing").request.idempotency == ("request_id",)
    assert sample.endpoint("GetThing").etag_path == ("thing", "etag")
    assert sample.endpoint("ListThings").etag_path == ()


@pytest.mark.parametrize(
    ("template", "body"),
    [
        ("/v1/{nothing}", ""),
        ("/v1/{filter}", ""),
        ("/v1/{kinds}", ""),
        ("/v1/{filter.nothing}", ""),
        ("/v1/x", "nothing"),
    ],
)
def test_an_annotation_that_contradicts_its_message_is_found_at_the_start(template: str, body: str) -> None:
    with pytest.raises(BindingError):
        RequestReader(sample.descriptor("ListThingsRequest"), parse_template(template), body, JsonReader())


def streaming(body: str, *, both: bool = False) -> ServiceDescriptor:
    """A service whose one method takes a stream of requests with this body."""
    name = f"odd_{body.replace('*', 'star') or 'none'}_{both}"
    file = FileDescriptorProto(name=f"{name}.proto", package=f"odd.{name}", syntax="proto3")
    file.dependency.extend(["google/api/annotations.proto", sample.FILE])
    method = file.service.add(name="Odd").method.add(
        name="Put",
        input_type=f".{sample.PACKAGE}.PutPictureRequest",
        output_type=f".{sample.PACKAGE}.PutPictureResponse",
        client_streaming=True,
        server_streaming=both,
    )
    extension: Any = annotations_pb2.http
    rule = method.options.Extensions[extension]
    rule.post, rule.body = "/v1/odd", body
    sample.service()
    pool: Any = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found: ServiceDescriptor = pool.FindServiceByName(f"odd.{name}.Odd")
    return found


@pytest.mark.parametrize(
    ("body", "both"), [("", False), ("*", False), ("title", False), ("nothing", False), ("data", True)]
)
def test_a_stream_of_requests_needs_bytes_as_its_body(body: str, both: bool) -> None:
    with pytest.raises(BindingError):
        find_endpoints([streaming(body, both=both)])


def test_the_first_request_of_a_stream_has_everything_but_the_body() -> None:
    request = read("PutPicture", "/v1/racks/a/pictures", "title=Owl&kind=KIND_GOOD")
    assert (request.parent, request.title, request.kind, request.data) == ("racks/a", "Owl", 1, b"")
    assert refusal("PutPicture", "/v1/racks/a/pictures", "data=eA")[0] == "data"
    assert sample.endpoint("PutPicture").is_upload
    assert not sample.endpoint("Echo").is_upload


def test_every_annotated_method_is_found_with_all_its_bindings() -> None:
    service: ServiceDescriptor = sample.service()
    found = [endpoint.rpc.name for endpoint in sample.endpoints()]
    assert set(found) == {method.name for method in service.methods} - {"Internal"}
    assert found.count("GetThing") == 2
    assert [each.is_primary for each in sample.endpoints() if each.rpc.name == "GetThing"] == [True, False]
