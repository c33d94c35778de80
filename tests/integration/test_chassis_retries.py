"""Which calls the channel tries again, and when it stops to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from chassis.channel import Channel
from chassis.telemetry.metrics import Metrics
from tests.fakes.telemetry_sink import recording_tracer

_PACKAGE = "test.chassis.v1"


def _service() -> ServiceDescriptor:
    """Return a service with one method of each idempotency level."""
    file = descriptor_pb2.FileDescriptorProto(name="test_chassis.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append("google/protobuf/empty.proto")
    service = file.service.add(name="Plain")
    for name, level in (
        ("Read", MethodOptions.NO_SIDE_EFFECTS),
        ("Repeat", MethodOptions.IDEMPOTENT),
        ("Once", MethodOptions.IDEMPOTENCY_UNKNOWN),
    ):
        method = service.method.add(
            name=name, input_type=".google.protobuf.Empty", output_type=".google.protobuf.Empty"
        )
        method.options.idempotency_level = level
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(empty_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return pool.FindServiceByName(f"{_PACKAGE}.Plain")


@asynccontextmanager
async def plain(answer: Callable[[int], grpc.StatusCode]) -> AsyncIterator[tuple[Channel, list[str]]]:
    """Serve the plain service; return a channel to it and the list of the calls that come in.

    Args:
        answer: The code that the nth call ends with.
    """
    calls: list[str] = []

    def handler(name: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        async def call(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
            calls.append(name)
            code = answer(len(calls))
            if code is not grpc.StatusCode.OK:
                await context.abort(code, "as the test says")
            return request

        return grpc.unary_unary_rpc_method_handler(call)

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    names = {name: handler(name) for name in ("Read", "Repeat", "Once")}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(f"{_PACKAGE}.Plain", names),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    tracer, _ = recording_tracer()
    channel = Channel(f"127.0.0.1:{port}", services=[_service()], tracer=tracer, metrics=Metrics("client"))
    try:
        yield channel, calls
    finally:
        await channel.close()
        await server.stop(None)


async def ended(channel: Channel, name: str) -> grpc.StatusCode:
    """Call a method and return how the call ended."""
    try:
        await channel.unary_unary(f"/{_PACKAGE}.Plain/{name}")(b"")
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize(("name", "calls"), [("Read", 3), ("Repeat", 3), ("Once", 1)])
async def test_only_what_the_contract_calls_repeatable_is_tried_again(name: str, calls: int) -> None:
    async with plain(lambda _: grpc.StatusCode.UNAVAILABLE) as (channel, made):
        assert await ended(channel, name) is grpc.StatusCode.UNAVAILABLE

    assert made == [name] * calls


async def test_a_second_try_that_goes_well_is_all_that_the_caller_sees() -> None:
    async with plain(lambda n: grpc.StatusCode.UNAVAILABLE if n == 1 else grpc.StatusCode.OK) as (channel, made):
        assert await ended(channel, "Repeat") is grpc.StatusCode.OK

    assert len(made) == 2


@pytest.mark.parametrize(
    "code", [code for code in grpc.StatusCode if code not in {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}]
)
async def test_no_other_failure_is_tried_again(code: grpc.StatusCode) -> None:
    async with plain(lambda _: code) as (channel, made):
        assert await ended(channel, "Repeat") is code

    assert len(made) == 1


async def test_a_peer_in_trouble_is_not_asked_ever_more() -> None:
    async with plain(lambda _: grpc.StatusCode.UNAVAILABLE) as (channel, made):
        await asyncio.gather(*(ended(channel, "Repeat") for _ in range(600)))

    # Without an end to it each would have been made three times; half of the thousand tokens are for retries.
    assert 600 < len(made) <= 600 + 500
