"""The name of the service at the other end of a connection.

The identity layer asks one of these functions, which one is the transport's to say (chassis/trust/transport.py):
`on_loopback` in plaintext, `by_certificate` with TLS. None of them reads the certificate's common name, and none calls
grpc's `peer_identities()`, which falls back on it.
"""

from collections.abc import Callable, Sequence

from chassis.layers import Context
from chassis.trust.names import NotOurs, service_named
from kernel.errors import Reason, Refusal

ServiceOf = Callable[[Context], str]
"""Returns the name of the service at the other end of a call's connection.

Raises:
    Refusal: UNAUTHENTICATED; it has no name that counts here.
"""

# Whoever reaches a port that listens on loopback alone is the machine's own user.
LOCAL = "local"

_THIS_MACHINE = ("ipv4:127.", "ipv6:%5B::1%5D:", "unix:")

# What grpc must have negotiated. Older TLS is refused in the handshake already (chassis/process.py); this is the lock
# behind the door, for a process in which somebody has set GRPC_SSL_CIPHER_SUITES.
_TLS = (b"TLSv1.3",)


def on_loopback(context: Context) -> str:
    """Return "local", for servers in plaintext.

    Raises:
        Refusal: UNAUTHENTICATED; the call comes from another machine.
    """
    if context.peer().startswith(_THIS_MACHINE):
        return LOCAL
    raise Refusal(Reason.UNAUTHENTICATED, "Without TLS this service takes calls from its own machine alone.")


def by_certificate(trust_domain: str) -> ServiceOf:
    """Return the function that reads the one SPIFFE id of a client's certificate, which grpc has verified."""

    def service_of(context: Context) -> str:
        facts = context.auth_context()
        if tuple(facts.get("ssl_tls_version", ())) != _TLS:
            raise Refusal(Reason.UNAUTHENTICATED, "This service takes calls over TLS 1.3 alone.")
        try:
            return service_named(_text(tuple(facts.get("peer_uri", ()))), trust_domain)
        except NotOurs as error:
            raise Refusal(Reason.UNAUTHENTICATED, f"The client's certificate does not count here: {error}.") from None

    return service_of


def _text(values: Sequence[bytes]) -> list[str]:
    # A byte that is no UTF-8 becomes a character that no id has.
    return [value.decode("utf-8", "replace") for value in values]
