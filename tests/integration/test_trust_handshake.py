"""Mutual TLS over real sockets: who gets in, who does not, and with which status."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from chassis import caller
from chassis.trust.authority import Authority, Issued
from chassis.trust.names import spiffe_id
from tests.fakes.scripted_service import FOUND, GET, Found, Running, chassis_channel, scripted, stub
from tests.fakes.trusted_mesh import DOMAIN, TrustedMesh

_REFUSED_IN_HANDSHAKE = grpc.StatusCode.UNAVAILABLE
_REFUSED_BY_NAME = grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def mesh(tmp_path: Path) -> TrustedMesh:
    return TrustedMesh(tmp_path, "order", "shop")


@pytest.fixture
async def order(mesh: TrustedMesh) -> AsyncIterator[Running]:
    async with scripted(whoever_calls, transport=mesh.transport("order")) as running:
        yield running


async def whoever_calls() -> Found:
    _seen.append(caller.current().service)
    return FOUND


_seen: list[str] = []


async def get(address: str, shown: Issued | None, roots: bytes, name: str = "order") -> None:
    """Call with that certificate."""
    key, chain = (None, None) if shown is None else (shown.key, shown.chain)
    credentials = grpc.ssl_channel_credentials(roots, key, chain)
    options = [("grpc.ssl_target_name_override", name)]
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        await stub(channel).GetOrder(GET, timeout=5)


async def test_a_part_of_the_mesh_is_known_by_its_certificate(mesh: TrustedMesh, order: Running) -> None:
    _seen.clear()
    async with chassis_channel(order.address, mesh.transport("shop").to("order")) as (channel, _):
        assert await stub(channel).GetOrder(GET) == FOUND

    assert _seen == ["shop"]


Odd = Callable[[TrustedMesh], Issued | None]


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        pytest.param(lambda _: None, _REFUSED_IN_HANDSHAKE, id="no certificate"),
        pytest.param(
            lambda mesh: mesh.odd(authority=Authority.create(DOMAIN, mesh.now)),
            _REFUSED_IN_HANDSHAKE,
            id="another authority of the same name",
        ),
        pytest.param(lambda mesh: mesh.odd(lifetime=-timedelta(minutes=1)), _REFUSED_IN_HANDSHAKE, id="expired"),
        pytest.param(
            lambda mesh: mesh.odd(usages=(ExtendedKeyUsageOID.SERVER_AUTH,)), _REFUSED_IN_HANDSHAKE, id="for servers"
        ),
        pytest.param(
            lambda mesh: mesh.odd(uris=("spiffe://elsewhere.internal/shop",)), _REFUSED_BY_NAME, id="other domain"
        ),
        pytest.param(
            lambda mesh: mesh.odd(uris=(spiffe_id(DOMAIN, "shop"), spiffe_id(DOMAIN, "order"))),
            _REFUSED_BY_NAME,
            id="two URI names",
        ),
        pytest.param(
            lambda mesh: mesh.odd(uris=(), common_name="shop"), _REFUSED_BY_NAME, id="a common name and no URI"
        ),
    ],
)
async def test_a_stranger_is_refused(mesh: TrustedMesh, order: Running, shown: Odd, status: grpc.StatusCode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await get(order.address, shown(mesh), mesh.authority.certificate)

    assert refused.value.code() is status
    assert order.servicer.calls == 0


async def test_plaintext_is_refused(order: Running) -> None:
    async with order.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(channel).GetOrder(GET, timeout=5)

    assert refused.value.code() is _REFUSED_IN_HANDSHAKE


async def test_a_server_that_is_another_service_gets_no_call(mesh: TrustedMesh, order: Running) -> None:
    async with chassis_channel(order.address, mesh.transport("shop").to("payment")) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(channel).GetOrder(GET, timeout=2)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert order.servicer.calls == 0


async def test_a_server_of_another_authority_gets_no_call(mesh: TrustedMesh, order: Running) -> None:
    mesh.trust("shop", Authority.create(DOMAIN, mesh.now))

    async with chassis_channel(order.address, mesh.transport("shop").to("order")) as (channel, _):
        with pytest.raises(grpc.aio.AioRpcError):
            await stub(channel).GetOrder(GET, timeout=2)

    assert order.servicer.calls == 0
