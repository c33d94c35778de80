"""Ports for processes that are started later, and started again: nobody else gets one of them meanwhile."""

import random
import socket
from contextlib import ExitStack, suppress

_HOST = "127.0.0.1"

# Below what Linux, macOS and the registry of ports call ephemeral: systems give none of these to connections, or to
# whoever asks for any port.
_PORTS = range(15_000, 30_000)


def unused_ports(count: int) -> list[int]:
    """Return so many ports on which nothing listens."""
    # Not by the seed of a test, which others that run beside it have too.
    left = random.SystemRandom().sample(_PORTS, len(_PORTS))
    found: list[int] = []
    with ExitStack() as probes:
        while len(found) < count:
            port = left.pop()
            with suppress(OSError):
                probes.enter_context(socket.create_server((_HOST, port)))
                found.append(port)
    return found


def unused_addresses(count: int) -> list[str]:
    """Return so many addresses at which nothing listens, host:port."""
    return [f"{_HOST}:{port}" for port in unused_ports(count)]


def unused_port() -> int:
    """Return a port on which nothing listens."""
    (port,) = unused_ports(1)
    return port
