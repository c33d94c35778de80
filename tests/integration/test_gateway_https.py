"""HTTPS at the REST port over real sockets: its certificate is replaced while connections go on."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from chassis.trust.certificate import BadCertificate
from cli.__main__ import cli
from gateway import https
from kernel.clock import SystemClock
from tests.fakes.backend import running_backend
from tests.fakes.gateway import World, gateway_before
from tests.fakes.trusted_mesh import TrustedMesh


@pytest.fixture
def mesh(tmp_path: Path) -> TrustedMesh:
    return TrustedMesh(tmp_path, "gateway")


@asynccontextmanager
async def secured(mesh: TrustedMesh) -> AsyncIterator[World]:
    async with (
        running_backend() as backend,
        gateway_before(backend.address, backend=backend, tls_dir=mesh.directory / "gateway") as world,
    ):
        await world.gateway.readiness.until(ready=True)
        yield world


def trusting(mesh: TrustedMesh) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(mesh.directory / "gateway" / "ca.crt"))


def shown(world: World, context: ssl.SSLContext) -> tuple[bytes, str]:
    """Return the certificate that a new connection is shown, and the version of TLS."""
    with (
        socket.create_connection((world.host, world.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        certificate, version = secure.getpeercert(binary_form=True), secure.version()
    assert certificate is not None
    assert version is not None
    return certificate, version


def connection_of(answer: httpx.Response) -> object:
    """Return the client's end of the connection that a good answer came by."""
    assert answer.status_code == httpx.codes.OK
    return answer.extensions["network_stream"].get_extra_info("client_addr")


def der(chain: bytes) -> bytes:
    return ssl.PEM_cert_to_DER_cert(chain.decode())


async def test_the_port_speaks_https_and_nothing_else(mesh: TrustedMesh) -> None:
    async with secured(mesh) as world:
        url = f"https://localhost:{world.port}/healthz"
        async with httpx.AsyncClient(verify=trusting(mesh)) as client:
            here = await client.get(url)
            elsewhere = await client.get(url, headers={"host": "shop.example"})
        with pytest.raises(httpx.RemoteProtocolError):
            await world.http.get("/healthz")
        older = trusting(mesh)
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        versions = [(await asyncio.to_thread(shown, world, context))[1] for context in (trusting(mesh), older)]

    assert (here.status_code, elsewhere.status_code) == (httpx.codes.OK, httpx.codes.OK)
    assert "strict-transport-security" not in here.headers
    assert elsewhere.headers["strict-transport-security"] == "max-age=31536000"
    assert versions == ["TLSv1.3", "TLSv1.2"]


async def test_a_new_certificate_is_shown_to_new_connections_and_breaks_no_old_one(mesh: TrustedMesh) -> None:
    folder = mesh.directory / "gateway"
    async with secured(mesh) as world, httpx.AsyncClient(verify=trusting(mesh)) as client:
        first = (folder / "tls.crt").read_bytes()
        url = f"https://localhost:{world.port}/healthz"
        before = connection_of(await client.get(url))
        renewed = mesh.renew("gateway")
        after = await asyncio.to_thread(shown, world, trusting(mesh))
        again = connection_of(await client.get(url))
        # Half of a pair is no pair: what was good stays.
        (folder / "tls.crt").write_bytes(first)
        halfway = await asyncio.to_thread(shown, world, trusting(mesh))
        expires = world.metrics.certificate_expires.read()

    assert after[0] == halfway[0] == der(renewed.chain)
    assert der(first) != after[0]
    assert again == before
    assert list(expires) == [("rest",)]


async def test_health_is_asked_with_the_very_certificate_that_lies_there(
    mesh: TrustedMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with secured(mesh) as world:
        monkeypatch.setenv("ORDERMESH_GATEWAY_ADDR", f"127.0.0.1:{world.port}")
        monkeypatch.setenv("GATEWAY_TLS_DIR", str(mesh.directory / "gateway"))
        asked = await asyncio.to_thread(CliRunner().invoke, cli, ["health", "gateway"])
        mesh.renew("order")
        monkeypatch.setenv("GATEWAY_TLS_DIR", str(mesh.directory / "order"))
        other = await asyncio.to_thread(CliRunner().invoke, cli, ["health", "gateway"])

    assert asked.exit_code == 0, asked.output
    assert other.exit_code == 3


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("tls.crt", b"no certificate", "holds no PEM certificate"),
        ("tls.key", b"no key", "is no key to"),
    ],
)
def test_what_is_no_certificate_is_told_of_before_anybody_is_served(
    mesh: TrustedMesh, file: str, content: bytes, said: str
) -> None:
    (mesh.directory / "gateway" / file).write_bytes(content)
    with pytest.raises(BadCertificate, match=said):
        https.read(mesh.directory / "gateway", SystemClock().now())
