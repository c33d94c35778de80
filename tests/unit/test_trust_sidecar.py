"""The caller's name as a sidecar tells it, and what clients put before it."""

import pytest

from chassis.trust.sidecar import by_istio, by_linkerd
from kernel.errors import Reason, Refusal
from tests.fakes.connection import plaintext

_SHOP = "cluster.local/ns/shop/sa"
_ORDER = f'By=spiffe://{_SHOP}/payment;Hash=ab12;Subject="O=x, CN=order";URI=spiffe://{_SHOP}/order'
_LINKERD = "shop.serviceaccount.identity.linkerd.cluster.local"


def xfcc(*values: str) -> str:
    return by_istio(_SHOP)(plaintext("ipv4:127.0.0.6:1", *(("x-forwarded-client-cert", value) for value in values)))


def test_envoy_names_the_client() -> None:
    assert xfcc(_ORDER) == "order"


def test_the_nearest_client_counts_and_none_before_it() -> None:
    assert xfcc(f"URI=spiffe://{_SHOP}/gateway,{_ORDER}") == "order"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Hash=ab12",
        f"{_ORDER},",
        f"{_ORDER};URI=spiffe://{_SHOP}/gateway",
        "URI=spiffe://cluster.local/ns/guests/sa/order",
        f'Subject="{_ORDER}',
        f'Subject="\\",{_ORDER}',
        f'Subject="URI=spiffe://{_SHOP}/order"',
    ],
)
def test_anything_else_names_nobody(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        xfcc(header)

    assert refused.value.reason is Reason.UNAUTHENTICATED


def test_two_headers_or_none_are_not_the_sidecars() -> None:
    for values in ((), (_ORDER, _ORDER)):
        with pytest.raises(Refusal):
            xfcc(*values)


def test_linkerd_names_the_client() -> None:
    service_of = by_linkerd(_LINKERD)

    assert service_of(plaintext("ipv4:10.0.0.1:1", ("l5d-client-id", f"order.{_LINKERD}"))) == "order"
    for wrong in (f".{_LINKERD}", f"order.x.{_LINKERD}", "order.guests.serviceaccount.identity.linkerd.cluster.local"):
        with pytest.raises(Refusal):
            service_of(plaintext("ipv4:10.0.0.1:1", ("l5d-client-id", wrong)))
