"""The gRPC server that every service runs: its options, its layers, health, reflection, channelz and an orderly end.

Each option has its reason beside it; reliability figures were measured with grpcio 1.85.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from grpc_channelz.v1 import channelz, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from chassis.accepting import Accepting, Door
from chassis.access.rules import rule_at
from chassis.layers import Chain, Context, Method, Seat, Stream, Unary
from chassis.serving.admission import full_of, refuse
from chassis.serving.doorway import UnknownMethods, Watched
from chassis.serving.identity import CallerIdentity
from chassis.trust.transport import Transport

Option = tuple[str, int | str]

# An order of 200 lines is some 40 KB; what is larger is a mistake or an attack.
MAXIMUM_MESSAGE_BYTES = 262_144

# Trace context, a signed caller context and an id are some 2 KB.
MAXIMUM_METADATA_BYTES = 16_384

SERVER_OPTIONS: tuple[Option, ...] = (
    # With port reuse a second server binds a taken port silently and gets half of the calls.
    ("grpc.so_reuseport", 0),
    # Connections are renewed, so that clients find new replicas and a removed certificate stops working; the grace
    # exceeds the longest deadline, with which no call was lost in 8,685.
    ("grpc.max_connection_age_ms", 300_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
    # Our clients ping every second also while idle. Without max_ping_strikes=0 that still ended in GOAWAY
    # too_many_pings; the ports are private, the gateway is the public one.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    # By default a head is refused at random from 8 KiB on, and for certain from 16 KiB on. What is sometimes refused is
    # found too late: there is one limit.
    ("grpc.max_metadata_size", MAXIMUM_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAXIMUM_METADATA_BYTES),
    # By default a connection may open two thousand million; calls beyond wait, or are refused with UNAVAILABLE, which
    # is repeated. A stream holds its place for up to an hour, so there are more than the 2,000 of them that a service
    # takes (serving/admission.py): 1,000 for what a gateway has in flight, and some for watches over health.
    ("grpc.max_concurrent_streams", 3_200),
    # Beyond 1,000 calls not yet accepted a server sheds at random with CANCELLED: hold more, then refuse.
    ("grpc.server.max_pending_requests", 4_000),
    ("grpc.server.max_pending_requests_hard_limit", 8_000),
)

# Processes of one supervisor share their port, which it keeps for them from everybody else: chassis/supervisor.py.
_SHARED_PORT: Option = ("grpc.so_reuseport", 1)

# How long clients need to see NOT_SERVING before the listener closes: one health round trip. Without it 2-8 calls of
# each shutdown under load ended in CANCELLED, with it none.
DRAIN_SECONDS = 0.3

# How long calls in flight may take to finish on shutdown; shorter than an orchestrator's usual 30 s.
GRACE_SECONDS = 20.0


class Server:
    """One gRPC server.

    Args:
        chain: The layers around each handler.
        transport: What it shows clients, and demands of them; plaintext unless given.
        with_reflection: Whether it tells what it serves.
        shared_port: Whether other processes listen on the same port, and each of them gets some of the connections.
        maximum_message_bytes: The largest request.
        options: grpc's own, over SERVER_OPTIONS.
    """

    def __init__(
        self,
        chain: Chain,
        transport: Transport | None = None,
        *,
        with_reflection: bool = True,
        shared_port: bool = False,
        maximum_message_bytes: int = MAXIMUM_MESSAGE_BYTES,
        options: Sequence[Option] = (),
    ) -> None:
        shared = dict([_SHARED_PORT] if shared_port else [])
        own = {"grpc.max_receive_message_length": maximum_message_bytes, **dict(options)}
        self._door = Door(full_of(chain))
        self._server = grpc.aio.server(
            interceptors=[self._door], options=list({**dict(SERVER_OPTIONS), **shared, **own}.items())
        )
        self._health_options = list({**dict(SERVER_OPTIONS), **shared}.items())
        self._transport = transport or Transport()
        self._health_server: grpc.aio.Server | None = None
        self._chain = chain
        self._with_reflection = with_reflection
        self._names: list[str] = []
        self._streams: set[asyncio.Task[Any]] = set()
        self._health = _Health(self._streams)
        self._accepting: Accepting | None = None

    def add(self, register: Callable[[Any, grpc.aio.Server], None], servicer: object) -> None:
        """Serve a servicer with the generated `add_…_to_server` function, every layer around each of its methods."""
        register(
            servicer,
            cast("grpc.aio.Server", _Registrar(self._server, self._chain, self._names, self._door, self._streams)),
        )

    async def start(self, address: str) -> str:
        """Listen, still NOT_SERVING, and return the address with the port that was bound.

        Raises:
            OSError: The address is taken or not ours.
        """
        # aio's health servicer calls "" SERVING by itself; nothing is, until `serving` says so.
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._open_doorway()
        port = _listen(self._server, address, self._transport.server_credentials())
        await self._server.start()
        self._accepting = Accepting(self._server, self._door)
        self._accepting.start()
        if self._transport.health_address:
            # Kubernetes' probes speak no TLS and come from another machine; here they find nothing but health.
            self._health_server = grpc.aio.server(options=self._health_options)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._health_server)
            _listen(self._health_server, self._transport.health_address, None)
            await self._health_server.start()
        host = address.rpartition(":")[0]
        return address if address.startswith("unix:") else f"{host}:{port}"

    def _open_doorway(self) -> None:
        """Serve what stands outside the chain, to callers whom the chain knows."""
        identity = self._chain.at(Seat.IDENTITY)
        if not isinstance(identity, CallerIdentity):
            return
        if self._with_reflection:
            watched = cast("grpc.aio.Server", Watched(self._server, identity.caller_of))
            names = (*self._names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
            reflecting = reflection.aio.ReflectionServicer(names)
            reflection_pb2_grpc.add_ServerReflectionServicer_to_server(reflecting, watched)  # type: ignore[no-untyped-call]  # generated, without types
            channelz_pb2_grpc.add_ChannelzServicer_to_server(channelz.aio.ChannelzServicer(), watched)
        # The last to be asked: whatever nobody else answers.
        rules = {rule_at(path) for path in self._door.paths}
        self._server.add_generic_rpc_handlers((UnknownMethods(identity.caller_of, rules),))

    async def serving(self, *, ready: bool) -> None:
        """Tell health checks whether calls are welcome."""
        status = health_pb2.HealthCheckResponse.SERVING if ready else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, status)

    async def stop(self, *, drain_seconds: float = DRAIN_SECONDS) -> None:
        """Say NOT_SERVING, wait until clients have seen it, end streams, finish what is in flight, close."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(drain_seconds)
        # A stream may be open for as long as somebody listens. It ends with UNAVAILABLE: listen elsewhere.
        for stream in tuple(self._streams):
            stream.cancel()
        await self._server.stop(GRACE_SECONDS)
        if self._health_server is not None:
            await self._health_server.stop(None)


def _listen(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials | None) -> int:
    """Listen on the address and return the port that was bound.

    Raises:
        OSError: The address is taken or not ours.
    """
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise OSError(
            f"cannot listen on {address}: taken by another process, or not an address of this host"
        ) from error


class _Health(health.HealthServicer):
    """grpc's health service, whose streams end when the server stops: every client of ours keeps one open."""

    def __init__(self, streams: set[asyncio.Task[Any]]) -> None:
        super().__init__()
        self._streams = streams

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Any) -> None:  # noqa: N802, ANN401  (grpc's own)
        """Tell of changes for as long as the client listens and the server runs."""
        task = asyncio.current_task()
        assert task is not None, "grpc runs every handler in a task"
        self._streams.add(task)
        try:
            await super().Watch(request, context)
        except asyncio.CancelledError:
            if context.cancelled() or context.done():
                raise
            # Left alone, the client would hear nothing, and the server would wait for it (grpc#29248).
            await context.abort(grpc.StatusCode.UNAVAILABLE, "The service is stopping.")
        finally:
            self._streams.discard(task)


class _Registrar:
    """Stands in for the server while generated code registers a servicer, and puts the layers around each handler."""

    def __init__(
        self,
        server: grpc.aio.Server,
        chain: Chain,
        names: list[str],
        door: Door,
        streams: set[asyncio.Task[Any]],
    ) -> None:
        self._server = server
        self._chain = chain
        self._names = names
        self._door = door
        self._streams = streams

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Ignore the untyped registration; the registered one below carries the same handlers by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: "dict[str, grpc.RpcMethodHandler[Any, Any]]"
    ) -> None:
        """Register every method with its layers."""
        self._names.append(service)
        wrapped = {name: self._wrap(f"/{service}/{name}", handler) for name, handler in handlers.items()}
        self._server.add_registered_method_handlers(service, wrapped)

    def _wrap(self, path: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> "grpc.RpcMethodHandler[Any, Any]":
        method = Method(path, cast("Callable[[bytes], Message]", handler.request_deserializer))
        # Without a deserializer grpc hands over the raw bytes; the innermost layer parses them. The types of a handler
        # are those of the threaded server, which shares the class.
        wrapped: grpc.RpcMethodHandler[Any, Any]
        if handler.response_streaming:
            wrapped = grpc.unary_stream_rpc_method_handler(
                cast("Any", self._chain.around_stream(method, self._endable(cast("Stream", handler.unary_stream)))),
                response_serializer=handler.response_serializer,
            )
        else:
            wrapped = grpc.unary_unary_rpc_method_handler(
                cast("Any", self._chain.around_unary(method, cast("Unary", handler.unary_unary))),
                response_serializer=handler.response_serializer,
            )
        self._door.add(path, wrapped, self._chain.around_refusal(method, refuse))
        return wrapped

    def _endable(self, handler: Stream) -> Stream:
        """Return the handler with its task known while it runs."""
        streams = self._streams

        async def call(request: Any, context: Context) -> AsyncIterator[Message]:  # noqa: ANN401  (see layers.Unary)
            task = asyncio.current_task()
            assert task is not None, "grpc runs every handler in a task"
            streams.add(task)
            try:
                async for answer in handler(request, context):
                    yield answer
            finally:
                streams.discard(task)

        return call
