"""Who is at the other end of a connection: what counts as a name, and what does not."""

import pytest

from chassis.trust.names import NotOurs, service_named, spiffe_id
from chassis.trust.peer import by_certificate, on_loopback
from kernel.errors import Reason, Refusal
from tests.fakes.connection import over_tls, plaintext

MESH = "ordermesh.internal"
ORDER = b"spiffe://ordermesh.internal/order"


def test_the_one_uri_name_is_the_service() -> None:
    assert by_certificate(MESH)(over_tls(ORDER)) == "order"
    assert service_named([spiffe_id(MESH, "order")], MESH) == "order"


@pytest.mark.parametrize(
    "uris",
    [
        (),
        (ORDER, b"spiffe://ordermesh.internal/gateway"),
        (ORDER, ORDER),
        (ORDER, b"https://shop.example"),
        (b"spiffe://other.internal/order",),
        (b"spiffe://ordermesh.internal.evil.example/order",),
        (b"spiffe://ordermesh.internal/",),
        (b"spiffe://ordermesh.internal",),
        (b"spiffe://ordermesh.internal/team/order",),
        (b"spiffe://ordermesh.internal/order/",),
        (b"spiffe://ordermesh.internal/order?x=1",),
        (b"spiffe://ordermesh.internal/order\n",),
        (b"spiffe://ordermesh.internal/.",),
        (b"SPIFFE://ordermesh.internal/order",),
        (b"https://ordermesh.internal/order",),
        (b"spiffe://ordermesh.internal/\xff",),
    ],
)
def test_any_other_name_is_nobody(uris: tuple[bytes, ...]) -> None:
    with pytest.raises(Refusal) as refused:
        by_certificate(MESH)(over_tls(*uris, common_name=ORDER))

    assert refused.value.reason is Reason.UNAUTHENTICATED


def test_a_namesake_in_another_namespace_is_a_stranger() -> None:
    shop = "cluster.local/ns/shop/sa"

    assert service_named(["spiffe://cluster.local/ns/shop/sa/order"], shop) == "order"
    with pytest.raises(NotOurs, match=r"is not spiffe://cluster\.local/ns/shop/sa/<service>"):
        service_named(["spiffe://cluster.local/ns/guests/sa/order"], shop)


@pytest.mark.parametrize("version", [b"TLSv1.2", b""])
def test_older_tls_proves_nothing(version: bytes) -> None:
    with pytest.raises(Refusal, match=r"TLS 1\.3 alone"):
        by_certificate(MESH)(over_tls(ORDER, version=version))


def test_a_connection_without_tls_has_no_certificate() -> None:
    with pytest.raises(Refusal, match=r"TLS 1\.3 alone"):
        by_certificate(MESH)(plaintext("ipv4:127.0.0.1:40000"))


@pytest.mark.parametrize("peer", ["ipv4:127.0.0.1:40000", "ipv4:127.0.0.6:1", "ipv6:%5B::1%5D:40000", "unix:"])
def test_whoever_comes_from_this_machine_is_local(peer: str) -> None:
    assert on_loopback(plaintext(peer)) == "local"


@pytest.mark.parametrize("peer", ["ipv4:10.1.2.3:40000", "ipv6:%5Bfe80::1%5D:40000", "ipv4:12.7.0.0:1", ""])
def test_plaintext_from_elsewhere_is_nobody(peer: str) -> None:
    with pytest.raises(Refusal) as refused:
        on_loopback(plaintext(peer))

    assert refused.value.reason is Reason.UNAUTHENTICATED
