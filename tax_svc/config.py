"""The settings of the tax service: the only module of it that meets the environment."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Self

from chassis.access.settings import AccessSettings
from chassis.config import Environment, Secret
from chassis.limits import Limits
from chassis.trust.settings import TransportSettings
from kernel.address import Address
from tax_svc.domain.fallback import EVERYWHERE

_SANDBOX_ACCOUNT = "2000000000"
_SANDBOX_KEY = "sandbox"
_WORDS = frozenset({"allow", "refuse"})
_REGION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class TaxConfig:
    """What the tax service needs to know."""

    address: str
    """TAX_ADDR: where it listens, host:port."""

    worker: int
    """ORDERMESH_WORKER: which of the processes this is that share its address, from 1 on; 0 where it has it for itself.
    `ordermesh serve --workers` sets it."""

    transport: TransportSettings
    """How it is reached, and by whom."""

    database_url: Secret
    """TAX_DATABASE_URL: where the tax service's tables are; else ORDERMESH_DATABASE_URL, else SQLite in
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

    avatax_url: str
    """AVATAX_BASE_URL: https://rest.avatax.com for the real one; else the sandbox at SANDBOX_ADDR."""

    avatax_account_id: str
    """AVATAX_ACCOUNT_ID: the account at AvaTax, the user name of each call."""

    avatax_license_key: Secret
    """AVATAX_LICENSE_KEY: the account's key, the password of each call; the default is the sandbox's."""

    avatax_company_code: str
    """AVATAX_COMPANY_CODE: the company that sells, as AvaTax calls it."""

    ship_from: Address | None
    """TAX_SHIP_FROM_LINE1: street and number of the place that goods leave from.

    TAX_SHIP_FROM_LOCALITY: the city that goods leave from.

    TAX_SHIP_FROM_ADMINISTRATIVE_AREA: the state or province that goods leave from, such as CA.

    TAX_SHIP_FROM_POSTAL_CODE: the postal code of the place that goods leave from.

    TAX_SHIP_FROM_REGION_CODE: the country that goods leave from, US or DE. Without it every sale counts as made where
    the goods go, and the rest of the place is not read."""

    fallback_rate: Decimal
    """TAX_FALLBACK_RATE: the rate while AvaTax is away, 0.08 for 8 %."""

    fallback_rates: Mapping[str, Decimal]
    """TAX_FALLBACK_RATES: the rate while AvaTax is away by country, or by country and state, "DE=0.19,US-CA=0.0725";
    the narrowest wins, before TAX_FALLBACK_RATE."""

    fallback_policy: Mapping[str, bool]
    """TAX_FALLBACK_POLICY: where orders are taken at a fallback rate while AvaTax is away, "US-NY=refuse,*=allow"; the
    narrowest wins, and where nothing is said they are."""

    quote_cache_seconds: float
    """TAX_QUOTE_CACHE_SECONDS: how long AvaTax's answer for the same basis is good for; 0 asks each time."""

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> Self:
        """Read the settings.

        Raises:
            ConfigError: Something is wrong; every complaint is listed.
        """
        environment = Environment(values)
        data_dir = environment.path("ORDERMESH_DATA_DIR", "./.ordermesh")
        sandbox = environment.address("SANDBOX_ADDR", "127.0.0.1:8090")
        shared = environment.text("ORDERMESH_DATABASE_URL", f"sqlite:///{data_dir / 'tax.db'}")
        address = environment.address("TAX_ADDR", "127.0.0.1:50052")
        config = cls(
            address=address,
            worker=environment.worker(),
            transport=TransportSettings.read(environment, "tax", listens={"TAX_ADDR": address}),
            database_url=environment.secret("TAX_DATABASE_URL", shared),
            data_dir=data_dir,
            access=AccessSettings.read(environment, data_dir),
            otlp_endpoint=environment.url("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
            metrics_address=environment.address("ORDERMESH_METRICS_ADDR", ""),
            limits=environment.limits(),
            avatax_url=environment.url("AVATAX_BASE_URL", f"http://{sandbox}/avatax"),
            avatax_account_id=environment.text("AVATAX_ACCOUNT_ID", _SANDBOX_ACCOUNT),
            avatax_license_key=environment.secret("AVATAX_LICENSE_KEY", _SANDBOX_KEY),
            avatax_company_code=environment.text("AVATAX_COMPANY_CODE", "DEFAULT"),
            ship_from=_ship_from(environment),
            fallback_rate=environment.decimal("TAX_FALLBACK_RATE", "0.08", low="0", high="1"),
            fallback_rates=_rates(environment),
            fallback_policy=_policy(environment),
            quote_cache_seconds=environment.seconds("TAX_QUOTE_CACHE_SECONDS", "300", low="0", high="3600"),
        )
        config._check_credentials(environment, sandbox)
        environment.check()
        return config

    def _check_credentials(self, environment: Environment, sandbox: str) -> None:
        """Keep real credentials from an address that is not AvaTax's, and AvaTax from made-up ones."""
        is_sandbox = self.avatax_url.startswith(f"http://{sandbox}")
        has_key = self.avatax_license_key.reveal() != _SANDBOX_KEY
        if is_sandbox and has_key:
            environment.complain("AVATAX_LICENSE_KEY", "is set, but AVATAX_BASE_URL is the sandbox's; set both or none")
        if self.avatax_url.startswith("https://") and not has_key:
            environment.complain("AVATAX_BASE_URL", "is set, but AVATAX_LICENSE_KEY is not; set both or none")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,25}", self.avatax_company_code):
            environment.complain("AVATAX_COMPANY_CODE", "is not up to 25 letters, digits, dots, dashes and underscores")


def _ship_from(environment: Environment) -> Address | None:
    region_code = environment.text("TAX_SHIP_FROM_REGION_CODE", "")
    if not region_code:
        return None
    return Address(
        line1=environment.text("TAX_SHIP_FROM_LINE1", ""),
        line2="",
        locality=environment.text("TAX_SHIP_FROM_LOCALITY", ""),
        administrative_area=environment.text("TAX_SHIP_FROM_ADMINISTRATIVE_AREA", ""),
        postal_code=environment.text("TAX_SHIP_FROM_POSTAL_CODE", ""),
        region_code=region_code,
    )


def _rates(environment: Environment) -> dict[str, Decimal]:
    rates: dict[str, Decimal] = {}
    for entry, region, text in _regions(environment, "TAX_FALLBACK_RATES"):
        try:
            rate = Decimal(text)
        except InvalidOperation:
            rate = Decimal(-1)
        if not _REGION.fullmatch(region) or not rate.is_finite() or not 0 <= rate <= 1:
            environment.complain("TAX_FALLBACK_RATES", f"{entry!r} is not like DE=0.19 or US-CA=0.0725")
        rates[region] = rate
    return rates


def _policy(environment: Environment) -> dict[str, bool]:
    policy: dict[str, bool] = {}
    for entry, region, word in _regions(environment, "TAX_FALLBACK_POLICY"):
        if (region != EVERYWHERE and not _REGION.fullmatch(region)) or word not in _WORDS:
            environment.complain("TAX_FALLBACK_POLICY", f"{entry!r} is not like US-NY=refuse or *=allow")
        policy[region] = word == "allow"
    return policy


def _regions(environment: Environment, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield each entry, its region and what is said of it; complain where two things are."""
    seen = set()
    for entry in filter(None, environment.text(name, "").replace(" ", "").split(",")):
        region, _, value = entry.partition("=")
        if region in seen:
            environment.complain(name, f"says two things about {region!r}")
        seen.add(region)
        yield entry, region, value
