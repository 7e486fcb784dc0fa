"""What the parties of a request do."""

from __future__ import annotations

from typing import Any

from parley.gating.v1 import gating_service_pb2 as pb
from parley.gating.v1.order_request_pb2 import OrderRequest
from tests.component.gating.conftest import (
    AGENT,
    ANA,
    OPERATOR,
    OWNER,
    World,
)


async def ask(world: World, name: str, who: Any = OWNER, **fields: Any) -> OrderRequest:
    request = pb.AskInformationRequest(name=name, question="Which colour?", **fields)
    found: OrderRequest = (await world.stub(who).AskInformation(request)).order_request
    return found


async def answer(world: World, name: str, **fields: Any) -> OrderRequest:
    request = pb.AnswerInformationRequest(name=name, answer="Blue", **fields)
    found: OrderRequest = (await world.stub(ANA).AnswerInformation(request)).order_request
    return found


async def decline(world: World, name: str, **fields: Any) -> OrderRequest:
    request = pb.DeclineOrderRequestRequest(
        name=name, reason=OrderRequest.DECLINE_REASON_NO_CAPACITY, text="Fully booked", **fields
    )
    found: OrderRequest = (await world.stub(AGENT).DeclineOrderRequest(request)).order_request
    return found


async def withdraw(world: World, name: str, **fields: Any) -> OrderRequest:
    request = pb.WithdrawOrderRequestRequest(name=name, **fields)
    found: OrderRequest = (await world.stub(ANA).WithdrawOrderRequest(request)).order_request
    return found


async def close(world: World, name: str) -> OrderRequest:
    response = await world.stub(OPERATOR).CloseOrderRequest(pb.CloseOrderRequestRequest(name=name))
    found: OrderRequest = response.order_request
    return found


async def dismiss(world: World, name: str, who: Any = AGENT, **fields: Any) -> OrderRequest:
    request = pb.DismissOrderRequestRequest(name=name, **fields)
    found: OrderRequest = (await world.stub(who).DismissOrderRequest(request)).order_request
    return found


async def timers(world: World) -> list[str]:
    return [row.key for row in await world.rows("SELECT key FROM timer WHERE kind = 'order_request_expiry'")]
