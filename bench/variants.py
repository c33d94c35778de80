"""The variants that are compared, and how each is started.

product: the four services as they ship: durable, validated, traced, real provider calls.
watched: the product and its gateway, whose console is open half of the time: bench/console.py.
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

_NONE: Mapping[str, str] = MappingProxyType({})
_NONE_OWN: Mapping[str, Mapping[str, str]] = MappingProxyType({})

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
    folder: Path,
    sandbox: str,
    name: str = "product",
    settings: Mapping[str, str] = _NONE,
    own: Mapping[str, Mapping[str, str]] = _NONE_OWN,
) -> Variant:
    """Start the four services, each in its own process.

    Args:
        folder: For databases and logs.
        sandbox: Where the providers are.
        name: What the figures are called.
        settings: Further variables of the environment of each.
        own: Further variables of some, by part.
    """
    addresses = {part: f"127.0.0.1:{free_port()}" for part in _PARTS}
    environment = {
        **{f"{part.upper()}_ADDR": address for part, address in addresses.items()},
        "SANDBOX_ADDR": sandbox,
        "ORDERMESH_DATA_DIR": str(folder),
        **_NOTHING_REMEMBERED,
        **settings,
    }
    return _variant(name, addresses, {part: ["-m", f"{part}_svc"] for part in _PARTS}, environment, folder, own)


def start_watched(folder: Path, sandbox: str) -> tuple[Variant, str, list[str]]:
    """Start the four services and the gateway, and return them with its address and where each has its metrics."""
    metrics = {part: f"127.0.0.1:{free_port()}" for part in (*_PARTS, "gateway")}
    own = {part: {"ORDERMESH_METRICS_ADDR": address} for part, address in metrics.items()}
    variant = start_product(folder, sandbox, "watched", own=own)
    gateway = f"127.0.0.1:{free_port()}"
    environment = {
        **{f"{process.name.upper()}_ADDR": process.address for process in variant.processes},
        "ORDERMESH_GATEWAY_ADDR": gateway,
        "ORDERMESH_DATA_DIR": str(folder),
        **own["gateway"],
    }
    variant.processes.append(start("gateway", gateway, ["-m", "gateway"], environment, folder))
    variant.processes[-1].wait_until_listening()
    return variant, gateway, list(metrics.values())


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
    name: str,
    addresses: dict[str, str],
    commands: dict[str, list[str]],
    environment: dict[str, str],
    folder: Path,
    own: Mapping[str, Mapping[str, str]] = _NONE_OWN,
) -> Variant:
    variant = Variant(name, addresses["order"])
    for part in _PARTS:
        whole = {**environment, **own.get(part, {})}
        variant.processes.append(start(part, addresses[part], commands[part], whole, folder))
    for process in variant.processes:
        process.wait_until_listening()
    return variant
