"""How the command reaches a service of the mesh: a channel, and refusals instead of grpc's errors."""

import chassis.process  # isort: skip  (settings that grpc reads when it is imported)

from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from random import SystemRandom
from typing import Protocol, TypeVar

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from chassis.channel import Channel
from chassis.errors import refusal_of
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Span, Tracer
from chassis.trust.transport import Transport
from cli.config import CliConfig
from cli.gateway_tls import trusting
from kernel.clock import SystemClock
from kernel.errors import Reason, Refusal

T = TypeVar("T")

# An order is answered within 10 s; so much more for a machine that is busy.
CALL_SECONDS = 15.0


class _Nowhere:
    """Takes the command's own spans: the story of an order begins where the mesh takes it."""

    def put(self, _: Span) -> None:
        """Keep nothing."""


class ForStubs(Protocol):
    """A channel, as far as a stub is concerned."""

    @property
    def for_stub(self) -> grpc.aio.Channel:
        """Return it under the type that generated stubs ask for."""
        ...


@dataclass(frozen=True, slots=True)
class Line:
    """A channel to one service.

    Attributes:
        channel: For its stub; of the service itself, or of the gateway, which then calls it.
        address: Where it leads.
        variable: The setting that says so.
    """

    channel: ForStubs
    address: str
    variable: str

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turn the errors of the calls inside into refusals.

        Raises:
            Refusal: It was not done, for the reason given, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).
        """
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise refusal_of(error) or self._transport(error.code()) from error

    def _transport(self, code: grpc.StatusCode) -> Refusal:
        match code:
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
                return Refusal(Reason.UNAVAILABLE, f"Nobody answers at {self.address} ({self.variable}).")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return Refusal(Reason.DEADLINE_EXCEEDED, f"No answer came within {CALL_SECONDS:.0f} s.")
            case _:
                return Refusal(Reason.INTERNAL, f"{self.address} ended the call with {code.name}.")


@asynccontextmanager
async def dialled(
    address: str, variable: str, service: ServiceDescriptor, config: CliConfig | None = None
) -> AsyncIterator[Line]:
    """Open a channel to a service and close it again.

    Args:
        address: Where it is.
        variable: The setting that says so.
        service: What is called there.
        config: Whether it is called at all, or the gateway for it; and how. In plaintext where nothing is said.

    Raises:
        ConfigError: The command has no certificate, and needs one.
    """
    if config is not None and config.api_key:
        from cli.dial_rest import VARIABLE, rest_channel  # noqa: PLC0415  (for those who have a key)

        async with rest_channel(config.gateway_url, config.api_key, trusting(config.gateway_tls_dir)) as through:
            yield Line(through, config.gateway_url, VARIABLE)
        return
    clock = SystemClock()
    tracer = Tracer("cli", _Nowhere(), lambda: int(clock.now().timestamp() * 1e9), SystemRandom().getrandbits)
    connect = Transport(config.transport if config is not None else None).to(variable.removesuffix("_ADDR").lower())
    channel = Channel(address, services=[service], tracer=tracer, metrics=Metrics("cli"), connect=connect)
    try:
        yield Line(channel, address, variable)
    finally:
        await channel.close()


def run(work: Coroutine[object, object, T]) -> T:
    """Run calls on an event loop of their own."""
    return chassis.process.run(work)
