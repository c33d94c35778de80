"""What the order service can be told from outside."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chassis.access.settings import AccessSettings
from chassis.config import Environment, Secret
from chassis.limits import Limits
from chassis.trust.settings import TransportSettings
from order_svc.domain.velocity import Velocity
from order_svc.domain.webhook_reach import LOOPBACK, Network


@dataclass(frozen=True, slots=True)
class OrderConfig:
    """The order service's settings, all optional."""

    address: str
    """ORDER_ADDR: where the order service listens, host:port, and where the others find it."""

    worker: int
    """ORDERMESH_WORKER: which of the processes this is that share its address, from 1 on; 0 where it has it for itself.
    `ordermesh serve --workers` sets it."""

    transport: TransportSettings
    """How it is reached, and how it reaches the others."""

    database_url: Secret
    """ORDER_DATABASE_URL: where the order service's tables are, postgresql://user@host/name or sqlite:////file; else
    ORDERMESH_DATABASE_URL, else SQLite in ORDERMESH_DATA_DIR.

    ORDERMESH_DATABASE_URL: where parts keep their tables that are told no place of their own, as by ORDER_DATABASE_URL:
    postgresql://user@host/name. Else each has a file of SQLite in ORDERMESH_DATA_DIR."""

    data_dir: Path
    """ORDERMESH_DATA_DIR: where SQLite files and the span store lie."""

    access: AccessSettings
    """Whose word on callers counts, and what certificates of other teams may do."""

    tax_address: str
    """TAX_ADDR: where the tax service listens, and where the others find it."""

    payment_address: str
    """PAYMENT_ADDR: where the payment service listens, and where the others find it."""

    notify_address: str
    """NOTIFY_ADDR: where the notify service listens, and where the others find it."""

    otlp_endpoint: str
    """OTEL_EXPORTER_OTLP_ENDPOINT: the collector; empty exports nothing."""

    metrics_address: str
    """ORDERMESH_METRICS_ADDR: where Prometheus reads /metrics; empty for nowhere."""

    limits: Limits
    """How much it takes on at most."""

    patience_seconds: float
    """ORDER_PATIENCE_SECONDS: how long PlaceOrder waits for an order to settle before it answers PENDING."""

    lease_seconds: float
    """ORDER_LEASE_SECONDS: how long a replica's claim to an order lasts after each step; longer than any one step."""

    action_seconds: float
    """ORDER_PAYMENT_ACTION_SECONDS: how long a customer may take for 3-D Secure, or for another card."""

    velocity: Velocity
    """ORDER_ORDERS_PER_HOUR: how many orders one customer may place within an hour; 0 for any number.

    ORDER_DECLINES_PER_HOUR: how many cards of one customer, or of one e-mail address, may be declined within an hour
    before no more is tried; 0 for any number.

    ORDER_GUEST_DECLINES_PER_HOUR: how many cards of all guests of one caller together, honest ones among them, may be
    declined within an hour before no more is tried; 0 for any number."""

    webhook_networks: tuple[Network, ...]
    """ORDER_WEBHOOK_NETWORKS: private networks that webhooks may be posted to, separated by commas: 10.1.0.0/16. The
    default is this machine itself where ORDER_ADDR is on it, and none otherwise."""

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> "OrderConfig":
        """Read the settings.

        Raises:
            ConfigError: Lists everything that is wrong.
        """
        env = Environment(values)
        data_dir = env.path("ORDERMESH_DATA_DIR", "./.ordermesh")
        shared = env.text("ORDERMESH_DATABASE_URL", f"sqlite:///{data_dir / 'order.db'}")
        address = env.address("ORDER_ADDR", "127.0.0.1:50051")
        peers = {
            "TAX_ADDR": env.address("TAX_ADDR", "127.0.0.1:50052"),
            "PAYMENT_ADDR": env.address("PAYMENT_ADDR", "127.0.0.1:50053"),
            "NOTIFY_ADDR": env.address("NOTIFY_ADDR", "127.0.0.1:50054"),
        }
        config = cls(
            address=address,
            worker=env.worker(),
            transport=TransportSettings.read(env, "order", listens={"ORDER_ADDR": address}, calls=peers),
            database_url=env.secret("ORDER_DATABASE_URL", shared),
            data_dir=data_dir,
            access=AccessSettings.read(env, data_dir),
            tax_address=peers["TAX_ADDR"],
            payment_address=peers["PAYMENT_ADDR"],
            notify_address=peers["NOTIFY_ADDR"],
            otlp_endpoint=env.url("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            metrics_address=env.address("ORDERMESH_METRICS_ADDR", ""),
            limits=env.limits(),
            patience_seconds=env.seconds("ORDER_PATIENCE_SECONDS", "10"),
            # One charge may take 10 s; twice that and some leaves room for a slow commit.
            lease_seconds=env.seconds("ORDER_LEASE_SECONDS", "30", low="12"),
            action_seconds=env.seconds("ORDER_PAYMENT_ACTION_SECONDS", "1800"),
            velocity=Velocity(
                # A shop's wholesale customers, and a shop that orders under one id, place hundreds an hour.
                orders=_count(env, "ORDER_ORDERS_PER_HOUR", "0"),
                # A customer who mistypes or tries all of their cards has a few; whoever tries stolen ones, hundreds.
                declines=_count(env, "ORDER_DECLINES_PER_HOUR", "10"),
                # It shuts the door to honest guests as well, so that only a shop under attack may want it.
                guest_declines=_count(env, "ORDER_GUEST_DECLINES_PER_HOUR", "0"),
            ),
            webhook_networks=_networks(env, "ORDER_WEBHOOK_NETWORKS", _own_networks(address)),
        )
        env.check()
        return config


def _own_networks(address: str) -> tuple[Network, ...]:
    """Return what may be posted to by default: a service that others reach is no way to what is private to its host."""
    host = address.rpartition(":")[0].strip("[]")
    return LOOPBACK if address.startswith("unix:") or host in {"localhost", "127.0.0.1", "::1"} else ()


def _count(env: Environment, name: str, default: str) -> int:
    return int(env.decimal(name, default, low="0", high="1000000"))


def _networks(env: Environment, name: str, default: tuple[Network, ...]) -> tuple[Network, ...]:
    written = [each.strip() for each in env.text(name, "").split(",") if each.strip()]
    try:
        return tuple(ipaddress.ip_network(each) for each in written) or default
    except ValueError:
        env.complain(name, "is not a list of networks like 10.1.0.0/16,fd00::/8")
        return default
