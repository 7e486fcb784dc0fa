"""The contract as others get it: one wheel, typed, without anything of the implementation."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.contracts.conftest import Stranger

pytestmark = pytest.mark.timeout(600)

SERVICES = ("gating", "messaging", "offers", "orders")

IMPORT_ALL = """
import importlib, json, pathlib, pkgutil, sys
import parley
names = [module.name for module in pkgutil.walk_packages(parley.__path__, "parley.") if not module.ispkg]
for name in names:
    importlib.import_module(name)
print(json.dumps({"file": parley.__file__, "names": names}))
"""

BUILD_CLIENTS = """
import asyncio, json, sys
import grpc
from parley.offers.v1 import offers_service_pb2, offers_service_pb2_grpc

async def main():
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        stub = offers_service_pb2_grpc.OffersServiceStub(channel)
        request = offers_service_pb2.AcceptOfferRequest(name="offers/1", revision=3)
        assert offers_service_pb2.AcceptOfferRequest.FromString(request.SerializeToString()) == request
        try:
            await stub.AcceptOffer(request, timeout=5.0)
        except grpc.aio.AioRpcError as error:
            print(error.code().name)

asyncio.run(main())
"""


def test_wheel_holds_stubs_types_and_licence_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.split("/")[0] for name in names}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"parley", "buf"}
    assert "parley/py.typed" in names
    assert "buf/validate/py.typed" in names
    # A package that others add to must not be claimed by an __init__.py.
    assert "buf/__init__.py" not in names
    assert [name for name in names if name.endswith(("LICENSE", "METADATA"))]
    modules = {name.removesuffix(".py") for name in names if name.endswith(("_pb2.py", "_pb2_grpc.py"))}
    assert {name.removesuffix(".pyi") for name in names if name.endswith(".pyi")} == modules
    assert {f"parley/{service}/v1/{service}_service_pb2_grpc" for service in SERVICES} <= modules


def test_stranger_imports_every_module(stranger: Stranger) -> None:
    found = json.loads(stranger.run(IMPORT_ALL))
    assert Path(found["file"]).is_relative_to(stranger.folder)
    assert {f"parley.{service}.v1.{service}_service_pb2" for service in SERVICES} <= set(found["names"])


def test_stranger_builds_a_client(stranger: Stranger) -> None:
    assert stranger.run(BUILD_CLIENTS).strip() == "UNAVAILABLE"
