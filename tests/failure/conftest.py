"""One mesh of processes for all tests of failures that other systems are known for."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes.mesh_shop import MeshShop, mesh_shop
from tests.fakes.whole_mesh import Mesh, running_mesh

# How long a customer may take for 3-D Secure: long enough to be in time on a busy machine, short enough to wait for it.
_ACTION_SECONDS = "4"

# As short as will do, so that nobody waits half a minute for a worker to look.
_SETTLE_SECONDS = "1"
_RESUME_SECONDS = "0.2"


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with running_mesh(
        tmp_path_factory.mktemp("peers"),
        ORDER_PAYMENT_ACTION_SECONDS=_ACTION_SECONDS,
        PAYMENT_SETTLE_SECONDS=_SETTLE_SECONDS,
        PAYMENT_RESUME_SECONDS=_RESUME_SECONDS,
    ) as running:
        yield running


@pytest.fixture
async def shop(mesh: Mesh) -> AsyncIterator[MeshShop]:
    async with mesh_shop(mesh) as open_shop:
        yield open_shop
