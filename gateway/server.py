"""The gateway as a running thing: channels to the services, the HTTP listener, and an orderly end."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Generator, Sequence

import uvicorn

from chassis.admission import LEAST, OUTER_SECONDS, Admission
from chassis.channel import Channel
from chassis.telemetry.metrics import Metrics
from chassis.telemetry.setup import Telemetry
from chassis.telemetry.spans import Tracer
from chassis.throttle import Throttle
from chassis.trust.settings import Security
from chassis.trust.transport import Transport
from gateway import contract as contracts
from gateway.access import assembly
from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.contract import Contract, ContractError
from gateway.endpoint import Endpoints
from gateway.limits import BoundedProtocol
from gateway.pages import Numbers
from gateway.readiness import Readiness
from gateway.routes import host_of
from gateway.webhooks import WEBHOOKS, Webhook
from kernel.clock import Clock
from kernel.ids import Ids

# Above the idle time that proxies usually keep connections for (60 s), so that they, not we, close them: a request that
# meets a closing connection is lost.
_KEEP_ALIVE_SECONDS = 75
# How long requests in flight may take to finish on shutdown: as long as the longest unary call.
_GRACE_SECONDS = 16
_BACKLOG = 1024
# How long what we sent may stay without an acknowledgement before the connection is given up. The system's own time is
# a quarter of an hour, for which a machine that crashed, or a telephone that lost its network, would keep the places of
# its event streams (streams.py). It is time for some seven repetitions, and for a telephone to change its network. With
# a heartbeat every 15 s (sse.py) such a place is free after 45 s.
_UNACKNOWLEDGED_SECONDS = 30
# What clients want ends up there, and what it needs besides can be waited for, mails and the tax of what is recorded. A
# provider's webhooks keep other services busy, and are no reason to refuse orders.
_MAIN = "order"
# What a service lets in whatever happens, and half as much again: webhooks come beside what clients have in flight.
_LEAST = LEAST * 3 // 2


class Gateway:
    """The gateway; it may share a process and its loop with other servers.

    Args:
        config: Where to listen and whom to call.
        tracer: Records one span per request.
        metrics: Counts how long requests took.
        clock: Paces the watch over the services.
        ids: Names requests and defects.
        contract: What is served; the installed stubs' own when None.
        webhooks: Where providers send their events to.
        numbers: What `/metrics` shows to this machine; nothing is shown where others reach the gateway.

    Attributes:
        admission: How many calls it takes on.
    """

    def __init__(
        self,
        config: GatewayConfig,
        *,
        tracer: Tracer,
        metrics: Metrics,
        clock: Clock,
        ids: Ids,
        contract: Contract | None = None,
        webhooks: Sequence[Webhook] = WEBHOOKS,
        numbers: Numbers | None = None,
    ) -> None:
        self._config = config
        self._tracer = tracer
        self._metrics = metrics
        self.admission = Admission(config.limits, OUTER_SECONDS, metrics.admission_limit.set, least=_LEAST)
        self._clock = clock
        self._ids = ids
        self._contract = contract if contract is not None else contracts.load()
        self._webhooks = webhooks
        self._numbers = numbers
        self._stopping = asyncio.Event()
        self._transport = Transport(config.transport, metrics)
        self._channels: dict[str, Channel] = {}
        self._ending = contextlib.AsyncExitStack()
        self._readiness: Readiness | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def readiness(self) -> Readiness:
        """Return the watch over the services, once the gateway has started."""
        if self._readiness is None:
            raise RuntimeError("the gateway has not started")
        return self._readiness

    async def start(self) -> tuple[str, int]:
        """Begin to serve, and return the host and port that it listens on.

        Raises:
            OSError: The address is taken or not ours.
            ContractError: The contract cannot be served.
        """
        host, _, port = self._config.address.rpartition(":")
        listener = _listen(host.strip("[]"), int(port), shared=self._config.worker > 0)
        try:
            await self._serve(listener)
        except BaseException:
            listener.close()
            await self.stop()
            raise
        address = listener.getsockname()
        return address[0], address[1]

    async def stop(self, *, drain_seconds: float = 0.0) -> None:
        """Say that it stops, serve on until balancers have seen it, then end in good order.

        That is: take no more connections, end streams, finish what is in flight, close the channels.
        """
        if self._readiness is not None and self._serving is not None and not self._serving.done():
            await self._readiness.leave()
            await asyncio.sleep(drain_seconds)
        self._stopping.set()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        if self._readiness is not None:
            await self._readiness.stop()
        for channel in self._channels.values():
            await channel.close()
        await self._ending.aclose()

    async def _serve(self, listener: socket.socket) -> None:
        backends = {service.full_name: self._channel(service.full_name) for service in self._contract.services}
        bare = {area: channel.bare for area, channel in self._channels.items()}
        self._readiness = Readiness(bare, self._clock, {_MAIN})
        endpoints = Endpoints(self._tracer, self._metrics, self._ids, self.admission)
        admitting = assembly.guard(
            self._config.auth,
            self._contract,
            self._clock,
            self._tracer,
            self._metrics,
            self._ending,
            secured=self._config.transport.security is not Security.LOOPBACK,
        )
        await admitting.prepare()
        app = create_app(
            self._contract,
            backends,
            self._readiness,
            endpoints,
            self._ids,
            self._stopping,
            self._config.data_dir,
            admitting,
            self._webhooks,
            self._numbers if _is_private(listener) else None,
            self._config.sandbox_url,
            has_shop=self._config.has_shop,
            behind_proxy=self._config.https.behind_proxy,
        )
        self._readiness.start()
        self._server = _Server(_uvicorn_config(app, self._https()))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="gateway.http")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._serving.done():
            await self._serving

    def _https(self) -> ssl.SSLContext | None:
        """Return what to serve with; None in plaintext."""
        if self._config.https.tls_dir is None:
            return None
        from gateway.https import serving_context  # noqa: PLC0415  (a process without TLS need not load it)

        return serving_context(self._config.https.tls_dir, self._clock, self._metrics)

    def _channel(self, service: str) -> Channel:
        """Return the channel to the service; services of one host share it."""
        area = host_of(service)
        if area not in self._config.backends:
            raise ContractError(f"no address is configured for {service}")
        if area not in self._channels:
            services = [each for each in self._contract.services if host_of(each.full_name) == area]
            self._channels[area] = Channel(
                self._config.backends[area],
                services=services,
                tracer=self._tracer,
                metrics=self._metrics,
                connect=self._transport.to(area),
                pressure=self.admission if area == _MAIN else None,
                throttle=Throttle(),
            )
        return self._channels[area]


@contextlib.asynccontextmanager
async def running(config: GatewayConfig, telemetry: Telemetry, *, clock: Clock, ids: Ids) -> AsyncGenerator[str]:
    """Serve for the length of a `with` block, which is given the address: "127.0.0.1:8080"."""
    gateway = Gateway(
        config,
        tracer=telemetry.tracer,
        metrics=telemetry.metrics,
        clock=clock,
        ids=ids,
        numbers=lambda: telemetry.every_service,
    )
    host, port = await gateway.start()
    try:
        yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    finally:
        await gateway.stop(drain_seconds=config.drain_seconds)


def _is_private(listener: socket.socket) -> bool:
    """Say whether only this machine reaches it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _listen(host: str, port: int, *, shared: bool) -> socket.socket:
    """Listen on an address, together with the other processes of a supervisor where they share it.

    Raises:
        OSError: It is taken or not ours.
    """
    # Bound here and not by uvicorn, which ends the process when it cannot.
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sys.platform == "linux":
            # Each connection that it takes has it from there.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_SECONDS * 1_000)
        listener.bind(address)
        listener.settimeout(0)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def _uvicorn_config(app: object, https: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # Starlette's and uvicorn's names for the same ASGI callable differ
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        # Its warnings are about malformed requests, which anybody can send by the thousand.
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_context_factory=None if https is None else lambda _config, _default: https,
    )


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process's other servers want to know of signals too."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to whoever runs the loop."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so."""
        await super().startup(sockets=sockets)
        self.listening.set()
