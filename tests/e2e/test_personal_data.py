"""What a person left behind, everywhere: handed out whole, and nothing of the others with it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

import asyncpg
import pytest

from chassis import row_security
from stack import postgres_server
from stack.data_folder import DataFolder
from stack.demo.api import Api, Json, Party
from stack.demo.terms import instant_of
from tests.e2e.personal import Person, live
from tests.e2e.shop import fresh, order_body, refusal, seen
from tests.e2e.target import SERVICES, Target, given

ON_ITS_WAY = {("offers", "outbox", "body", "means")}
"""What a means of payment went to the orders in: it leaves with what is kept of published events."""


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


async def erased(api: Api, person: Person) -> Json:
    """Erases somebody; the erasure once it is done."""
    begun = (await person.party.post(f"{person.name}:erasePersonalData"))["erasure"]
    assert (begun["user"], begun["state"]) == (person.name, "STATE_REQUESTED")
    again = (await api.operator().post(f"{person.name}:erasePersonalData"))["erasure"]

    async def done() -> Json | None:
        found: Json = (await person.party.get(begun["name"]))["erasure"]
        return found if found["state"] == "STATE_DONE" else None

    if again["name"] != begun["name"]:
        # Only after the first one another one can begin.
        done_time = (await person.party.get(begun["name"]))["erasure"]["doneTime"]
        assert instant_of(done_time) <= instant_of(again["requestTime"])
    return await seen(done, "every service has erased the person")


async def found_in(service: str, dsn: str, canaries: Mapping[str, str]) -> set[tuple[str, str, str]]:
    """(table, column, what) of every canary that any column of the database holds."""
    found = set()
    connection = await asyncpg.connect(dsn, server_settings=row_security.AS_PROCESS)
    try:
        columns = await connection.fetch(
            "SELECT c.table_name AS name, c.column_name AS held, c.data_type AS kind "
            "FROM information_schema.columns c JOIN information_schema.tables t "
            "ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
            "WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
        )
        assert len(columns) > 40, service
        for row in columns:
            inside = "convert_to(mark, 'UTF8') IN one" if row["kind"] == "bytea" else "mark IN one::text"
            rows = await connection.fetch(
                f"SELECT mark FROM unnest($1::text[]) AS mark WHERE EXISTS (SELECT 1 FROM "
                f'(SELECT "{row["held"]}" FROM "{row["name"]}") AS kept (one) WHERE position({inside}) > 0)',
                list(canaries.values()),
            )
            marks = {each["mark"] for each in rows}
            found |= {(row["name"], row["held"], what) for what, one in canaries.items() if one in marks}
    finally:
        await connection.close()
    return found


async def left_of(person: Person, stack: Target) -> set[tuple[str, str, str, str]] | None:
    """(database or store, table, column, what) of everything of a person; None where it cannot be read."""
    folder = DataFolder(stack.issuer_key.parent.parent)
    ports = folder.remembered_ports()
    if ports is None:
        assert given() is not None, "only those of a stack that somebody else runs may be out of reach"
        return None
    found = set()
    for service in SERVICES:
        dsn = postgres_server.dsn(service, ports["postgres"], folder.secrets())
        found |= {(service, *one) for one in await found_in(service, dsn, person.said)}
    for path in (stack.issuer_key.parent.parent / "files").rglob("*"):
        if path.is_file() and person.said["document"].encode() in path.read_bytes():
            found.add(("files", "", "", "document"))
    return found


@pytest.mark.covers("X23", "V33")
async def test_a_person_gets_what_is_his_and_is_read_nowhere_once_erased(api: Api, stack: Target) -> None:
    person = await live(api)
    shop, ana = person.shop, person.party
    stranger = api.buyer(fresh("stranger"))
    await exported(api, person)
    by_operator, _ = await archive_of(api, person.name, api.operator())
    assert person.said["message"] in everything_in(by_operator)
    for other in (stranger, shop.owner):
        headers = {"authorization": f"Bearer {other.token}"}
        got = await api.http.get(f"/v1/{person.name}:exportPersonalData", headers=headers)
        assert (got.status_code, got.json()["reason"]) == (404, "NOT_FOUND")
    before = await left_of(person, stack)
    assert before is None or {what for *_, what in before} == set(person.said), "not everything is looked for"

    # As long as something is open, it has to end first.
    pending = (await ana.post("orders", order_body(shop.basic, online=False)))["order"]["name"]
    held = await refusal(ana.post(f"{person.name}:erasePersonalData"), "ERASURE_HELD", 400)
    assert held.metadata["holds"] == f"{pending} OPEN_ORDER"
    await ana.post(f"{pending}:cancel", {"reason": "REASON_NOT_NEEDED"})
    await refusal(stranger.post(f"{person.name}:erasePersonalData"), "NOT_FOUND", 404)
    orders = (await ana.get("orders"))["orders"]
    ledger = await shop.owner.get(f"{shop.name}/ledgerEntries")

    done = await erased(api, person)
    assert done["confirmedServices"] == sorted(SERVICES)
    await refusal(stranger.get(done["name"]), "NOT_FOUND", 404)

    # What the seller has of him: that there was somebody, and his own words.
    entries = (await shop.owner.get(f"{person.conversation}/timeline"))["entries"]
    said = [entry["message"] for entry in entries if "message" in entry]
    assert {each["text"] for each in said if each["author"] == person.name} == {"[erased]"}
    assert {each["text"] for each in said if each["author"] != person.name} == {
        person.theirs["message"],
        person.theirs["internalnote"],
    }
    leads = (await shop.owner.get(f"{shop.name}/leads"))["leads"]
    assert leads[-1]["change"] == "CHANGE_ERASED"
    assert {each["state"] for each in leads} == {"STATE_ERASED"}
    assert [each["name"] for each in (await ana.get("orders"))["orders"]] == [one["name"] for one in orders]
    assert await shop.owner.get(f"{shop.name}/ledgerEntries") == ledger
    (payment, *_) = (await ana.get(f"{person.order}/payments"))["payments"]
    receipt = await shop.owner.get(f"{payment['name']}/receipt")
    assert "billingAddress" not in receipt["receipt"]
    archive, _ = await archive_of(api, person.name, ana)
    text = everything_in(archive)
    assert {what for what, canary in person.said.items() if canary in text} == set()

    after = await left_of(person, stack)
    assert after == (None if before is None else ON_ITS_WAY)
    # Whoever comes back begins anew.
    await ana.patch(f"{person.name}/profile", {"displayName": "Somebody new"})
    assert (await ana.get(f"{person.name}/profile/consents")).get("consents", []) == []
