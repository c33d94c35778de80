"""Certificates are replaced on both ends while calls go on, and whoever is trusted no more is out in time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from chassis.channel import Channel
from chassis.trust.authority import Authority
from chassis.trust.rotating import RotatingChannel
from chassis.trust.transport import Connect
from tests.fakes.scripted_service import FOUND, GET, WATCH, chassis_channel, scripted, stub
from tests.fakes.trusted_mesh import DOMAIN, TrustedMesh

# Ages as short as they can be: grpc counts them in milliseconds, and spreads them by a tenth.
_AGE_SECONDS, _GRACE_SECONDS = 0.3, 0.5
_AGES = (
    ("grpc.max_connection_age_ms", int(_AGE_SECONDS * 1000)),
    ("grpc.max_connection_age_grace_ms", int(_GRACE_SECONDS * 1000)),
)


@pytest.fixture
def mesh(tmp_path: Path) -> TrustedMesh:
    return TrustedMesh(tmp_path, "order", "shop")


def quickly(connect: Connect, made: list[RotatingChannel]) -> Connect:
    """Return the same with a channel that looks at its files all the time, and gives up old connections soon."""

    def open_channel(target: str, options: object) -> grpc.aio.Channel:
        channel = connect(target, options)  # type: ignore[arg-type]  # handed on as it is
        assert isinstance(channel, RotatingChannel)
        channel._reload_seconds = 0.0
        channel._look_at = 0.0
        channel._longest_call_seconds = 0.2
        made.append(channel)
        return channel

    return open_channel


@asynccontextmanager
async def calling(channel: Channel) -> AsyncIterator[list[object]]:
    """Call all the time while the context is open; yields what came of it."""
    outcomes: list[object] = []
    stop = asyncio.Event()
    get = stub(channel).GetOrder

    async def one() -> None:
        while not stop.is_set():
            try:
                await get(GET, timeout=5)
                outcomes.append("OK")
            except grpc.aio.AioRpcError as error:
                outcomes.append(error)

    callers = [asyncio.create_task(one()) for _ in range(4)]
    try:
        yield outcomes
    finally:
        stop.set()
        await asyncio.gather(*callers)


async def test_no_call_is_lost_while_authority_and_certificates_are_replaced(mesh: TrustedMesh) -> None:
    """The order of an authority's renewal: trust both, then show the new certificates, then trust the new one alone."""
    old, new = mesh.authority, Authority.create(DOMAIN, mesh.now)
    made: list[RotatingChannel] = []
    connect = quickly(mesh.transport("shop").to("order"), made)
    async with (
        scripted(transport=mesh.transport("order"), options=_AGES) as order,
        chassis_channel(order.address, connect) as (channel, _),
        calling(channel) as outcomes,
    ):
        first = made[0]._channel
        for service in ("order", "shop"):
            mesh.trust(service, old, new)
        await asyncio.sleep(0.5)
        mesh.authority = new
        for service in ("shop", "order"):
            mesh.renew(service)
            mesh.trust(service, old, new)
            await asyncio.sleep(0.4)
        for service in ("order", "shop"):
            mesh.trust(service, new)
        await asyncio.sleep(1.0)

    assert len(outcomes) > 100
    assert [each for each in outcomes if each != "OK"] == []
    assert made[0]._channel is not first


async def call_for_ever(channel: Channel) -> None:
    while True:
        await stub(channel).GetOrder(GET, timeout=1)


async def test_whoever_is_trusted_no_more_is_out_within_age_and_grace(mesh: TrustedMesh) -> None:
    async with (
        scripted(transport=mesh.transport("order"), options=_AGES) as order,
        chassis_channel(order.address, mesh.transport("shop").to("order")) as (channel, _),
    ):
        assert await stub(channel).GetOrder(GET) == FOUND
        mesh.trust("order", Authority.create(DOMAIN, mesh.now))
        began = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as out:
            await call_for_ever(channel)

    assert out.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert time.monotonic() - began < _AGE_SECONDS * 1.1 + _GRACE_SECONDS + 1.0  # and one call that waits in vain


async def test_a_certificate_that_is_no_good_changes_nothing(
    mesh: TrustedMesh, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(transport=mesh.transport("order")) as order:
        (mesh.directory / "order" / "tls.key").write_bytes((mesh.directory / "shop" / "tls.key").read_bytes())
        async with chassis_channel(order.address, mesh.transport("shop").to("order")) as (channel, _):
            assert await stub(channel).GetOrder(GET) == FOUND

    assert [each.message for each in caplog.records if each.name == "chassis.trust.files"] == [
        "trust.certificate_refused"
    ]


async def test_a_new_certificate_that_nobody_accepts_leaves_the_old_channel(mesh: TrustedMesh) -> None:
    made: list[RotatingChannel] = []
    connect = quickly(mesh.transport("shop").to("order"), made)
    async with (
        scripted(transport=mesh.transport("order")) as order,
        chassis_channel(order.address, connect) as (channel, _),
    ):
        assert await stub(channel).GetOrder(GET) == FOUND
        first = made[0]._channel
        mesh.odd(authority=Authority.create(DOMAIN, mesh.now), uris=(f"spiffe://{DOMAIN}/shop",)).write(
            mesh.directory / "shop"
        )
        for _ in range(20):
            assert await stub(channel).GetOrder(GET) == FOUND
            await asyncio.sleep(0.02)

        assert made[0]._channel is first


async def test_an_old_channel_stays_for_its_streams(mesh: TrustedMesh) -> None:
    made: list[RotatingChannel] = []
    connect = quickly(mesh.transport("shop").to("order"), made)
    async with (
        scripted(transport=mesh.transport("order")) as order,
        chassis_channel(order.address, connect) as (channel, _),
    ):
        watch = aiter(stub(channel).WatchOrder(WATCH))
        await anext(watch)
        mesh.renew("shop")
        while not made[0]._retiring:
            await stub(channel).GetOrder(GET)
        await asyncio.sleep(0.4)
        assert made[0]._retiring  # past the longest call, for the stream's sake

        await watch.aclose()  # type: ignore[attr-defined]  # a generator
        await asyncio.sleep(0.1)
        assert not made[0]._retiring
