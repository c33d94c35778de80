"""An endpoint's URL never leads into the shop's own network, however the address is written."""

import ipaddress

import pytest

from chassis.config import ConfigError
from kernel.errors import Refusal
from order_svc.config import OrderConfig
from order_svc.domain.webhook_endpoint import checked_url
from order_svc.domain.webhook_reach import LOOPBACK, Reach

PUBLIC = Reach()

INWARD = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.2.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", INWARD)
def test_no_inward_address_is_admitted(address: str) -> None:
    assert not PUBLIC.admits(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"])
def test_the_public_internet_is_admitted(address: str) -> None:
    assert PUBLIC.admits(address)


def test_a_network_that_is_named_is_admitted_and_no_other() -> None:
    reach = Reach((ipaddress.ip_network("10.1.0.0/16"),))

    assert reach.admits("10.1.2.3")
    assert reach.admits("::ffff:10.1.2.3")
    assert not reach.admits("10.2.2.3")
    assert not reach.admits("127.0.0.1")


@pytest.mark.parametrize("address", [each for each in INWARD if "%" not in each])
def test_an_endpoint_at_an_inward_address_is_refused_by_name_of_the_setting(address: str) -> None:
    host = f"[{address}]" if ":" in address else address

    with pytest.raises(Refusal, match="ORDER_WEBHOOK_NETWORKS"):
        checked_url(f"https://{host}/hooks", PUBLIC)


def test_this_machine_is_an_endpoint_only_where_that_is_allowed() -> None:
    for url in ("http://localhost:8000/hooks", "http://127.0.0.1/", "http://[::1]:1/"):
        assert checked_url(url, Reach(LOOPBACK)) == url
        with pytest.raises(Refusal):
            checked_url(url, PUBLIC)


def test_a_name_is_looked_up_only_when_something_is_posted() -> None:
    assert checked_url("https://shop.example/hooks", PUBLIC)


@pytest.mark.parametrize(
    ("values", "networks"),
    [
        ({}, LOOPBACK),
        ({"ORDER_ADDR": "unix:/run/order.sock"}, LOOPBACK),
        ({"ORDER_ADDR": "0.0.0.0:50051", "ORDERMESH_TRANSPORT_SECURITY": "istio"}, ()),
        ({"ORDER_WEBHOOK_NETWORKS": "10.1.0.0/16, fd00::/8"}, ("10.1.0.0/16", "fd00::/8")),
    ],
)
def test_a_service_that_others_reach_posts_to_nothing_private_unless_told(
    values: dict[str, str], networks: tuple[str, ...]
) -> None:
    expected = tuple(ipaddress.ip_network(each) for each in networks)

    assert OrderConfig.from_env(values).webhook_networks == expected


def test_what_is_no_network_is_complained_about() -> None:
    with pytest.raises(ConfigError, match="ORDER_WEBHOOK_NETWORKS"):
        OrderConfig.from_env({"ORDER_WEBHOOK_NETWORKS": "10.1.2.3/16"})
