"""Every service of the contract behind the real chain, with handlers that answer anything to whoever gets through."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from chassis.access.settings import AccessSettings
from chassis.layers import Context
from chassis.server import Server
from chassis.standard import standard_chain
from chassis.telemetry.metrics import Metrics
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal
from kernel.ids import Uuid7Ids
from tests.fakes.telemetry_sink import recording_tracer

# Stands for the certificate of a connection: matrices need every kind of peer, and connections are dear.
PEER = "x-test-peer"

# Which part of the mesh serves an area of the contract, where the area's own name does not say it.
_HOSTS = {"webhook": "order"}


def host_of(service: ServiceDescriptor) -> str:
    """Return the part that serves it: "order"."""
    area: str = service.full_name.split(".")[1]
    return _HOSTS.get(area, area)


def peer_named_in_metadata(context: Context) -> str:
    """Return the peer that the call says it comes from; without one it is nobody."""
    for key, value in context.invocation_metadata() or ():
        if key == PEER:
            return str(value)
    raise Refusal(Reason.UNAUTHENTICATED, "The client has no certificate.")


@dataclass
class OpenServices:
    """Servers by the part that they stand for.

    Attributes:
        channels: A channel to each part.
        reached: The methods whose handlers ran, in order.
    """

    channels: dict[str, grpc.aio.Channel]
    reached: list[str]

    def call(self, method: MethodDescriptor) -> Callable[..., Any]:
        """Return the callable that sends raw bytes to a method."""
        service: ServiceDescriptor = method.containing_service
        channel = self.channels[host_of(service)]
        path = f"/{service.full_name}/{method.name}"
        return channel.unary_stream(path) if method.server_streaming else channel.unary_unary(path)


def _servicer(service: ServiceDescriptor, reached: list[str]) -> object:
    return type(service.name, (), {method.name: _handler(method, reached) for method in service.methods})()


def _handler(method: MethodDescriptor, reached: list[str]) -> Callable[..., Any]:
    answer = message_factory.GetMessageClass(method.output_type)

    async def one(self: object, request: object, context: object) -> Any:  # noqa: ANN401, ARG001  (any answer)
        reached.append(method.full_name)
        return answer()

    async def stream(self: object, request: object, context: object) -> AsyncIterator[Any]:  # noqa: ARG001
        reached.append(method.full_name)
        yield answer()

    return stream if method.server_streaming else one


@asynccontextmanager
async def open_services(
    services: list[ServiceDescriptor], trusted: Path, grants: dict[str, frozenset[str]]
) -> AsyncIterator[OpenServices]:
    """Serve them, each part on a port of its own."""
    reached: list[str] = []
    access = AccessSettings(trusted, grants)
    servers: dict[str, Server] = {}
    channels = {}
    tracer, _ = recording_tracer()
    for service in services:
        part = host_of(service)
        if part not in servers:
            chain = standard_chain(
                tracer, Metrics(part), Uuid7Ids(SystemClock()), peer_named_in_metadata, service=part, access=access
            )
            servers[part] = Server(chain)
        module = import_module(f"{service.file.name.removesuffix('.proto').replace('/', '.')}_pb2_grpc")
        servers[part].add(getattr(module, f"add_{service.name}Servicer_to_server"), _servicer(service, reached))
    try:
        for part, server in servers.items():
            channels[part] = grpc.aio.insecure_channel(await server.start("127.0.0.1:0"))
        yield OpenServices(channels, reached)
    finally:
        for channel in channels.values():
            await channel.close()
        for server in servers.values():
            await server.stop(drain_seconds=0.0)
