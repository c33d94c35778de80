"""Certificates and keys where a deployment would have mounted them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis.access.keys import make_signing_key
from chassis.access.settings import OPERATOR
from chassis.trust.authority import Authority
from tests.deploy.manifests import PARTS

NOW = datetime.now(UTC)  # noqa: TID251  (configs read certificates by the real clock)


@pytest.fixture(scope="session")
def mounted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that stands for /etc/ordermesh: tls/NAME and caller."""
    folder = tmp_path_factory.mktemp("etc")
    authority = Authority.create("ordermesh.internal", NOW)
    for part in (*PARTS, OPERATOR):
        authority.issue_for(part, "ordermesh.internal", NOW).write(folder / "tls" / part)
    (folder / "caller").mkdir()
    make_signing_key(folder / "caller" / "signing-key.pem", folder / "caller" / "trusted-keys.pem")
    return folder
