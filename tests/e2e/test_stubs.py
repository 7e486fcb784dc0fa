"""Somebody else's project, with nothing of ours but the contract's wheel, calls the services by gRPC."""

from __future__ import annotations

import json

import pytest

from stack.demo.api import Party
from tests.contracts.conftest import Stranger, stranger, wheel
from tests.e2e.shop import Shop
from tests.e2e.target import Target

__all__ = ["stranger", "wheel"]

pytestmark = pytest.mark.timeout(600)

PROGRAM = """
import json, sys
import grpc
from google.rpc import error_details_pb2, status_pb2
from parley.gating.v1 import gating_service_pb2, gating_service_pb2_grpc, order_request_pb2
from parley.orders.v1 import orders_service_pb2, orders_service_pb2_grpc
from parley.type.v1 import commerce_pb2

gating, orders, token, package = sys.argv[1:]
metadata = [("authorization", f"Bearer {token}")]

with grpc.insecure_channel(orders) as channel:
    stub = orders_service_pb2_grpc.OrdersServiceStub(channel)
    place = orders_service_pb2.PlaceOrderRequest(
        package=package, payment_method=commerce_pb2.PAYMENT_METHOD_OFFLINE, request_id="first-try"
    )
    try:
        stub.PlaceOrder(place, metadata=metadata, timeout=10)
    except grpc.RpcError as error:
        packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
        info = error_details_pb2.ErrorInfo()
        for detail in status_pb2.Status.FromString(packed).details:
            detail.Unpack(info)
        refused = [error.code().name, info.domain, info.reason, info.metadata["package"]]

with grpc.insecure_channel(gating) as channel:
    stub = gating_service_pb2_grpc.GatingServiceStub(channel)
    needs = order_request_pb2.Needs(text="By gRPC, please.")
    create = gating_service_pb2.CreateOrderRequestRequest(package=refused[3], needs=needs, request_id="one")
    first = stub.CreateOrderRequest(create, metadata=metadata, timeout=10).order_request
    again = stub.CreateOrderRequest(create, metadata=metadata, timeout=10).order_request

print(json.dumps({"refused": refused[:3], "name": first.name, "same": first == again, "state": first.state}))
"""


@pytest.mark.covers("X01")
def test_a_stranger_calls_the_services_with_the_wheel_alone(
    stack: Target, stranger: Stranger, gated: Shop, ana: Party
) -> None:
    if not {"gating", "orders"} <= set(stack.grpc):
        pytest.skip("the gRPC addresses of this stack cannot be reached from here")
    output = stranger.run(PROGRAM, stack.grpc["gating"], stack.grpc["orders"], ana.token, gated.basic)
    found = json.loads(output)
    assert found["refused"] == ["FAILED_PRECONDITION", "orders.parley", "ORDER_REQUEST_REQUIRED"]
    assert found["name"].startswith("orderRequests/")
    assert found["same"]
    assert found["state"] == 1
