"""Who has had too many cards declined is told so over REST, with how long to wait; nothing is begun."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from ordermesh.order.v1 import order_service_pb2
from ordermesh.payment.v1 import payment_service_pb2
from ordermesh.tax.v1 import tax_service_pb2

from order_svc.domain.velocity import Velocity
from tests.fakes.gateway import World, gateway_before
from tests.fakes.order_payments import DECLINED
from tests.fakes.order_requests import place_request
from tests.fakes.order_samples import VISA
from tests.fakes.order_service import a_shop

_BEGUN = (tax_service_pb2.QuoteTaxRequest, payment_service_pb2.ChargePaymentRequest)


def body_of(request: order_service_pb2.PlaceOrderRequest) -> dict[str, Any]:
    body = json_format.MessageToDict(request, preserving_proto_field_name=True)
    del body["request_id"]
    return body


async def place(world: World, key: str, method: str) -> tuple[int, dict[str, Any], str | None]:
    body = body_of(place_request(key, method))
    answer = await world.http.post("/api/v1/orders", json=body, headers={"Idempotency-Key": key})
    return answer.status_code, answer.json(), answer.headers.get("retry-after")


async def test_after_two_declined_cards_the_third_is_429_across_a_restart(tmp_path: Path, database_url: str) -> None:
    async with a_shop(tmp_path, database_url) as shop:
        shop.config = replace(shop.config, velocity=Velocity(declines=2))
        async with shop.open(), gateway_before(shop.address) as world:
            declined = [await place(world, f"k{number}", DECLINED) for number in range(2)]
        begun = [len(shop.peers.of(kind)) for kind in _BEGUN]
        async with shop.open(), gateway_before(shop.address) as world:
            status, problem, wait = await place(world, "k2", VISA)
            again = await place(world, "k1", DECLINED)

    assert [code for code, *_ in declined] == [402, 402]
    assert (status, problem["reason"], problem["metadata"]["limit"]) == (429, "CUSTOMER_LIMIT_REACHED", "declines")
    assert [each["field"] for each in problem["errors"]] == ["customer.customer_id"]
    assert wait is not None
    assert 3500 < int(wait) <= 3600
    assert "ada@" not in str(problem)
    assert again[0] == 402
    assert begun == [len(shop.peers.of(kind)) for kind in _BEGUN]
