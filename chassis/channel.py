"""The gRPC channel that every client in the mesh uses: options, deadline, trace and retries in one place.

Deadlines are set per call (a timeout in the service config fires up to two seconds early, grpc#34547). Retries come
from the proto's idempotency_level alone, for UNAVAILABLE alone. Calls are wrapped where the stub makes them: a grpc
client interceptor would run each call in a task of its own, for 35-45 µs more.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Protocol, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from chassis import deadline
from chassis.admission import BUSY_KEY, overloaded
from chassis.errors import refusal_of
from chassis.server import MAXIMUM_MESSAGE_BYTES, Option
from chassis.telemetry import conventions
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import AttributeValue, Span, Tracer
from chassis.throttle import Throttle
from chassis.trust.transport import Connect, plaintext, through_sidecar
from kernel.errors import Reason

# What a single call may take at most, whatever the caller's own deadline allows.
CALL_SECONDS = 10.0

CHANNEL_OPTIONS: tuple[Option, ...] = (
    # A peer that stands still is noticed within 2.5 s: what hung at it fails with UNAVAILABLE, and is tried elsewhere.
    # All three are needed: keepalive time and timeout alone did not notice it within 30 s. Threads of grpc's own answer
    # pings, so that a busy event loop delays none.
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 1_500),
    ("grpc.http2.ping_timeout_ms", 1_500),
    ("grpc.http2.max_pings_without_data", 0),
    # A peer that comes back is called again within 0.3 s; with the defaults it took 8 s after 20 s. An attempt that is
    # refused costs 0.4 ms of CPU, and the pauses differ by a fifth, so that not all clients come at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 250),
    # In spite of its name, how long one attempt may take: a TLS handshake with whoever has much to do takes longer than
    # those pauses, and a host that is silent is asked anew so often.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    # A replica that comes back under another address is found within a second; with the default of 30 s it took up to
    # that long. Names are asked about again only while an address of theirs does not answer.
    ("grpc.dns_min_time_between_resolutions_ms", 500),
    ("grpc.max_receive_message_length", 16 * MAXIMUM_MESSAGE_BYTES),
)


_BALANCED: dict[str, Any] = {
    "healthCheckConfig": {"serviceName": ""},
    "loadBalancingConfig": [
        {
            "outlier_detection_experimental": {
                "interval": "1s",
                # Times how often it was ejected in a row. A replica that is new where one died with
                # its calls is called again soon; for one that is broken it costs the five calls that show it.
                "baseEjectionTime": "5s",
                "maxEjectionPercent": 50,
                # Every answer but OK counts as failure, also "not found" and "too much to do", which all replicas
                # give alike: ejecting one then halves what is left. One that is frozen or broken fails every call.
                "failurePercentageEjection": {
                    "threshold": 90,
                    "enforcementPercentage": 100,
                    "minimumHosts": 2,
                    "requestVolume": 5,
                },
                "childPolicy": [{"round_robin": {}}],
            }
        }
    ],
}


def service_config(services: Iterable[ServiceDescriptor], *, balanced: bool = True) -> dict[str, Any]:
    """Return the service config: balance by health, eject failing replicas, retry what is safe to repeat.

    Args:
        services: What the channel calls.
        balanced: False where a sidecar balances: to us all replicas are one address then, and one of them that stops
            would have it count as not serving. What may be repeated the contract knows, and no sidecar does.
    """
    repeatable = [
        {"service": service.full_name, "method": method.name}
        for service in services
        for method in service.methods
        if method.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    ]
    return {
        **(_BALANCED if balanced else {}),
        # A peer in trouble is not asked ever more: from half of the tokens on, retries stop. Until then all that hung
        # at a frozen replica may be tried elsewhere: 200 calls a second for the 2.5 s until it is noticed.
        "retryThrottling": {"maxTokens": 1_000, "tokenRatio": 0.1},
        "methodConfig": [
            {
                "name": repeatable,
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }


def _metadata(span: Span) -> tuple[tuple[str, str], ...]:
    """Return the W3C trace context of a call made inside the span."""
    parent = ("traceparent", span.traceparent())
    return (parent, ("tracestate", span.tracestate)) if span.tracestate else (parent,)


def _attributes(method: str) -> dict[str, AttributeValue]:
    return {conventions.RPC_SYSTEM_NAME: "grpc", conventions.RPC_METHOD: method}


class Pressure(Protocol):
    """Whoever lets in calls that end up at a service: chassis.admission.Admission."""

    def answered(self, *, busy: bool) -> None:
        """Hear that the service has answered, and whether it is busy."""
        ...

    def push_back(self) -> None:
        """Hear that the service has refused a call because it has too much to do."""
        ...


class Channel:
    """A channel whose calls carry deadline and trace; hand it to a generated stub through `for_stub`.

    Args:
        target: Where the service is: "host:port", or a gRPC name of several replicas.
        services: Which of its services are called.
        tracer: Records a span per call.
        metrics: Counts calls.
        connect: Makes the connection: in plaintext, or with TLS.
        pressure: Told how much the service has to do.
        throttle: Told of calls that it refuses because that is too much; it says what `admit` refuses.
    """

    def __init__(
        self,
        target: str,
        *,
        services: Iterable[ServiceDescriptor],
        tracer: Tracer,
        metrics: Metrics,
        connect: Connect = plaintext,
        pressure: Pressure | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        config = ("grpc.service_config", json.dumps(service_config(services, balanced=connect is not through_sidecar)))
        self._channel = connect(target, [*CHANNEL_OPTIONS, config])
        self._tracer = tracer
        self._metrics = metrics
        self._pressure = pressure
        self._throttle = throttle

    def admit(self) -> None:
        """Count a request that is about to be read, and to become a call.

        Raises:
            Refusal: The service has too much to do, and would most probably refuse it.
        """
        if self._throttle is not None and not self._throttle.admits(asyncio.get_running_loop().time()):
            raise overloaded()

    @property
    def for_stub(self) -> grpc.aio.Channel:
        """Return it under the type that generated stubs ask for; they use the two methods below only."""
        return cast("grpc.aio.Channel", self)

    @property
    def bare(self) -> grpc.aio.Channel:
        """Return the channel itself, for calls that are neither traced nor measured: health checks."""
        return self._channel

    def unary_unary(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = None,  # noqa: FBT001  (grpc's own signature)
    ) -> Callable[..., Awaitable[Any]]:
        """Return the callable behind one RPC of a stub."""
        multicallable = self._channel.unary_unary(method, request_serializer, response_deserializer)
        name, tracer, metrics = method.removeprefix("/"), self._tracer, self._metrics
        pressure = self._pressure

        async def call(
            request: object,
            *,
            timeout: float = CALL_SECONDS,  # noqa: ASYNC109  (grpc's own name)
            metadata: tuple[tuple[str, str], ...] = (),
        ) -> object:
            span = tracer.start(name, "client", attributes=_attributes(name))
            code = "CANCELLED"
            try:
                made = multicallable(
                    request,
                    timeout=deadline.remaining(timeout),
                    metadata=_metadata(span) + metadata,
                )
                answer: object = await made
                if pressure is not None:
                    pressure.answered(busy=_is_busy(await made.trailing_metadata()))
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                span.set(conventions.ERROR_TYPE, code)
                span.fail(code)
                if _has_too_much_to_do(error):
                    self._hear_refusal()
                raise
            else:
                code = "OK"
                return answer
            finally:
                span.set(conventions.RPC_RESPONSE_STATUS_CODE, code)
                tracer.finish(span)
                fault = "" if code == "OK" else code
                seconds = (span.end_ns - span.start_ns) / 1e9
                metrics.rpc_client_duration.record(seconds, "grpc", name, code, fault)

        return call

    def unary_stream(
        self,
        method: str,
        request_serializer: Callable[[Any], bytes] | None = None,
        response_deserializer: Callable[[bytes], Any] | None = None,
        _registered_method: bool | None = None,  # noqa: FBT001  (grpc's own signature)
    ) -> Callable[..., AsyncIterator[Any]]:
        """Return the callable behind one server-streaming RPC of a stub; it runs for as long as the caller listens."""
        multicallable = self._channel.unary_stream(method, request_serializer, response_deserializer)
        name, tracer = method.removeprefix("/"), self._tracer

        async def call(
            request: object,
            *,
            timeout: float | None = None,  # noqa: ASYNC109  (grpc's own name)
            metadata: tuple[tuple[str, str], ...] = (),
        ) -> AsyncIterator[object]:
            span = tracer.start(name, "client", attributes=_attributes(name))
            stream = multicallable(request, timeout=timeout, metadata=_metadata(span) + metadata)
            code = "CANCELLED"
            try:
                async for answer in stream:
                    yield answer
                code = "OK"
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                span.set(conventions.ERROR_TYPE, code)
                span.fail(code)
                raise
            finally:
                stream.cancel()
                span.set(conventions.RPC_RESPONSE_STATUS_CODE, code)
                tracer.finish(span)

        return call

    def _hear_refusal(self) -> None:
        if self._pressure is not None:
            self._pressure.push_back()
        if self._throttle is not None:
            self._throttle.refused()

    async def close(self) -> None:
        """Close the connection; calls in flight are cancelled."""
        await self._channel.close()


def _is_busy(trailers: Iterable[tuple[str, str | bytes]]) -> bool:
    return any(key == BUSY_KEY for key, _ in trailers)


def _has_too_much_to_do(error: grpc.aio.AioRpcError) -> bool:
    """Say whether a service refused a call for that reason, and not because its caller has used up what is theirs."""
    if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
        return False
    refusal = refusal_of(error)
    return refusal is not None and refusal.reason is Reason.OVERLOADED and not refusal.metadata
