"""What a channel does by itself, and what it leaves to a sidecar."""

import pytest
from ordermesh.tax.v1 import tax_service_pb2

from chassis.channel import service_config
from chassis.trust.settings import Security, TransportSettings
from chassis.trust.transport import Transport, through_sidecar

TAX = tax_service_pb2.DESCRIPTOR.services_by_name["TaxService"]


def test_by_itself_it_balances_by_health_and_ejects_failing_replicas() -> None:
    config = service_config([TAX])
    assert config["healthCheckConfig"] == {"serviceName": ""}
    assert "outlier_detection_experimental" in config["loadBalancingConfig"][0]


def test_through_a_sidecar_it_retries_what_the_contract_allows_and_does_nothing_else() -> None:
    ours, sidecars = service_config([TAX]), service_config([TAX], balanced=False)
    assert sidecars == {name: ours[name] for name in ("retryThrottling", "methodConfig")}


@pytest.mark.parametrize("security", [Security.ISTIO, Security.LINKERD])
def test_the_setting_that_names_the_sidecar_decides(security: Security) -> None:
    assert Transport(TransportSettings(security=security)).to("tax") is through_sidecar
    assert Transport(TransportSettings()).to("tax") is not through_sidecar
