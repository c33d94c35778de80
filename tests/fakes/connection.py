"""A call as far as the name of its other end goes: where it comes from, what its certificate says, its metadata."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from chassis.layers import Context


class _Connected:
    """The part of grpc's context that tells of the connection."""

    def __init__(
        self, peer: str, facts: Mapping[str, Iterable[bytes]], metadata: tuple[tuple[str, str | bytes], ...]
    ) -> None:
        self._peer = peer
        self._facts = facts
        self._metadata = metadata

    def peer(self) -> str:
        return self._peer

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return self._facts

    def invocation_metadata(self) -> Any:  # noqa: ANN401  (grpc's own type is not public)
        return self._metadata


def plaintext(peer: str, *metadata: tuple[str, str | bytes]) -> Context:
    """Return a call that came without TLS."""
    return cast("Context", _Connected(peer, {"transport_security_type": [b"insecure"]}, metadata))


def over_tls(*uris: bytes, common_name: bytes = b"", version: bytes = b"TLSv1.3") -> Context:
    """Return a call whose client has shown a certificate with these URI names."""
    facts = {
        "transport_security_type": [b"ssl"],
        "ssl_tls_version": [version],
        "x509_common_name": [common_name],
        **({"peer_uri": list(uris)} if uris else {}),
    }
    return cast("Context", _Connected("ipv4:10.1.2.3:40000", facts, ()))
