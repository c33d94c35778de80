"""The name of a caller as the sidecar of a service mesh tells it, which has ended TLS before us.

Both headers are the sidecar's own: it removes whatever a client sent under that name, unless the client has shown a
certificate. So they count only behind one, and only where it refuses plaintext (docs/security.md).
"""

from chassis.layers import Context
from chassis.trust.names import NotOurs, service_named
from chassis.trust.peer import ServiceOf
from kernel.errors import Reason, Refusal

_XFCC = "x-forwarded-client-cert"
_L5D = "l5d-client-id"


def by_istio(trust_domain: str) -> ServiceOf:
    """Return the function that reads the id of the last client in x-forwarded-client-cert, which is the nearest."""

    def service_of(context: Context) -> str:
        try:
            return service_named(_uris_of_last(_only(context, _XFCC)), trust_domain)
        except NotOurs as error:
            raise _refusal(error) from None

    return service_of


def by_linkerd(trust_domain: str) -> ServiceOf:
    """Return the function that reads l5d-client-id: "order.shop.serviceaccount.identity.linkerd.cluster.local"."""

    def service_of(context: Context) -> str:
        try:
            name, _, rest = _only(context, _L5D).partition(".")
        except NotOurs as error:
            raise _refusal(error) from None
        if not name or rest != trust_domain:
            raise _refusal(NotOurs(f"its identity is not <service>.{trust_domain}"))
        return name

    return service_of


def _only(context: Context, name: str) -> str:
    values = [value for key, value in context.invocation_metadata() or () if key == name]
    if len(values) != 1:
        raise NotOurs(f"the sidecar has sent {len(values)} {name} headers instead of one")
    return str(values[0])


def _uris_of_last(header: str) -> list[str]:
    """Return the URI values of the header's last element.

    Elements are separated by commas, their pairs by semicolons; a value may stand in quotes, and what separates then
    separates nothing (Envoy's documentation of config.http.header.x-forwarded-client-cert).

    Raises:
        NotOurs: A quote is left open; where the elements end cannot be said then.
    """
    uris: list[str] = []
    for pair, last_of_element in _pairs(header):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "uri":
            uris.append(value.strip().strip('"'))
        if last_of_element:
            uris.clear()
    return uris


def _pairs(header: str) -> list[tuple[str, bool]]:
    """Return each pair, and whether it is followed by another element."""
    pairs: list[tuple[str, bool]] = []
    start, quoted, escaped = 0, False, False
    for at, letter in enumerate(header):
        if escaped:
            escaped = False
        elif quoted and letter == "\\":
            escaped = True
        elif letter == '"':
            quoted = not quoted
        elif letter in ";," and not quoted:
            pairs.append((header[start:at], letter == ","))
            start = at + 1
    if quoted:
        raise NotOurs(f"{_XFCC} has a quote that is left open")
    return [*pairs, (header[start:], False)]


def _refusal(error: NotOurs) -> Refusal:
    return Refusal(Reason.UNAUTHENTICATED, f"The client's identity does not count here: {error}.")
