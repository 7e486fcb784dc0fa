"""The demo's own parts: calls that are repeated, the marketplace file, scripts from a seed."""

from __future__ import annotations

import httpx
import pytest

from chassis.kernel.money import Money
from stack.demo import marketplace, scripts
from stack.demo.api import Api, NotYet, Patience, Refused, Unanswered, until
from stack.demo.campaign import Latency
from stack.demo.marketplace import Package, money, money_json, money_of
from stack.demo.narrator import shortened
from stack.demo.negotiation import Record
from stack.demo.scripts import Kind, Stalls
from stack.demo.terms import instant_of, percent, wire_time

QUICK = Patience(seconds=2.0, first_pause_seconds=0.001, longest_pause_seconds=0.002)


class Gateway:
    """Answers from a list, and remembers the requests."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def api(self, patience: Patience = QUICK) -> Api:
        found = Api("http://parley", lambda kind, **who: f"{kind}-token", patience=patience)
        found.http = httpx.AsyncClient(transport=httpx.MockTransport(self), base_url="http://parley")
        return found


def problem(status: int, reason: str) -> httpx.Response:
    return httpx.Response(status, json={"reason": reason, "detail": "because", "metadata": {"a": "b"}})


async def test_a_lost_answer_is_asked_for_again_under_the_same_key() -> None:
    gateway = Gateway(
        httpx.ConnectError("gone"), problem(503, "PEER_UNAVAILABLE"), httpx.Response(200, json={"order": {}})
    )
    buyer = gateway.api().buyer("ana")
    assert await buyer.post("orders", {"package": "p"}) == {"order": {}}
    keys = {request.headers["idempotency-key"] for request in gateway.requests}
    assert (len(gateway.requests), len(keys)) == (3, 1)
    assert gateway.requests[0].headers["authorization"] == "Bearer buyer-token"
    assert buyer.last is not None
    assert (buyer.last.attempts, buyer.last.status) == (3, 200)


async def test_every_call_has_a_key_of_its_own_unless_one_is_given() -> None:
    gateway = Gateway(*(httpx.Response(200, json={}) for _ in range(4)))
    buyer = gateway.api().buyer("ana")
    await buyer.post("orders")
    await buyer.post("orders")
    await buyer.post("orders", key="mine")
    await buyer.get("orders")
    first, second, third, read = (request.headers.get("idempotency-key") for request in gateway.requests)
    assert first != second
    assert (third, read) == ("mine", None)


async def test_a_refusal_is_final() -> None:
    gateway = Gateway(problem(400, "ORDER_REQUEST_REQUIRED"))
    with pytest.raises(Refused) as caught:
        await gateway.api().buyer("ana").post("orders")
    assert (caught.value.status, caught.value.reason, caught.value.metadata) == (
        400,
        "ORDER_REQUEST_REQUIRED",
        {"a": "b"},
    )


async def test_patience_ends() -> None:
    gateway = Gateway(*(problem(503, "PEER_UNAVAILABLE") for _ in range(3)))
    with pytest.raises(Unanswered, match="PEER_UNAVAILABLE"):
        await gateway.api(Patience()).buyer("ana").get("orders")
    assert len(gateway.requests) == 1


async def test_what_is_not_found_yet_is_asked_for_again() -> None:
    gateway = Gateway(problem(404, "NOT_FOUND"), httpx.Response(200, json={"order": 1}))
    buyer = gateway.api().buyer("ana")
    assert await until(lambda: buyer.get("orders/1"), "the order", seconds=5.0, pause_seconds=0.001)
    with pytest.raises(NotYet, match="nothing"):
        await until(_nothing, "nothing", seconds=0.0)


async def _nothing() -> None:
    return None


@pytest.mark.parametrize(
    ("text", "amount"), [("120.50 EUR", Money("EUR", 12_050)), ("9800 JPY", Money("JPY", 9_800))]
)
def test_amounts_of_the_file(text: str, amount: Money) -> None:
    assert money(text) == amount
    assert money_of(money_json(amount)) == amount


def test_amounts_are_never_rounded() -> None:
    with pytest.raises(ValueError, match="finer"):
        money("9800.5 JPY")
    assert percent(money("100 JPY"), 92) == money("92 JPY")
    assert percent(money("1 JPY"), 50) == money("1 JPY")


def test_timestamps_go_there_and_back() -> None:
    for text in ("2026-11-21T23:18:16.835354Z", "2026-11-21T23:18:16Z", "2026-11-21T23:18:16.5Z"):
        assert instant_of(wire_time(instant_of(text))) == instant_of(text)


def stalls() -> Stalls:
    packages = [package for listing in marketplace.read().listings() for package in listing.packages]
    return Stalls(packages[:9], packages[9:18], packages[18:])


def test_the_same_seed_gives_the_same_negotiations() -> None:
    first = scripts.draw(50, seed=3, stalls=stalls())
    assert first == scripts.draw(50, seed=3, stalls=stalls())
    assert first != scripts.draw(50, seed=4, stalls=stalls())
    assert [script.number for script in first] == list(range(1, 51))
    assert len({script.kind for script in first}) > 5


def test_a_marketplace_without_stalls_is_refused() -> None:
    empty: list[Package] = []
    with pytest.raises(ValueError, match="no package"):
        scripts.draw(1, seed=3, stalls=Stalls(empty, empty, empty))


def test_latency_is_by_nearest_rank() -> None:
    (script,) = scripts.draw(1, seed=3, stalls=stalls(), weights={Kind.ACCEPTED: 1})
    records = [Record(script, "ana", visible_seconds=number / 100) for number in range(100, 0, -1)]
    assert Latency.of(records) == Latency(0.5, 0.99, 100)
    assert Latency.of([Record(script, "ana")]) is None


def test_ids_are_shortened_for_people() -> None:
    path = "/v1/offers/01a20062-4064-7eca-951d-e98d1d5f0200:accept"
    assert shortened(path) == "/v1/offers/…0200:accept"
