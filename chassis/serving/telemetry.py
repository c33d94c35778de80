"""The outermost layer: one server span per call, continuing the caller's trace, and its duration as a metric."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import Message

from chassis.layers import Context, Method, Stream, Unary
from chassis.telemetry import conventions
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import AttributeValue, Span, SpanContext, Tracer, attach, detach

# The codes that are the server's fault; the others are the caller's and leave the server span alone (semantic
# conventions 1.45).
_SERVER_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)


# gRPC's own: how often the caller's channel has tried the same call before.
_TRIED = "grpc-previous-rpc-attempts"


def _caller(context: Context) -> tuple[SpanContext | None, int]:
    """Return the caller's span, and how often it has tried this call before."""
    parent = state = ""
    tried = 0
    for key, value in context.invocation_metadata() or ():
        if key == "traceparent":
            parent = str(value)
        elif key == "tracestate":
            state = str(value)
        elif key == _TRIED and str(value).isdecimal():
            tried = int(value)
    return SpanContext.parse(parent, state) if parent else None, tried


class TelemetryLayer:
    """Traces and measures every call."""

    def __init__(self, tracer: Tracer, metrics: Metrics) -> None:
        self._tracer = tracer
        self._metrics = metrics

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        """Return a handler that runs in a span of its own."""
        begin, end = self._begin, self._end

        async def call(request: Any, context: Context) -> Message:  # noqa: ANN401  (see layers.Unary)
            span = begin(method, context)
            token = attach(span)
            try:
                return await handler(request, context)
            finally:
                detach(token)
                end(span, context)

        return call

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        """Return a streaming handler that runs in a span of its own."""
        begin, end = self._begin, self._end

        async def call(request: Any, context: Context) -> AsyncIterator[Message]:  # noqa: ANN401  (see layers.Unary)
            # Not attached: a generator's context is its caller's, so nothing may stay set across a yield.
            span = begin(method, context)
            try:
                async for answer in handler(request, context):
                    yield answer
            finally:
                end(span, context)

        return call

    def _begin(self, method: Method, context: Context) -> Span:
        attributes: dict[str, AttributeValue] = {
            conventions.RPC_SYSTEM_NAME: "grpc",
            conventions.RPC_METHOD: method.name,
        }
        caller, tried = _caller(context)
        if tried:
            attributes[conventions.ATTEMPT] = tried + 1
        return self._tracer.start(method.name, "server", parent=caller, attributes=attributes)

    def _end(self, span: Span, context: Context) -> None:
        code = status_code(context)
        fault = code.name if code in _SERVER_FAULTS else ""
        span.set(conventions.RPC_RESPONSE_STATUS_CODE, code.name)
        if fault:
            span.set(conventions.ERROR_TYPE, fault)
            span.fail(fault)
        self._tracer.finish(span)
        seconds = (span.end_ns - span.start_ns) / 1e9
        self._metrics.rpc_server_duration.record(seconds, "grpc", span.name, code.name, fault)


def status_code(context: Context) -> grpc.StatusCode:
    """Return the code that the call ends with; grpc keeps it as a number, and 0 until something was set."""
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    return _BY_NUMBER.get(code, grpc.StatusCode.OK)


_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
