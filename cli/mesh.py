"""The mesh, put together: which parts there are, in which order they start, and how they run in one process."""

import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from chassis.config import ConfigError
from chassis.service import until_stopped
from chassis.telemetry.setup import Telemetry
from cli.part import Part
from cli.progress import Told as Shown
from cli.progress import progress, silent

if TYPE_CHECKING:
    from cli.database import Database

# Each part finds those that it calls running already; they stop in reverse.
NAMES = ("sandbox", "tax", "payment", "notify", "order", "gateway")

# What is shown meanwhile: it takes three seconds for all of them on an idle machine.
_LOADING = "reading code and settings"

Ready = Callable[[Mapping[str, str]], None]
"""Told once that all parts run, with the address of each by its name."""

Told = Callable[[], Awaitable[object]]
"""Returns once the parts have to stop, though no signal has said so."""


class CannotStart(Exception):
    """A part could not be started; the message says which, why and what to do."""


def load(name: str, values: Mapping[str, str]) -> Part:
    """Return one part, set up from the environment; imports no other.

    Raises:
        ConfigError: Some of it is wrong.
    """
    part: Part = import_module(f"cli.parts.{name}").part(values)
    return part


def loaded(names: Sequence[str], values: Mapping[str, str]) -> list[Part]:
    """Return some parts, each as `load` does; shows which is being read, as all of their code takes seconds.

    Raises:
        ConfigError: Some of it is wrong.
    """
    parts: list[Part] = []
    with progress() as told:
        for name in names:
            told(_LOADING, len(parts), len(names))
            parts.append(load(name, values))
    return parts


def whole(values: Mapping[str, str]) -> list[Part]:
    """Return all parts in the order in which they start; without the sandbox when nobody calls it.

    Raises:
        ConfigError: Some of the environment is wrong; lists the complaints of all parts together.
    """
    parts: list[Part] = []
    complaints: dict[str, None] = {}
    with progress() as told:
        for place, name in enumerate(NAMES):
            told(_LOADING, place, len(NAMES))
            try:
                parts.append(load(name, with_sandbox(values, parts) if name == "gateway" else values))
            except ConfigError as error:
                complaints.update(dict.fromkeys(str(error).splitlines()))
    for part in parts:
        if part.address.endswith(":0"):
            complaints[f"  {part.variable}: the others must know the port; 0 leaves it open"] = None
    if complaints:
        raise ConfigError("\n".join(complaints))
    sandbox, *others = parts
    return parts if any(_calls(part, sandbox) for part in others) else others


def with_sandbox(values: Mapping[str, str], parts: Sequence[Part]) -> Mapping[str, str]:
    """Return the environment of a gateway beside these parts: it shows the sandbox where that plays Stripe.

    Where Stripe is real, neither the demo shop's cards nor its 3-D Secure page would be.
    """
    by_name = {part.name: part for part in parts}
    sandbox, payment = by_name.get("sandbox"), by_name.get("payment")
    if sandbox is None or payment is None or not _calls(payment, sandbox):
        return values
    return {"GATEWAY_SANDBOX_URL": f"http://{sandbox.address}", **values}


def _calls(part: Part, sandbox: Part) -> bool:
    return part.provider_url.startswith(f"http://{sandbox.address}/")


async def run(
    parts: Sequence[Part], telemetry: Telemetry, ready: Ready, told: Told | None = None, *, shown: Shown = silent
) -> None:
    """Start the parts in order, tell that they are ready, wait for SIGTERM or SIGINT, stop them in reverse order.

    Args:
        parts: In the order in which they start.
        telemetry: What they record with.
        ready: Told where they listen.
        told: Waits for whatever else tells them to stop.
        shown: Told which of them starts.

    Raises:
        CannotStart: One of them could not; those before it have stopped again.
    """
    bound: dict[str, str] = {}

    def starting(part: Part) -> None:
        shown(f"starting {part.name}", len(bound), len(parts))

    started = [_started(part, telemetry.for_service(part.name), bound, starting) for part in parts]
    await until_stopped(*started, _announced(ready, bound), told=told)


@asynccontextmanager
async def _started(
    part: Part, telemetry: Telemetry, bound: dict[str, str], starting: Callable[[Part], None]
) -> AsyncIterator[str]:
    starting(part)
    async with AsyncExitStack() as stack:
        try:
            bound[part.name] = await stack.enter_async_context(part.run(telemetry))
        except part.mistakes as error:
            refused = _refused_address(part.address)
            if refused is None:
                raise CannotStart(f"{part.name} cannot start: {why(part.name, part.held, error)}") from error
            raise CannotStart(
                f"{part.name} cannot listen on {part.address}: {refused}.\n"
                f"Set {part.variable} to a free host:port, or stop what listens there (another `ordermesh up`?)."
            ) from error
        yield bound[part.name]


@asynccontextmanager
async def _announced(ready: Ready, bound: Mapping[str, str]) -> AsyncIterator[str]:
    ready(bound)
    yield ""


def why(name: str, database: "Database | None", error: Exception) -> str:
    """Return what kept a part from its work, and where its tables are, which is what it is about as a rule."""
    if database is None:
        return str(error)
    return (
        f"{error}\nIts tables are in {database.shown()}; "
        f"{name.upper()}_DATABASE_URL or ORDERMESH_DATABASE_URL says where."
    )


def _refused_address(address: str) -> str | None:
    """Return why nobody can listen on the address now; None when one can."""
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return None
    try:
        candidates: Iterable[tuple[int, tuple[object, ...]]] = [
            (family, where)
            for family, _, _, _, where in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        ]
        for family, where in candidates:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(where)
    except OSError as error:
        return refusal(error)
    return None


def refusal(error: Exception) -> str:
    """Return why an address could not be listened on, in words."""
    if not isinstance(error, OSError):
        return str(error)
    return "another process has the port" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
