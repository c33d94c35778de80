"""An RPC that is only annotated has its route, its problems and its documentation without a line of Python."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health

from chassis.errors import to_grpc_status
from gateway.contract import Contract, ContractError
from kernel.errors import Refusal
from tests.fakes.contracts import compile_contract
from tests.fakes.gateway import World, gateway_before

SHOP = """
enum Shade { SHADE_UNSPECIFIED = 0; SHADE_DARK = 1; }
message Lamp { string lamp_id = 1; Shade shade = 2; map<string, int64> hours = 3; google.protobuf.Timestamp made = 4; }
message LightLampRequest { string request_id = 1; Lamp lamp = 2; }
message LightLampResponse { Lamp lamp = 1; }
message FindLampRequest { string lamp_id = 1; }
message FindLampResponse { Lamp lamp = 1; }
// Keeps lamps.
service LampService {
  // Lights a lamp.
  rpc LightLamp(LightLampRequest) returns (LightLampResponse) {
    option idempotency_level = IDEMPOTENT;
    option (google.api.http) = { post: "/v1/lamps" body: "lamp" response_body: "lamp" };
  }
  // Finds a lamp.
  rpc FindLamp(FindLampRequest) returns (FindLampResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = { get: "/v1/lamps/{lamp_id}" response_body: "lamp" };
  }
  // Follows a lamp.
  rpc FollowLamp(FindLampRequest) returns (stream FindLampResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = { get: "/v1/lamps/{lamp_id}:follow" };
  }
}
"""


def handler(method: Any) -> Any:  # noqa: ANN401  (a descriptor; a class that is generic in its stub alone)
    """Return a handler that answers with the lamp of the request, or with one of the id that was asked for."""
    request_class = message_factory.GetMessageClass(method.input_type)
    answer_class: Any = message_factory.GetMessageClass(method.output_type)

    def answer(request: Any) -> Any:  # noqa: ANN401
        if method.name == "LightLamp":
            return answer_class(lamp=request.lamp)
        return answer_class(lamp={"lamp_id": request.lamp_id})

    async def unary(request: Any, context: Any) -> Any:  # noqa: ANN401
        if getattr(request, "lamp_id", "") == "bad":
            await context.abort_with_status(to_grpc_status(Refusal.of_field("lamp_id", "is bad")))
        return answer(request)

    async def stream(request: Any, _: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        yield answer(request)

    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(stream, request_class.FromString, answer_class.SerializeToString)
    return grpc.unary_unary_rpc_method_handler(unary, request_class.FromString, answer_class.SerializeToString)


@asynccontextmanager
async def a_lamp_shop() -> AsyncIterator[World]:
    contract: Contract = compile_contract(SHOP)
    service = contract.services[0]
    handlers = {method.name: handler(method) for method in service.methods}
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    serving = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(serving, server)
    await serving.set("", health_pb2.HealthCheckResponse.SERVING)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with gateway_before(f"127.0.0.1:{port}", contract=contract, webhooks=()) as world:
            await world.gateway.readiness.until(ready=True)
            yield world
    finally:
        await server.stop(None)


async def test_an_rpc_that_is_only_annotated_is_served_and_documented() -> None:
    async with a_lamp_shop() as world:
        lamp = {"lamp_id": "l 1", "shade": "DARK", "hours": {"monday": 7}, "made": "2026-01-31T12:00:00Z"}
        made = await world.http.post("/v1/lamps", json=lamp, headers={"Idempotency-Key": "k"})
        assert (made.status_code, made.headers["location"], made.json()) == (201, "/v1/lamps/l%201", lamp)

        found = await world.http.get("/v1/lamps/l%201")
        assert found.json() == {"lamp_id": "l 1", "shade": "UNSPECIFIED", "hours": {}}

        followed = await world.http.get("/v1/lamps/x:follow")
        assert followed.text.startswith('data: {"lamp":{"lamp_id":"x"')

        assert (await world.http.get("/v1/lamps/bad")).json()["errors"][0]["field"] == "lamp_id"
        refused = await world.http.post("/v1/lamps", json={"shade": "LIGHT", "lamp": 1})
        assert [error["field"] for error in refused.json()["errors"]] == ["Idempotency-Key", "lamp.shade", "lamp.lamp"]

        document = (await world.http.get("/openapi.json")).json()
        assert document["paths"]["/v1/lamps"]["post"]["summary"] == "Lights a lamp"
        assert document["tags"][0] == {"name": "LampService", "description": "Keeps lamps."}
        assert document["components"]["schemas"]["Lamp"]["properties"]["made"]["format"] == "date-time"


@pytest.mark.parametrize(
    ("path", "package", "complaint"),
    [
        ("/v1/lamps/{lamp}:follow", "test.shop.v1", "lamp in its path"),
        ("/v1/lamps/{lamp_id}:follow", "test.unknown.v1", "no address is configured"),
    ],
)
async def test_a_contract_that_cannot_be_served_keeps_the_gateway_from_starting(
    path: str, package: str, complaint: str
) -> None:
    contract = compile_contract(SHOP.replace("/v1/lamps/{lamp_id}:follow", path), package)

    with pytest.raises(ContractError, match=complaint):
        async with gateway_before("127.0.0.1:1", contract=contract, webhooks=()):
            pass
