"""The gateway's configuration: the only module of it that meets the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chassis.config import Environment
from chassis.limits import Limits
from chassis.trust.settings import TransportSettings
from gateway.access.settings import AuthSettings
from gateway.https_settings import HttpsSettings


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """How the gateway runs.

    Attributes:
        backends: The gRPC address of each service, by its area in the contract: "order", "tax", "payment", "notify".
        otlp_endpoint: Where spans and metrics are exported to; empty for nowhere.
        metrics_address: ORDERMESH_METRICS_ADDR: where Prometheus reads /metrics; empty for nowhere.
        data_dir: Where the local span store lies.
        auth: Who is let in.
        transport: How it reaches the services.
        https: Who sees to it that nobody listens in on what it is asked.
    """

    address: str
    """ORDERMESH_GATEWAY_ADDR: where the gateway listens, host:port, and where the command calls it if
    ORDERMESH_GATEWAY_URL is not set."""

    backends: Mapping[str, str]
    otlp_endpoint: str
    metrics_address: str
    data_dir: Path

    worker: int = 0
    """ORDERMESH_WORKER: which of the processes this is that share its address, from 1 on; 0 where it has it for itself.
    `ordermesh serve --workers` sets it."""

    drain_seconds: float = 0.0
    """ORDERMESH_GATEWAY_DRAIN_SECONDS: how long it still serves once /readyz says that it stops."""

    sandbox_url: str = ""
    """GATEWAY_SANDBOX_URL: where the sandbox plays the providers, for browsers: the console links its pages, and /shop
    is a demo shop, if requests without credentials are taken. Empty for neither; `ordermesh up` sets it."""

    limits: Limits = field(default_factory=Limits)
    """How much it takes on at most."""

    auth: AuthSettings = field(default_factory=AuthSettings)
    transport: TransportSettings = field(default_factory=TransportSettings)
    https: HttpsSettings = field(default_factory=HttpsSettings)

    @property
    def has_shop(self) -> bool:
        """Whether the demo shop is served: its pages have no credentials to send, so they must not need any."""
        return bool(self.sandbox_url) and not self.auth.required

    @classmethod
    def from_env(
        cls,
        variables: Mapping[str, str] = os.environ,  # noqa: TID251  (this module is where the environment is met)
    ) -> "GatewayConfig":
        """Return the configuration that the variables describe.

        Raises:
            ConfigError: Some are wrong; it lists every one.
        """
        environment = Environment(variables)
        services = {
            "ORDER_ADDR": environment.address("ORDER_ADDR", "127.0.0.1:50051"),
            "TAX_ADDR": environment.address("TAX_ADDR", "127.0.0.1:50052"),
            "PAYMENT_ADDR": environment.address("PAYMENT_ADDR", "127.0.0.1:50053"),
            "NOTIFY_ADDR": environment.address("NOTIFY_ADDR", "127.0.0.1:50054"),
        }
        address = environment.address("ORDERMESH_GATEWAY_ADDR", "127.0.0.1:8080")
        data_dir = environment.path("ORDERMESH_DATA_DIR", "./.ordermesh")
        transport = TransportSettings.read(environment, "gateway", calls=services)
        config = cls(
            address=address,
            worker=environment.worker(),
            backends={variable.removesuffix("_ADDR").lower(): where for variable, where in services.items()},
            otlp_endpoint=environment.url("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            metrics_address=environment.address("ORDERMESH_METRICS_ADDR", ""),
            data_dir=data_dir,
            sandbox_url=environment.url("GATEWAY_SANDBOX_URL", "").rstrip("/"),
            auth=AuthSettings.read(environment, address, data_dir),
            # On a machine of its own nobody asks /readyz; behind a balancer it is longer than the balancer takes to
            # ask and act: 10 on Kubernetes.
            drain_seconds=environment.seconds("ORDERMESH_GATEWAY_DRAIN_SECONDS", "0", low="0", high="300"),
            transport=transport,
            https=HttpsSettings.read(environment, address, transport.security),
            limits=environment.limits(),
        )
        if "://" in config.address or config.address.startswith("unix:"):
            environment.complain("ORDERMESH_GATEWAY_ADDR", f"{config.address!r} is not host:port")
        environment.check()
        return config
