"""A whole gateway before a recording backend, on real sockets."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from chassis.limits import Limits
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.spans import Span, Tracer
from gateway.access.settings import AuthSettings
from gateway.config import GatewayConfig
from gateway.contract import Contract
from gateway.https_settings import HttpsSettings
from gateway.server import Gateway
from gateway.webhooks import WEBHOOKS, Webhook
from kernel.clock import SystemClock
from kernel.ids import Uuid7Ids
from tests.fakes.backend import Backend, running_backend


class HurriedClock(SystemClock):
    """A clock that waits a moment where others wait a second."""

    async def sleep(self, seconds: float) -> None:
        """Wait a hundredth of what was asked for."""
        await super().sleep(seconds / 100)


@dataclass
class Spans:
    """A sink that keeps what it is given."""

    finished: list[Span] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, span: Span) -> None:
        """Keep a span."""
        self.finished.append(span)
        self.arrived.set()

    async def coming(self, name: str) -> Span:
        """Return the span of that name once it is finished: that of a stream is so a moment after its last byte."""
        while all(span.name != name for span in self.finished):
            self.arrived.clear()
            await self.arrived.wait()
        return self.named(name)

    def named(self, name: str) -> Span:
        """Return the span of that name."""
        return next(span for span in self.finished if span.name == name)


@dataclass
class World:
    """What a test of the gateway talks to."""

    backend: Backend
    gateway: Gateway
    http: httpx.AsyncClient
    host: str
    port: int
    spans: Spans
    metrics: Metrics

    def reset(self) -> None:
        """Forget what was asked and answered so far."""
        self.backend.calls.clear()
        self.backend.answers.clear()
        self.backend.stream = asyncio.Queue()
        self.backend.cancelled = asyncio.Event()
        self.spans.finished.clear()

    async def raw(self, request: bytes) -> bytes:
        """Send these bytes on a connection of their own and return all that comes back until it is closed."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(request)
        try:
            return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def gateway_before(
    address: str,
    *,
    contract: Contract | None = None,
    webhooks: Sequence[Webhook] = WEBHOOKS,
    backend: Backend | None = None,
    auth: AuthSettings | None = None,
    tls_dir: Path | None = None,
    limits: Limits | None = None,
    away: Sequence[str] = (),
) -> AsyncIterator[World]:
    """Serve a gateway whose services are all at one address, but for those that are away."""
    areas = dict.fromkeys(("order", "tax", "payment", "notify", "shop"), address)
    https = HttpsSettings(tls_dir)
    config = GatewayConfig(
        "127.0.0.1:0",
        {**areas, **dict.fromkeys(away, "127.0.0.1:1")},
        "",
        "",
        Path(),
        auth=auth or AuthSettings(),
        https=https,
        limits=limits or Limits(),
    )
    spans, metrics, clock = Spans(), Metrics("gateway"), HurriedClock()
    tracer = Tracer("gateway", spans, time.time_ns, random.Random().getrandbits)  # noqa: TID251  (spans need a clock)
    gateway = Gateway(
        config,
        tracer=tracer,
        metrics=metrics,
        clock=clock,
        ids=Uuid7Ids(clock),
        contract=contract,
        webhooks=webhooks,
        numbers=lambda: [metrics],
    )
    host, port = await gateway.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=20) as http:
            yield World(backend or Backend(), gateway, http, host, port, spans, metrics)
    finally:
        await gateway.stop()


@asynccontextmanager
async def a_gateway() -> AsyncIterator[World]:
    """Serve a gateway before a backend of its own, ready to be asked."""
    async with running_backend() as backend, gateway_before(backend.address, backend=backend) as world:
        await world.gateway.readiness.until(ready=True)
        yield world
