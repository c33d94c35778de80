"""A server that stops ends the health streams that its clients keep open; it does not wait for them."""

import grpc
import pytest
from grpc_health.v1 import health_pb2

from chassis.layers import Chain
from chassis.server import Server


async def test_watching_the_health_of_a_server_that_stops_ends_with_unavailable() -> None:
    server = Server(Chain({}))
    address = await server.start("127.0.0.1:0")
    await server.serving(ready=True)
    async with grpc.aio.insecure_channel(address) as channel:
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )(health_pb2.HealthCheckRequest())
        answers = aiter(watch)
        first = await anext(answers)
        assert first.status == health_pb2.HealthCheckResponse.SERVING

        await server.stop(drain_seconds=0)

        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for _ in answers:
                pass
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    # The words tell a stream that was ended from a connection that was cut once the grace was over.
    assert ended.value.details() == "The service is stopping."
