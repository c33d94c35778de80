"""What the command can be told from outside; the only module of it that meets the environment."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from chassis.access.settings import OPERATOR
from chassis.config import Environment, Secret
from chassis.trust.settings import TransportSettings, is_on_this_machine

# Who listens on every address is called on loopback.
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  (recognised here, not listened on)


def environment() -> Mapping[str, str]:
    """Return the environment, to be handed to the config of each part."""
    return os.environ  # noqa: TID251  (this is the config module)


@dataclass(frozen=True, slots=True)
class CliConfig:
    """Where the command finds a running mesh, and its own data."""

    order_address: str
    """ORDER_ADDR: where order_svc is called."""

    tax_address: str
    """TAX_ADDR: where tax_svc is called."""

    payment_address: str
    """PAYMENT_ADDR: where payment_svc is called."""

    notify_address: str
    """NOTIFY_ADDR: where notify_svc is called."""

    gateway_url: str
    """ORDERMESH_GATEWAY_URL: where the command calls a gateway elsewhere, "https://shop.example"; else it is called at
    ORDERMESH_GATEWAY_ADDR."""

    gateway_tls_dir: Path | None
    """Where the gateway's certificate lies, if it speaks HTTPS: GATEWAY_TLS_DIR."""

    caller_keys: Path | None
    """Where `ordermesh keys signing` adds a public key, if not beside the private one: ORDERMESH_CALLER_KEYS."""

    sandbox_url: str
    """SANDBOX_ADDR: where the sandbox listens, host:port, and where the services find it."""

    data_dir: Path
    """ORDERMESH_DATA_DIR: where SQLite files and the span store lie."""

    otlp_endpoint: str
    """OTEL_EXPORTER_OTLP_ENDPOINT: the collector; empty exports nothing."""

    metrics_address: str
    """ORDERMESH_METRICS_ADDR: where Prometheus reads /metrics; empty for nowhere."""

    transport: TransportSettings
    """How the services are called: as "operator"."""

    api_key: Secret
    """ORDERMESH_API_KEY: an API key, or a token; with it the command calls no service, but the gateway for them."""

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            ConfigError: Lists everything that is wrong.
        """
        env = Environment(values)
        services = {
            "ORDER_ADDR": _reachable(env.address("ORDER_ADDR", "127.0.0.1:50051")),
            "TAX_ADDR": _reachable(env.address("TAX_ADDR", "127.0.0.1:50052")),
            "PAYMENT_ADDR": _reachable(env.address("PAYMENT_ADDR", "127.0.0.1:50053")),
            "NOTIFY_ADDR": _reachable(env.address("NOTIFY_ADDR", "127.0.0.1:50054")),
        }
        scheme = "https" if env.text("GATEWAY_TLS_DIR", "") else "http"
        here = f"{scheme}://{_reachable(env.address('ORDERMESH_GATEWAY_ADDR', '127.0.0.1:8080'))}"
        elsewhere = env.url("ORDERMESH_GATEWAY_URL", "")
        config = cls(
            order_address=services["ORDER_ADDR"],
            tax_address=services["TAX_ADDR"],
            payment_address=services["PAYMENT_ADDR"],
            notify_address=services["NOTIFY_ADDR"],
            gateway_url=elsewhere or here,
            # Elsewhere it shows another one, or its proxy does.
            gateway_tls_dir=env.path("GATEWAY_TLS_DIR", "") if scheme == "https" and not elsewhere else None,
            caller_keys=env.path("ORDERMESH_CALLER_KEYS", "") if env.text("ORDERMESH_CALLER_KEYS", "") else None,
            sandbox_url=f"http://{_reachable(env.address('SANDBOX_ADDR', '127.0.0.1:8090'))}",
            data_dir=env.path("ORDERMESH_DATA_DIR", "./.ordermesh"),
            otlp_endpoint=env.url("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            metrics_address=env.address("ORDERMESH_METRICS_ADDR", ""),
            # Where a part is served there is its own certificate and no operator's: it is looked for when it is needed.
            transport=TransportSettings.read(env, OPERATOR, calls=services, with_certificate=False),
            api_key=env.secret("ORDERMESH_API_KEY"),
        )
        for name, complaint in config._complaints():
            env.complain(name, complaint)
        env.check()
        return config

    def _complaints(self) -> Iterable[tuple[str, str]]:
        key, parts = self.api_key.reveal(), urlsplit(self.gateway_url)
        if not (key.isascii() and key.isprintable()) or " " in key:
            yield "ORDERMESH_API_KEY", "is written like no key and no token"
        if key and parts.scheme != "https" and not is_on_this_machine(f"{parts.hostname}:{parts.port or 80}"):
            yield "ORDERMESH_GATEWAY_URL", "is not https: whoever is on the way could read the key"


def _reachable(address: str) -> str:
    host, colon, port = address.rpartition(":")
    return f"{_EVERY_ADDRESS.get(host, host)}{colon}{port}"
