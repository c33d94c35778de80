"""Where the command looks for a running mesh."""

from pathlib import Path

import pytest

from chassis.config import ConfigError
from cli.config import CliConfig


def test_the_defaults_are_those_of_the_mesh() -> None:
    config = CliConfig.from_env({})

    assert config.order_address == "127.0.0.1:50051"
    assert config.gateway_url == "http://127.0.0.1:8080"
    assert config.sandbox_url == "http://127.0.0.1:8090"
    assert config.data_dir == Path.cwd() / ".ordermesh"


def test_a_part_that_listens_on_every_address_is_called_on_loopback() -> None:
    config = CliConfig.from_env({"ORDERMESH_GATEWAY_ADDR": "0.0.0.0:80", "ORDER_ADDR": "[::]:50051"})

    assert config.gateway_url == "http://127.0.0.1:80"
    assert config.order_address == "[::1]:50051"


def test_a_name_that_grpc_resolves_passes_as_it_is() -> None:
    config = CliConfig.from_env({"ORDER_ADDR": "dns:///orders:50051", "ORDERMESH_TLS_DIR": "/tls"})

    assert config.order_address == "dns:///orders:50051"


def test_every_complaint_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        CliConfig.from_env({"ORDER_ADDR": "x", "SANDBOX_ADDR": "y"})

    assert "ORDER_ADDR" in str(caught.value)
    assert "SANDBOX_ADDR" in str(caught.value)


def test_the_gateway_is_where_it_listens_unless_it_is_said_to_be_elsewhere() -> None:
    here = CliConfig.from_env({"ORDERMESH_GATEWAY_ADDR": "0.0.0.0:80", "GATEWAY_TLS_DIR": "/tls"})
    elsewhere = CliConfig.from_env({"ORDERMESH_GATEWAY_URL": "https://shop.example/", "GATEWAY_TLS_DIR": "/tls"})

    assert (here.gateway_url, here.gateway_tls_dir) == ("https://127.0.0.1:80", Path("/tls"))
    assert (elsewhere.gateway_url, elsewhere.gateway_tls_dir) == ("https://shop.example", None)


def test_a_key_is_never_shown_nor_sent_where_others_listen() -> None:
    key = "omk_abcdef_" + "A" * 43
    assert key not in repr(CliConfig.from_env({"ORDERMESH_API_KEY": key}))
    for values in (
        {"ORDERMESH_API_KEY": key, "ORDERMESH_GATEWAY_URL": "http://shop.example"},
        {"ORDERMESH_API_KEY": f"{key}\n"},
        {"ORDERMESH_API_KEY": f"Bearer {key}"},
    ):
        with pytest.raises(ConfigError) as caught:
            CliConfig.from_env(values)
        assert key not in str(caught.value)
