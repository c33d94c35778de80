"""What no well-meaning client sends is answered with a 4xx or a closed connection, never with a 500."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from gateway import limits
from tests.fakes.gateway import World, a_gateway


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


@pytest.fixture
def world(shared: World) -> World:
    shared.reset()
    return shared


def status(answer: bytes) -> int:
    """Return the status of the first answer; 0 when the connection was closed without one."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /api/v1/orders/\xc3\xa4 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /api/v1/orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\na: \x00\r\n\r\n",
        b"WHATEVER / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_400(world: World, request_: bytes) -> None:
    answer = await world.raw(request_)

    assert status(answer) == 400
    assert b"application/problem+json" in answer


async def test_offers_of_other_protocols_are_not_taken(world: World) -> None:
    upgrade = (
        b"connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-key: eA==\r\nsec-websocket-version: 13"
    )

    assert status(await world.raw(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n" + upgrade + b"\r\n\r\n")) == 200
    assert status(await world.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")) == 400


@pytest.mark.parametrize(
    "request_line",
    [b"GET http://other/api/v1/orders/x HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET //api HTTP/1.1", b"GET /?%ff HTTP/1.1"],
)
async def test_odd_request_targets_do_no_harm(world: World, request_line: bytes) -> None:
    answer = await world.raw(request_line + b"\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert status(answer) < 500


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(8_000)) + b"\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 40_000 + b"\r\n\r\n",
    ],
)
async def test_a_head_beyond_the_limit_gets_431(world: World, head: bytes) -> None:
    assert status(await world.raw(head)) == 431


async def test_a_head_that_never_ends_is_cut_off_at_the_limit(world: World) -> None:
    assert status(await world.raw(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * limits.MAX_HEAD_BYTES)) == 431


async def test_heads_below_the_limit_pass_on_a_connection_that_stays(world: World) -> None:
    reader, writer = await asyncio.open_connection(world.host, world.port)
    try:
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 30_000 + b"\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert status(head) == 200
            await reader.readuntil(b"}")
    finally:
        writer.close()


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"])
async def test_a_request_that_does_not_come_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)

    assert status(await world.raw(begun)) == 408


async def test_a_body_that_does_not_come_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)
    head = (
        b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\ncontent-type: application/json\r\n"
    )
    reader, writer = await asyncio.open_connection(world.host, world.port)
    try:
        writer.write(head + b"content-length: 100\r\n\r\n{")
        assert status(await reader.readuntil(b"\r\n\r\n")) == 408
    finally:
        writer.close()
    assert not world.backend.calls


async def test_bodies_that_do_not_come_hold_no_places(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.gateway.admission, "_limit", 1.0)
    head = b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\ncontent-length: 9\r\n\r\n"
    connections = [await asyncio.open_connection(world.host, world.port) for _ in range(2)]
    try:
        for _, writer in connections:
            writer.write(head)
        assert (await world.http.get("/api/v1/orders/x")).status_code == 200
    finally:
        for _, writer in connections:
            writer.close()


async def test_a_body_that_goes_on_after_the_answer_is_not_listened_to_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.05)
    head = (
        b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\ncontent-type: application/json\r\n"
    )
    reader, writer = await asyncio.open_connection(world.host, world.port)
    try:
        writer.write(head + b"content-length: 1000000\r\n\r\n{")
        answer = await reader.read()  # to the end, which is what this is about
    finally:
        writer.close()
    assert status(answer) == 413


async def test_a_request_after_a_pause_has_its_full_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection(world.host, world.port)
    try:
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert status(await reader.readuntil(b"\r\n\r\n")) == 200
            await reader.readuntil(b"}")
            await asyncio.sleep(0.3)  # longer than a request may take, shorter than a connection may rest
    finally:
        writer.close()


async def test_a_client_that_leaves_in_the_middle_of_its_body_reaches_no_service(world: World) -> None:
    head = (
        b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\ncontent-type: application/json\r\n"
    )
    _, writer = await asyncio.open_connection(world.host, world.port)
    writer.write(head + b"content-length: 100\r\n\r\n{")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    assert (await world.http.get("/api/v1/orders/x")).status_code == 200
    assert [call.method for call in world.backend.calls] == ["GetOrder"]


async def test_random_bytes_never_cause_a_server_error(world: World) -> None:
    source = random.Random(7)
    seeds = [
        b"POST /api/v1/orders HTTP/1.1\r\nhost: localhost\r\nidempotency-key: k\r\ncontent-type: application/json\r\n"
        b"content-length: 32\r\nconnection: close\r\n\r\n" + b'{"customer": {"customer_id": ""}}'[:32],
        b"GET /api/v1/orders?state=PAID&page_size=1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
        b"POST /webhooks/stripe HTTP/1.1\r\nstripe-signature: s\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
    ]
    for _ in range(150):
        request = bytearray(source.choice(seeds))
        for _ in range(source.randint(1, 4)):
            request[source.randrange(len(request))] = source.randrange(256)
        reader, writer = await asyncio.open_connection(world.host, world.port)
        writer.write(bytes(request))
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        assert status(answer) < 500, (bytes(request), answer)
