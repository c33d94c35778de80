"""The settings of the payment service: the only module of it that meets the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from chassis.access.settings import AccessSettings
from chassis.config import Environment, Secret
from chassis.limits import Limits
from chassis.trust.settings import TransportSettings

_SANDBOX_KEY = "sk_test_sandbox"
_SANDBOX_WEBHOOK_SECRET = "whsec_sandbox_ordermesh"  # noqa: S105  (a published default for local use; it guards nothing)

# Secret and restricted keys that move real money.
_LIVE_PREFIXES = ("sk_live_", "rk_live_")


@dataclass(frozen=True, slots=True)
class PaymentConfig:
    """What the payment service needs to know."""

    address: str
    """PAYMENT_ADDR: where it listens, host:port."""

    worker: int
    """ORDERMESH_WORKER: which of the processes this is that share its address, from 1 on; 0 where it has it for itself.
    `ordermesh serve --workers` sets it."""

    transport: TransportSettings
    """How it is reached, and by whom."""

    database_url: Secret
    """PAYMENT_DATABASE_URL: where the payment service's tables are; else ORDERMESH_DATABASE_URL, else SQLite in
    ORDERMESH_DATA_DIR."""

    data_dir: Path
    """ORDERMESH_DATA_DIR: where SQLite files and the span store lie."""

    access: AccessSettings
    """Whose word on callers counts, and what certificates of other teams may do."""

    otlp_endpoint: str
    """OTEL_EXPORTER_OTLP_ENDPOINT: the collector; empty exports nothing."""

    metrics_address: str
    """ORDERMESH_METRICS_ADDR: where Prometheus reads /metrics; empty for nowhere."""

    limits: Limits
    """How much it takes on at most."""

    stripe_api_key: Secret
    """STRIPE_API_KEY: a secret or restricted key; the default is the sandbox's."""

    stripe_api_base: str
    """STRIPE_API_BASE: https://api.stripe.com for the real one; else the sandbox at SANDBOX_ADDR."""

    stripe_webhook_secrets: tuple[Secret, ...]
    """STRIPE_WEBHOOK_SECRET: the signing secret of the webhook endpoint at Stripe; several, separated by commas, while
    one is rolled."""

    settle_after: timedelta
    """PAYMENT_SETTLE_SECONDS: how old an open attempt, refund or event is before a worker sees to it unasked."""

    resume_seconds: float
    """PAYMENT_RESUME_SECONDS: how often a worker looks for open attempts, refunds and events to see to."""

    @property
    def live(self) -> bool:
        """Whether the key moves real money."""
        return self.stripe_api_key.reveal().startswith(_LIVE_PREFIXES)

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            ConfigError: Something is wrong; every complaint is listed.
        """
        environment = Environment(values)
        data_dir = environment.path("ORDERMESH_DATA_DIR", "./.ordermesh")
        sandbox = f"http://{environment.address('SANDBOX_ADDR', '127.0.0.1:8090')}/stripe"
        shared = environment.text("ORDERMESH_DATABASE_URL", f"sqlite:///{data_dir / 'payment.db'}")
        secrets = environment.text("STRIPE_WEBHOOK_SECRET", _SANDBOX_WEBHOOK_SECRET).split(",")
        address = environment.address("PAYMENT_ADDR", "127.0.0.1:50053")
        config = cls(
            address=address,
            worker=environment.worker(),
            transport=TransportSettings.read(environment, "payment", listens={"PAYMENT_ADDR": address}),
            database_url=environment.secret("PAYMENT_DATABASE_URL", shared),
            data_dir=data_dir,
            access=AccessSettings.read(environment, data_dir),
            otlp_endpoint=environment.url("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            metrics_address=environment.address("ORDERMESH_METRICS_ADDR", ""),
            limits=environment.limits(),
            stripe_api_key=environment.secret("STRIPE_API_KEY", _SANDBOX_KEY),
            stripe_api_base=environment.url("STRIPE_API_BASE", sandbox),
            stripe_webhook_secrets=tuple(Secret(each.strip()) for each in secrets if each.strip()),
            settle_after=timedelta(seconds=environment.seconds("PAYMENT_SETTLE_SECONDS", "30")),
            resume_seconds=environment.seconds("PAYMENT_RESUME_SECONDS", "5"),
        )
        config._check_stripe(environment, sandbox)
        environment.check()
        return config

    def _check_stripe(self, environment: Environment, sandbox: str) -> None:
        """Keep real money from an address that is not Stripe's, and Stripe from credentials that are made up."""
        is_sandbox = self.stripe_api_base == sandbox
        key = self.stripe_api_key.reveal()
        webhook_secrets = [secret.reveal() for secret in self.stripe_webhook_secrets]
        if not key.isascii() or not key.isprintable() or " " in key:
            environment.complain("STRIPE_API_KEY", "has characters that no key has")
        if self.live and (is_sandbox or urlsplit(self.stripe_api_base).scheme != "https"):
            environment.complain(
                "STRIPE_API_KEY", "is a live key, but STRIPE_API_BASE is a sandbox's; set https://api.stripe.com"
            )
        if not is_sandbox and key == _SANDBOX_KEY:
            environment.complain("STRIPE_API_BASE", "is set, but STRIPE_API_KEY is not; set both or none")
        if not webhook_secrets:
            environment.complain("STRIPE_WEBHOOK_SECRET", "holds no secret")
        if self.live and _SANDBOX_WEBHOOK_SECRET in webhook_secrets:
            environment.complain("STRIPE_WEBHOOK_SECRET", "must be your own with a live key")
