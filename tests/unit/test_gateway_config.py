"""The gateway's configuration has sensible defaults and names everything that is wrong at once."""

import re
from pathlib import Path

import pytest

from chassis.config import ConfigError, Environment
from chassis.trust.settings import TransportSettings
from gateway.access.settings import AuthSettings
from gateway.config import GatewayConfig
from tests.fakes.trusted_mesh import TrustedMesh


def test_without_any_variable_the_mesh_of_one_machine_is_meant(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    config = GatewayConfig.from_env({})

    assert config == GatewayConfig(
        address="127.0.0.1:8080",
        backends={
            "order": "127.0.0.1:50051",
            "tax": "127.0.0.1:50052",
            "payment": "127.0.0.1:50053",
            "notify": "127.0.0.1:50054",
        },
        otlp_endpoint="",
        metrics_address="",
        data_dir=tmp_path / ".ordermesh",
        auth=AuthSettings.read(Environment({}), "127.0.0.1:8080", tmp_path / ".ordermesh"),
        transport=TransportSettings("gateway"),
    )


def test_every_variable_is_read() -> None:
    config = GatewayConfig.from_env(
        {
            "ORDERMESH_GATEWAY_ADDR": "0.0.0.0:80",
            "GATEWAY_TRANSPORT_SECURITY": "proxy",
            "ORDER_ADDR": "dns:///order:50051",
            "TAX_ADDR": "tax:1",
            "PAYMENT_ADDR": "unix:/run/payment",
            "NOTIFY_ADDR": "[::1]:4",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/",
            "ORDERMESH_DATA_DIR": "/data",
            "ORDERMESH_TRANSPORT_SECURITY": "istio",
            "ORDERMESH_GATEWAY_DRAIN_SECONDS": "10",
            "GATEWAY_AUTH": "required",
        }
    )

    assert config.address == "0.0.0.0:80"
    assert list(config.backends.values()) == ["dns:///order:50051", "tax:1", "unix:/run/payment", "[::1]:4"]
    assert (config.otlp_endpoint, config.data_dir) == ("http://collector:4318", Path("/data"))
    assert config.drain_seconds == 10


@pytest.mark.parametrize(
    ("settings", "has_shop"),
    [
        ({}, False),
        ({"GATEWAY_SANDBOX_URL": "http://127.0.0.1:8090/"}, True),
        ({"GATEWAY_SANDBOX_URL": "http://127.0.0.1:8090", "GATEWAY_AUTH": "required"}, False),
    ],
)
def test_the_demo_shop_is_there_for_a_sandbox_and_for_browsers_without_credentials(
    settings: dict[str, str], *, has_shop: bool
) -> None:
    config = GatewayConfig.from_env(settings)

    assert config.has_shop is has_shop
    assert not config.sandbox_url.endswith("/")


def test_all_complaints_come_together() -> None:
    with pytest.raises(ConfigError) as caught:
        GatewayConfig.from_env(
            {"ORDERMESH_GATEWAY_ADDR": "unix:/x", "ORDER_ADDR": "order", "OTEL_EXPORTER_OTLP_ENDPOINT": "collector"}
        )

    for name in ("ORDERMESH_GATEWAY_ADDR", "ORDER_ADDR", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        assert name in str(caught.value)


BEYOND = {"ORDERMESH_GATEWAY_ADDR": "0.0.0.0:80", "GATEWAY_AUTH": "required"}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"ORDERMESH_GATEWAY_ADDR": "0.0.0.0:8080"}, "let everybody in"),
        ({"ORDERMESH_GATEWAY_ADDR": "10.0.0.1:8080", "GATEWAY_AUTH": "local"}, "let everybody in"),
        ({"ORDERMESH_GATEWAY_ADDR": "shop.example:8080"}, "let everybody in"),
        ({"GATEWAY_AUTH": "off"}, "neither local nor required"),
        ({"GATEWAY_OIDC_ISSUER": "https://id.example"}, "GATEWAY_OIDC_AUDIENCE or GATEWAY_OIDC_JWKS_URL is not"),
        ({"GATEWAY_OIDC_JWKS_URL": "http://id.example/keys"}, "is not https"),
        ({"GATEWAY_OIDC_ALGORITHMS": "RS256,HS256"}, "HS256: use some of"),
        ({"GATEWAY_OIDC_ALGORITHMS": "none"}, "none: use some of"),
    ],
)
def test_a_gateway_that_would_let_in_whoever_comes_does_not_start(settings: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        GatewayConfig.from_env(settings)


def test_beyond_this_machine_there_is_no_development_key() -> None:
    beyond = GatewayConfig.from_env({**BEYOND, "GATEWAY_TRANSPORT_SECURITY": "proxy"})

    assert (beyond.auth.required, beyond.auth.development_key) == (True, None)
    assert GatewayConfig.from_env({}).auth.development_key is not None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "ORDERMESH_GATEWAY_ADDR: '0.0.0.0:80' is not on this machine, and plaintext never leaves it"),
        ({"GATEWAY_TRANSPORT_SECURITY": "tls"}, "GATEWAY_TLS_DIR: is not set"),
        ({"GATEWAY_TRANSPORT_SECURITY": "off"}, "'off' is neither tls nor proxy"),
        ({"GATEWAY_TLS_DIR": "/nowhere"}, "GATEWAY_TLS_DIR: /nowhere/tls.crt cannot be read: No such file"),
        ({"GATEWAY_TLS_DIR": "/nowhere", "GATEWAY_TRANSPORT_SECURITY": "proxy"}, "set one of the two"),
    ],
)
def test_what_comes_from_elsewhere_is_encrypted_or_the_gateway_does_not_start(
    settings: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(named)):
        GatewayConfig.from_env({**BEYOND, **settings})


@pytest.mark.parametrize(
    "settings", [{"GATEWAY_TRANSPORT_SECURITY": "proxy"}, {"ORDERMESH_TRANSPORT_SECURITY": "istio"}]
)
def test_a_proxy_or_a_sidecar_may_be_who_encrypts(settings: dict[str, str]) -> None:
    assert GatewayConfig.from_env({**BEYOND, **settings}).https.tls_dir is None


def test_a_certificate_of_its_own_has_it_listen_anywhere(tmp_path: Path) -> None:
    TrustedMesh(tmp_path, "gateway")
    assert GatewayConfig.from_env({**BEYOND, "GATEWAY_TLS_DIR": str(tmp_path / "gateway")}).https.tls_dir is not None
