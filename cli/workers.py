"""`ordermesh serve NAME --workers N`: one part in several processes, each with an event loop, and a core, of its own.

Two ways to be found. On one address they share the port, and the kernel gives each of them some of the connections: for
a gateway, or a service that many processes call. On a list of addresses each has one: clients then take turns among
them, and leave out one that stands still, as they do with replicas on several machines.
"""

import chassis.process  # isort: skip  (settings that grpc reads when it is imported)

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Self

import click

from chassis import logs
from chassis.config import ConfigError
from chassis.supervisor import Supervisor
from cli import mesh
from cli.failures import Failure
from cli.part import Part
from cli.progress import progress
from kernel.clock import SystemClock

_LIST = "ipv4:///"

# What a process tells the world beside its part, each at a port of its own: those that follow the first one's.
_OWN_PORTS = ("ORDERMESH_METRICS_ADDR",)


class Worker:
    """A process that runs one part until its standard input closes: also when its supervisor was killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, name: str, environments: Mapping[int, Mapping[str, str]], number: int) -> "Worker":
        """Start the process with this number."""
        return cls(
            await asyncio.create_subprocess_exec(
                # -P: what lies in the current folder is no part of ours.
                *(sys.executable, "-P", "-m", "cli", "serve", name, "--until-input-closes"),
                env=environments[number],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # A terminal's Ctrl-C reaches the supervisor alone, which then ends them in good order.
                start_new_session=True,
            )
        )

    async def ready(self) -> bool:
        """Return True once it has said where it listens, False once it has ended without."""
        assert self._process.stdout is not None, "it was started with a pipe"
        return bool(await self._process.stdout.readline())

    async def ended(self) -> int:
        """Return its exit code once it has ended."""
        return await self._process.wait()

    def stop(self) -> None:
        """Close its input."""
        assert self._process.stdin is not None, "it was started with a pipe"
        self._process.stdin.close()

    def kill(self) -> None:
        """Send it SIGKILL, if it lives."""
        if self._process.returncode is None:
            self._process.kill()


def supervise(part: Part, count: int, values: Mapping[str, str]) -> None:
    """Run a part in so many processes until SIGTERM or SIGINT; a second one ends them at once.

    Raises:
        Failure: The part cannot have several processes, or nobody can listen there; nothing was started.
        SystemExit: The processes could not go on; they have said why.
    """
    refuse_alone(part)
    logs.configure(part.name)
    with ExitStack() as held, ExitStack() as until_ready:
        shown, told = environments(part, count, values, held)
        start = partial(Worker.start, part.name, told)
        until_ready.enter_context(progress())(f"starting {part.name} in {count} processes")

        def ready() -> None:
            until_ready.close()
            click.echo(f"{part.name} listens on {shown}, in {count} processes")

        code = chassis.process.run(_run(Supervisor(start, count, SystemClock(), ready)))
    if code:
        raise SystemExit(code)


def refuse_alone(part: Part) -> None:
    """Refuse several processes to a part that keeps something to itself.

    Raises:
        Failure: It does.
    """
    if part.name == "sandbox":
        raise Failure("The sandbox keeps what Stripe, AvaTax and SendGrid know in one process: leave out --workers.")
    if part.held is not None and part.held.url.startswith("sqlite"):
        raise Failure(
            f"{part.name} keeps its tables in {part.held.shown()}, which one process has open at a time.\n"
            f"Set {part.name.upper()}_DATABASE_URL or ORDERMESH_DATABASE_URL to PostgreSQL, or leave out --workers."
        )


def environments(
    part: Part, count: int, values: Mapping[str, str], held: ExitStack
) -> tuple[str, dict[int, dict[str, str]]]:
    """Return where the part is found, and what each of its processes is told."""
    numbers = range(1, count + 1)
    own = {name: values[name] for name in _OWN_PORTS if values.get(name)}
    if not part.address.startswith(_LIST):
        shown = held.enter_context(_Claim(part)).address
        told = {number: {part.variable: shown, "ORDERMESH_WORKER": str(number)} for number in numbers}
    else:
        shown, addresses = part.address, part.address.removeprefix(_LIST).split(",")
        if len(addresses) != count:
            raise Failure(f"{part.variable} lists {len(addresses)} addresses for {count} processes; each needs one.")
        told = {number: {part.variable: address} for number, address in enumerate(addresses, 1)}
        health = f"{part.name.upper()}_HEALTH_ADDR"
        own |= {health: values[health]} if values.get(health) else {}
    return shown, {
        number: {**values, **{name: following(name, first, number) for name, first in own.items()}, **told[number]}
        for number in numbers
    }


def following(variable: str, first: str, number: int) -> str:
    """Return the address of the process with this number, given the first one's: the port beside the last one.

    Raises:
        ConfigError: There is no such port.
    """
    host, _, port = first.rpartition(":")
    if not port.isdigit() or not 0 < int(port) <= 65_536 - number:
        raise ConfigError(f"{variable}: {first!r} is not host:port with {number - 1} free ports behind it")
    return f"{host}:{int(port) + number - 1}"


class _Claim:
    """An address that only processes of ours may listen on: with a shared port alone anybody's of our user could.

    The socket never listens, and gets no connections. It is bound as one that shares with nobody, so that it fails
    where somebody has the address, and becomes one that shares only then.
    """

    def __init__(self, part: Part) -> None:
        self._host, _, port = part.address.rpartition(":")
        try:
            self._socket = _bound(self._host.strip("[]"), int(port))
        except (OSError, ValueError) as error:
            raise Failure(
                f"{part.name} cannot listen on {part.address}: {mesh.refusal(error)}.\n"
                f"Set {part.variable} to a free host:port, or to a list of one for each process: "
                f"{_LIST}127.0.0.1:50051,127.0.0.1:50061."
            ) from None

    @property
    def address(self) -> str:
        """Return the address with the port that was bound."""
        return f"{self._host}:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _bound(host: str, port: int) -> socket.socket:
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family)
    try:
        # What a process before us left in TIME_WAIT keeps nobody from the port.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
    except OSError:
        bound.close()
        raise
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return bound


async def _run(supervisor: Supervisor) -> int:
    """Run the supervisor until it is done; the first signal stops it, the second one ends it at once."""
    loop = asyncio.get_running_loop()
    stop, at_once = asyncio.Event(), asyncio.Event()

    def heed() -> None:
        (at_once if stop.is_set() else stop).set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, heed)
    return await supervisor.run(stop, at_once)


async def input_closed() -> None:
    """Return once standard input has been closed at its other end."""
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()
    reading = sys.stdin.fileno()

    def look() -> None:
        if not os.read(reading, 1):
            closed.set()

    loop.add_reader(reading, look)
    try:
        await closed.wait()
    finally:
        loop.remove_reader(reading)
