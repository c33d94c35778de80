"""Connections to checked addresses alone, for URLs that others have chosen.

A name is resolved once, each address is checked, and the connection goes to a checked one: a name that resolves
differently the next time (DNS rebinding) gains nothing. TLS still checks the certificate against the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host; raises OSError where there are none."""


class OutOfReach(OSError):
    """The name leads nowhere that may be connected to."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses that the system's resolver knows, the best first."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def within(admits: Callable[[str], bool], resolve: Resolve = resolve) -> Resolve:
    """Return a resolver that answers nothing but addresses that are admitted.

    Args:
        admits: Says whether an address may be connected to.
        resolve: Finds the addresses of a name.
    """

    async def checked(host: str, port: int) -> Sequence[str]:
        addresses = [each for each in await resolve(host, port) if admits(each)]
        if not addresses:
            raise OutOfReach("the host has no address that may be connected to")
        return addresses

    return checked
