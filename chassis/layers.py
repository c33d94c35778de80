"""The layers around every RPC handler, and the order in which they stand.

A layer wraps a handler once, when it is registered; a call then runs through plain coroutines, with nothing looked up
or built on the way. A wrapped handler takes the raw request bytes, so that nothing is parsed before the outer layers
agreed to it.
"""

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

# The element types are the generated classes of one method; they meet only inside the layer that parses.
Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Context], Awaitable[Message]]
Stream = Callable[[Any, Context], AsyncIterator[Message]]


@dataclass(frozen=True, slots=True)
class Method:
    """The method that a handler serves.

    Attributes:
        path: As it stands on the wire: "/ordermesh.order.v1.OrderService/PlaceOrder".
        parse: Turns request bytes into the request message; raises google.protobuf.message.DecodeError.
    """

    path: str
    parse: Callable[[bytes], Message]

    @property
    def name(self) -> str:
        """Return the name that traces and metrics use: "ordermesh.order.v1.OrderService/PlaceOrder"."""
        return self.path.removeprefix("/")


class Layer(Protocol):
    """Something that happens around every call."""

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        """Return a handler that does this layer's part and calls the given one."""
        ...

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        """Return the same for a method that answers with a stream."""
        ...


class Gate:
    """A layer that only looks at a call before it goes on, and may refuse it or change the request."""

    async def admit(self, method: Method, request: Any, context: Context) -> Any:  # noqa: ANN401  (see Unary)
        """Return the request for the layers within.

        Raises:
            Refusal: The call goes no further.
        """
        raise NotImplementedError

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        """Return a handler that admits before it calls."""
        admit = self.admit

        async def call(request: Any, context: Context) -> Message:  # noqa: ANN401  (see Unary)
            return await handler(await admit(method, request, context), context)

        return call

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        """Return a streaming handler that admits before it calls."""
        admit = self.admit

        async def call(request: Any, context: Context) -> AsyncIterator[Message]:  # noqa: ANN401  (see Unary)
            async for answer in handler(await admit(method, request, context), context):
                yield answer

        return call


class Seat(enum.IntEnum):
    """Where a layer stands, outermost first. A seat may stay empty; no layer may stand anywhere else."""

    TELEMETRY = 1
    ERRORS = 2
    IDENTITY = 3
    AUTHORISATION = 4
    DEADLINE = 5
    ADMISSION = 6
    VALIDATION = 7


class Chain:
    """All layers of a server, in the order of their seats."""

    def __init__(self, layers: Mapping[Seat, Layer]) -> None:
        self._layers = dict(layers)
        self._inside_out = [layers[seat] for seat in sorted(layers, reverse=True)]

    def at(self, seat: Seat) -> Layer | None:
        """Return the layer on that seat; None where it is empty."""
        return self._layers.get(seat)

    def around_unary(self, method: Method, handler: Unary) -> Unary:
        """Return the handler with every layer around it."""
        for layer in self._inside_out:
            handler = layer.around_unary(method, handler)
        return handler

    def around_stream(self, method: Method, handler: Stream) -> Stream:
        """Return the streaming handler with every layer around it."""
        for layer in self._inside_out:
            handler = layer.around_stream(method, handler)
        return handler

    def around_refusal(self, method: Method, handler: Unary) -> Unary:
        """Return a handler that refuses whoever calls, with the layers around it that do not ask who that is."""
        for seat in sorted(self._layers, reverse=True):
            if seat < Seat.IDENTITY:
                handler = self._layers[seat].around_unary(method, handler)
        return handler
