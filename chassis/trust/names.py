"""SPIFFE ids: the names of the mesh's parts as they stand in certificates.

A part called "order" in the trust domain "ordermesh.internal" is `spiffe://ordermesh.internal/order`. Where ids have
longer paths, as in Istio, the trust domain is written with the path that all of them share
("cluster.local/ns/shop/sa"): an id then counts only if exactly one segment follows it, so that a namesake in another
namespace is a stranger.
"""

import re
from collections.abc import Sequence

TRUST_DOMAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,254}(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
"""A trust domain, and the path that its ids share."""

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class NotOurs(Exception):
    """A certificate's names are not those of a part of this mesh; the message says what is wrong with them."""


def spiffe_id(trust_domain: str, service: str) -> str:
    """Return the id of a service: "spiffe://ordermesh.internal/order"."""
    return f"spiffe://{trust_domain}/{service}"


def service_named(uris: Sequence[str], trust_domain: str) -> str:
    """Return the service that a certificate with these URI names belongs to: "order".

    SPIFFE demands exactly one URI: with two, whoever signs one name would vouch for the other.

    Raises:
        NotOurs: It belongs to none.
    """
    if len(uris) != 1:
        raise NotOurs(f"it has {len(uris)} URI names and needs exactly one, {spiffe_id(trust_domain, '<service>')}")
    prefix = spiffe_id(trust_domain, "")
    service = uris[0].removeprefix(prefix)
    if not uris[0].startswith(prefix) or not _SERVICE.fullmatch(service):
        raise NotOurs(f"its URI name is not {prefix}<service>")
    return service
