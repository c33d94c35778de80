"""How a part of the mesh is told to reach the others, and what is refused."""

from datetime import timedelta
from pathlib import Path

import pytest

from chassis.config import ConfigError, Environment
from chassis.trust.settings import Security, TransportSettings, is_on_this_machine
from order_svc.config import OrderConfig
from tests.fakes.trusted_mesh import TrustedMesh


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:1",
        "[::1]:1",
        "localhost:1",
        "unix:/run/x",
        "unix-abstract:x",
        "dns:///localhost:1",
        "ipv4:127.0.0.1:1",
    ],
)
def test_these_are_this_machine(address: str) -> None:
    assert is_on_this_machine(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:1",
        "[::]:1",
        "10.0.0.1:1",
        "order:1",
        "dns:///order:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "localhost.evil.example:1",
    ],
)
def test_these_are_not(address: str) -> None:
    assert not is_on_this_machine(address)


def test_plaintext_off_loopback_is_refused_by_the_variable_with_what_to_do() -> None:
    with pytest.raises(ConfigError) as refused:
        OrderConfig.from_env({"ORDER_ADDR": "0.0.0.0:50051", "TAX_ADDR": "dns:///tax:50052"})

    complaints = str(refused.value).splitlines()[1:]
    assert [each.split(":")[0].strip() for each in complaints] == ["ORDER_ADDR", "TAX_ADDR"]
    assert all("ORDERMESH_TLS_DIR" in each and "ORDERMESH_TRANSPORT_SECURITY" in each for each in complaints)


@pytest.mark.parametrize("mesh", ["istio", "linkerd"])
def test_a_sidecar_that_brings_tls_has_to_be_named(mesh: str) -> None:
    config = OrderConfig.from_env({"ORDER_ADDR": "0.0.0.0:50051", "ORDERMESH_TRANSPORT_SECURITY": mesh})

    assert config.transport.security is Security(mesh)


def test_with_certificates_every_address_will_do(tmp_path: Path) -> None:
    TrustedMesh(tmp_path, "order")

    config = OrderConfig.from_env({"ORDER_ADDR": "0.0.0.0:50051", "ORDERMESH_TLS_DIR": str(tmp_path)})

    assert config.transport.security is Security.TLS


def _complaint(values: dict[str, str]) -> str:
    environment = Environment(values)
    TransportSettings.read(environment, "order")
    with pytest.raises(ConfigError) as refused:
        environment.check()
    return str(refused.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"ORDERMESH_TRANSPORT_SECURITY": "none"}, "none of tls, istio and linkerd"),
        ({"ORDERMESH_TRANSPORT_SECURITY": "tls"}, "ORDERMESH_TLS_DIR: is not set"),
        ({"ORDERMESH_TRANSPORT_SECURITY": "istio", "ORDERMESH_TLS_DIR": "/x"}, "set one of the two"),
        ({"ORDERMESH_TRUST_DOMAIN": "spiffe://x"}, "no SPIFFE trust domain"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, str], words: str) -> None:
    assert words in _complaint(values)


def test_a_certificate_that_is_no_good_is_told_before_anything_listens(tmp_path: Path) -> None:
    mesh = TrustedMesh(tmp_path, "order", "shop")
    values = {"ORDERMESH_TLS_DIR": str(tmp_path)}

    mesh.renew("order", -timedelta(minutes=1))
    assert "tls.crt expired on" in _complaint(values)
    mesh.renew("shop").write(tmp_path / "order")
    assert "tls.crt is shop's, not order's" in _complaint(values)
    mesh.odd(uris=("spiffe://ordermesh.internal/order", "https://x")).write(tmp_path / "order")
    assert "it has 2 URI names and needs exactly one" in _complaint(values)
    (tmp_path / "order" / "tls.key").write_bytes((tmp_path / "shop" / "tls.key").read_bytes())
    assert "tls.key does not belong to the certificate" in _complaint(values)
    (tmp_path / "order" / "tls.key").unlink()
    assert "tls.key cannot be read: No such file" in _complaint(values)
