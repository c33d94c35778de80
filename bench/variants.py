"""The variants that are compared, and how each is started.

product: the four services as they ship: durable, validated, traced, real provider calls.
secured: the product with mutual TLS between all of them; with --tls alone.
mesh:    the same without the provider calls: bench/instant.py.
floor:   the same hops and provider calls with nothing around them: bench/floor.py.
stock:   four hops with empty handlers on grpc.aio's and asyncio's stock settings: bench/stock.py.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bench.topology import Process, Variant, free_port, start
from chassis.access.settings import OPERATOR
from chassis.trust.authority import Authority
from chassis.trust.settings import Security, TransportSettings
from chassis.trust.transport import Transport
from kernel.clock import SystemClock

_PARTS = ("tax", "payment", "notify", "order")

# Every order of the bench buys the same: a tax that is remembered would leave out a call that the floor makes.
_NOTHING_REMEMBERED = {"TAX_QUOTE_CACHE_SECONDS": "0"}


def start_sandbox(folder: Path) -> tuple[Process, str]:
    """Start a sandbox and return it with its address; its webhooks go nowhere, nobody here listens."""
    address = f"127.0.0.1:{free_port()}"
    environment = {
        "SANDBOX_ADDR": address,
        "ORDERMESH_DATA_DIR": str(folder),
        "SANDBOX_STRIPE_WEBHOOK_URL": "",
        "SANDBOX_SENDGRID_WEBHOOK_URL": "",
    }
    return start("sandbox", address, ["-m", "sandbox"], environment, folder), address


def start_product(
    folder: Path, sandbox: str, name: str = "product", settings: Mapping[str, str] = MappingProxyType({})
) -> Variant:
    """Start the four services, each in its own process."""
    addresses = {part: f"127.0.0.1:{free_port()}" for part in _PARTS}
    environment = {
        **{f"{part.upper()}_ADDR": address for part, address in addresses.items()},
        "SANDBOX_ADDR": sandbox,
        "ORDERMESH_DATA_DIR": str(folder),
        **_NOTHING_REMEMBERED,
        **settings,
    }
    return _variant(name, addresses, {part: ["-m", f"{part}_svc"] for part in _PARTS}, environment, folder)


def certified(folder: Path) -> TransportSettings:
    """Write a certificate for each part into the folder, and return how the load calls them: as the operator."""
    now = SystemClock().now()
    settings = TransportSettings(OPERATOR, Security.TLS, folder)
    authority = Authority.create(settings.trust_domain, now)
    for part in (*_PARTS, OPERATOR):
        authority.issue_for(part, settings.trust_domain, now).write(folder / part)
    return settings


def start_secured(folder: Path, sandbox: str) -> Variant:
    """Start the four services with mutual TLS between them."""
    settings = certified(folder / "tls")
    variant = start_product(folder, sandbox, "secured", {"ORDERMESH_TLS_DIR": str(settings.tls_dir)})
    variant.connect = Transport(settings).to("order")
    return variant


def start_mesh(folder: Path) -> Variant:
    """Start the four services on providers that answer at once."""
    addresses = {part: f"127.0.0.1:{free_port()}" for part in _PARTS}
    environment = {
        **{f"{part.upper()}_ADDR": address for part, address in addresses.items()},
        "ORDERMESH_DATA_DIR": str(folder),
        **_NOTHING_REMEMBERED,
    }
    commands = {part: ["-m", "bench.instant", part] for part in ("tax", "payment", "notify")}
    return _variant("mesh", addresses, {**commands, "order": ["-m", "order_svc"]}, environment, folder)


def start_floor(folder: Path, sandbox: str) -> Variant:
    """Start the floor, each hop in its own process, on the product's process settings."""
    addresses = {part: f"127.0.0.1:{free_port()}" for part in _PARTS}
    environment = {
        **{f"{part.upper()}_ADDR": address for part, address in addresses.items()},
        "SANDBOX_ADDR": sandbox,
        "ORDERMESH_DATA_DIR": str(folder),
    }
    return _variant("floor", addresses, {part: ["-m", "bench.floor", part] for part in _PARTS}, environment, folder)


def start_stock(folder: Path) -> Variant:
    """Start the empty hops, each in its own process, on stock settings."""
    addresses = {part: f"127.0.0.1:{free_port()}" for part in _PARTS}
    environment = {
        **{f"{part.upper()}_ADDR": address for part, address in addresses.items()},
        "ORDERMESH_PROCESS_TUNING": "off",
    }
    return _variant("stock", addresses, {part: ["-m", "bench.stock", part] for part in _PARTS}, environment, folder)


def _variant(
    name: str, addresses: dict[str, str], commands: dict[str, list[str]], environment: dict[str, str], folder: Path
) -> Variant:
    variant = Variant(name, addresses["order"])
    for part in _PARTS:
        variant.processes.append(start(part, addresses[part], commands[part], environment, folder))
    for process in variant.processes:
        process.wait_until_listening()
    return variant
