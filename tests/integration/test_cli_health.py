"""`ordermesh health`: what it asks whom, and its exit code, which is all that a probe looks at."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from grpc_health.v1 import health_pb2

from cli.__main__ import cli
from tests.fakes.gateway import a_gateway
from tests.fakes.scripted_service import scripted
from tests.fakes.trusted_mesh import TrustedMesh

NOBODY = "127.0.0.1:1"


async def asked(name: str, values: Mapping[str, str]) -> Result:
    """Ask beside the server, on an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["health", name], env=values)


@pytest.mark.parametrize(("ready", "code", "said"), [(True, 0, "takes calls"), (False, 1, "does not take calls")])
async def test_a_service_is_asked_for_its_health(*, ready: bool, code: int, said: str) -> None:
    async with scripted(ready=ready) as service:
        answer = await asked("order", {"ORDER_ADDR": service.address})

    assert answer.exit_code == code
    assert said in answer.output


@pytest.mark.parametrize("name", ["order", "tax", "payment", "notify", "gateway"])
async def test_where_nobody_answers_it_says_where_it_asked(name: str) -> None:
    variable = "ORDERMESH_GATEWAY_ADDR" if name == "gateway" else f"{name.upper()}_ADDR"
    answer = await asked(name, {variable: NOBODY})

    assert answer.exit_code == 3
    assert f"{name} does not answer at" in answer.output
    assert NOBODY in answer.output


async def test_a_gateway_is_ready_only_with_its_services() -> None:
    async with a_gateway() as world:
        values = {"ORDERMESH_GATEWAY_ADDR": f"{world.host}:{world.port}"}
        ready = await asked("gateway", values)
        await world.backend.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        await world.gateway.readiness.until(ready=False)
        unready = await asked("gateway", values)

    assert (ready.exit_code, unready.exit_code) == (0, 1)


async def test_with_tls_it_shows_the_services_own_certificate(tmp_path: Path) -> None:
    mesh = TrustedMesh(tmp_path, "order")
    async with scripted(transport=mesh.transport("order")) as service:
        values = {"ORDER_ADDR": service.address, "ORDERMESH_TLS_DIR": str(mesh.directory)}
        own = await asked("order", values)
        plain = await asked("order", {"ORDER_ADDR": service.address})

    assert own.exit_code == 0, own.output
    assert plain.exit_code == 3
