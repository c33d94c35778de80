"""What the order service can be told from outside, and what it says to nonsense."""

from pathlib import Path

import pytest

from chassis.config import ConfigError
from order_svc.config import OrderConfig


def test_nothing_has_to_be_said() -> None:
    config = OrderConfig.from_env({})

    assert config.address == "127.0.0.1:50051"
    assert (config.tax_address, config.payment_address, config.notify_address) == (
        "127.0.0.1:50052",
        "127.0.0.1:50053",
        "127.0.0.1:50054",
    )
    assert config.database_url.reveal() == f"sqlite:///{Path('.ordermesh/order.db').absolute()}"
    assert (config.patience_seconds, config.lease_seconds, config.action_seconds) == (10.0, 30.0, 1800.0)
    assert config.otlp_endpoint == ""


def test_its_own_database_comes_before_the_shared_one() -> None:
    shared = {"ORDERMESH_DATABASE_URL": "postgresql://h/mesh"}

    assert OrderConfig.from_env(shared).database_url.reveal() == "postgresql://h/mesh"
    own = shared | {"ORDER_DATABASE_URL": "postgresql://h/orders"}
    assert OrderConfig.from_env(own).database_url.reveal() == "postgresql://h/orders"


def test_the_database_lies_in_the_data_directory() -> None:
    config = OrderConfig.from_env({"ORDERMESH_DATA_DIR": "/data"})

    assert (config.data_dir, config.database_url.reveal()) == (Path("/data"), "sqlite:////data/order.db")


def test_every_complaint_is_made_at_once() -> None:
    wrong = {
        "ORDER_ADDR": "50051",
        "TAX_ADDR": "host:port",
        "ORDER_PATIENCE_SECONDS": "soon",
        "ORDER_LEASE_SECONDS": "5",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
    }

    with pytest.raises(ConfigError) as complaint:
        OrderConfig.from_env(wrong)

    assert all(name in str(complaint.value) for name in wrong)


def test_a_lease_is_never_shorter_than_a_charge_may_take() -> None:
    with pytest.raises(ConfigError, match="ORDER_LEASE_SECONDS: 11 is not between 12"):
        OrderConfig.from_env({"ORDER_LEASE_SECONDS": "11"})
