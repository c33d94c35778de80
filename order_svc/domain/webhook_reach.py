"""Which addresses messages may be posted to: an endpoint's URL must not lead into the shop's own network."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: tuple[Network, ...] = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))

# Addresses of the public space at which a cloud answers its own machines: Azure's.
_OF_CLOUDS = frozenset({ipaddress.IPv4Address("168.63.129.16")})

# An IPv4 address in the last 32 bits: NAT64.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LAST_32_BITS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Reach:
    """The public internet, and what else the operator allows.

    Attributes:
        networks: Private networks that messages may go to as well.
    """

    networks: tuple[Network, ...] = ()

    def admits(self, address: str) -> bool:
        """Say whether messages may be posted to this IP address, in whatever form it is written.

        Args:
            address: As a resolver answers it: an IPv6 address may name its zone ("fe80::1%eth0").
        """
        return all(self._admits(each) for each in _meant(ipaddress.ip_address(address)))

    def _admits(self, address: Address) -> bool:
        if any(address in network for network in self.networks):
            return True
        return address.is_global and not address.is_multicast and address not in _OF_CLOUDS


def _meant(address: Address) -> Iterator[Address]:
    """Yield the address and, where it only wraps others, those in its stead: they are where packets arrive."""
    if isinstance(address, ipaddress.IPv4Address):
        yield address
    elif address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address in _NAT64:
        yield ipaddress.IPv4Address(int(address) & _LAST_32_BITS)
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo
    else:
        yield address
