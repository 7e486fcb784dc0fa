"""What a person left behind, everywhere: handed out whole, and nothing of the others with it."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from stack.demo.api import Api, Party
from tests.e2e.personal import Person, live
from tests.e2e.shop import fresh


async def archive_of(api: Api, name: str, who: Party) -> tuple[zipfile.ZipFile, str]:
    """The archive, and its content type."""
    got = await api.http.get(
        f"/v1/{name}:exportPersonalData", headers={"authorization": f"Bearer {who.token}"}
    )
    assert got.status_code == 200, got.text
    assert got.headers["content-disposition"] == 'attachment; filename="personal-data.zip"'
    return zipfile.ZipFile(io.BytesIO(got.content)), got.headers["content-type"]


def everything_in(archive: zipfile.ZipFile) -> str:
    """Names and contents of all files."""
    assert archive.testzip() is None
    return "\n".join(
        f"{name}\n{archive.read(name).decode('utf-8', 'replace')}" for name in archive.namelist()
    )


async def exported(api: Api, person: Person) -> None:
    """The archive of a person holds all that he said, and nothing that the seller did."""
    archive, content_type = await archive_of(api, person.name, person.party)
    assert content_type == "application/zip"
    text = everything_in(archive)
    assert {what for what, canary in person.said.items() if canary not in text} == set()
    assert {what for what, canary in person.theirs.items() if canary in text} == set()
    names = archive.namelist()
    assert names[0] == "README.txt"
    assert person.name in archive.read("README.txt").decode()
    assert {name.partition("/")[0] for name in names[1:]} == {
        "gating",
        "offers",
        "orders",
        "messaging",
        "documents",
    }
    for name in names:
        if name.endswith(".json"):
            assert json.loads(archive.read(name)), name
    (disclosure, *_) = json.loads(archive.read("messaging/disclosures.json"))
    assert disclosure["seller"] == person.shop.name


@pytest.mark.covers("X23")
async def test_a_person_gets_everything_that_is_his(api: Api) -> None:
    person = await live(api)
    await exported(api, person)
    again, _ = await archive_of(api, person.name, api.operator())
    assert person.said["message"] in everything_in(again)
    headers = {"authorization": f"Bearer {api.buyer(fresh('stranger')).token}"}
    for other in (headers, {"authorization": f"Bearer {person.shop.owner.token}"}):
        refused = await api.http.get(f"/v1/{person.name}:exportPersonalData", headers=other)
        assert (refused.status_code, refused.json()["reason"]) == (404, "NOT_FOUND")
