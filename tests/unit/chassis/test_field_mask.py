from __future__ import annotations

import pytest
from google.protobuf.api_pb2 import Api, Method
from google.protobuf.field_mask_pb2 import FieldMask

from chassis.field_mask import masked_paths, overlay
from chassis.kernel.refusal import Refusal

UPDATABLE = ("name", "methods", "version", "source_context", "syntax")


def paths(*given: str, sent: Api | None = None) -> frozenset[str]:
    return masked_paths(FieldMask(paths=given), sent or Api(), updatable=UPDATABLE)


def test_an_empty_mask_means_what_is_populated() -> None:
    sent = Api(name="x", methods=[Method(name="m")], edition="not updatable")
    assert paths(sent=sent) == {"name", "methods"}
    sent.source_context.SetInParent()
    assert paths(sent=sent) == {"name", "methods", "source_context"}


def test_a_star_means_everything_that_can_be_set() -> None:
    assert paths("*") == set(UPDATABLE)


def test_given_paths_are_kept_also_below_an_updatable_one() -> None:
    assert paths("name", "source_context.file_name") == {"name", "source_context.file_name"}


@pytest.mark.parametrize(
    "path", ["colour", "name.length", "methods.name", "source_context.x", "", "edition", "a..b"]
)
def test_an_unknown_or_forbidden_path_is_refused(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        paths("name", path)
    assert (caught.value.reason, caught.value.metadata["path"]) == ("UNKNOWN_FIELD_PATH", path)


def test_more_paths_than_anybody_needs_are_refused() -> None:
    with pytest.raises(Refusal):
        paths(*["name"] * 101)


def test_overlay_replaces_what_is_masked_and_nothing_else() -> None:
    stored = Api(name="old", version="1", methods=[Method(name="a"), Method(name="b")])
    sent = Api(name="new", version="2", methods=[Method(name="c")])
    assert overlay(stored, sent, {"name", "methods"}) == Api(
        name="new", version="1", methods=[Method(name="c")]
    )
    assert overlay(stored, Api(), {"version", "methods"}) == Api(name="old")
    assert stored.name == "old"
