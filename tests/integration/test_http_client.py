"""Requests that are answered: what goes out, what comes back, and which connections carry it."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chassis.http import HttpClient, HttpTransport, Lost, NotSent, create_client
from chassis.http.client import _tls_context
from chassis.telemetry.metrics import Metrics
from tests.fakes.http_peer import ANSWER, Conversation, HttpPeer, well_behaved
from tests.fakes.telemetry_sink import recording_tracer
from tests.fakes.unused_ports import unused_port

HEADERS = {"Authorization": "Bearer sk_test_1", "Idempotency-Key": "k1"}


def transport(url: str, *, max_connections: int = 4) -> HttpTransport:
    tracer, _ = recording_tracer()
    return HttpTransport(
        "stripe", url, tracer=tracer, metrics=Metrics("payment"), timeout_seconds=5.0, max_connections=max_connections
    )


def client(url: str) -> HttpClient:
    tracer, _ = recording_tracer()
    return create_client(
        "avatax",
        url,
        tracer=tracer,
        metrics=Metrics("tax"),
        timeout_seconds=5.0,
        max_connections=4,
        headers={"X-Avalara-Client": "ordermesh"},
    )


async def test_a_request_goes_out_as_written_and_its_answer_comes_back() -> None:
    async def answers(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(b"HTTP/1.1 402 Payment Required\r\nRequest-Id: req_1\r\nContent-Length: 4\r\n\r\nnope")

    async with HttpPeer(answers) as peer:
        answer = await transport(peer.url).request(
            "POST", f"{peer.url}/v1/refunds?expand[]=charge", operation="refund", headers=HEADERS, content=b"amount=1"
        )

        host = peer.url.removeprefix("http://").encode()
        assert peer.requests == [
            b"POST /v1/refunds?expand[]=charge HTTP/1.1\r\nAuthorization: Bearer sk_test_1\r\nIdempotency-Key: k1\r\n"
            b"host: " + host + b"\r\ncontent-length: 8\r\n\r\namount=1"
        ]
    assert answer == (402, ((b"request-id", b"req_1"), (b"content-length", b"4")), b"nope")


async def test_an_answer_may_come_in_chunks_and_after_interim_answers() -> None:
    async def answers(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 201 Created\r\nlocation: /1\r\n")
        await conversation.say(b'transfer-encoding: chunked\r\n\r\n2\r\n{"\r\n3\r\na":\r\n')
        await conversation.say(b"2\r\n1}\r\n0\r\n\r\n")

    async with HttpPeer(answers) as peer:
        answer = await transport(peer.url).request("GET", "/x", operation="x", headers={})

    assert (answer.status, answer.body) == (201, b'{"a":1}')
    assert (b"link", b"x") not in answer.headers


async def test_a_connection_is_used_again_and_never_by_two_at_a_time() -> None:
    async with HttpPeer(well_behaved) as peer:
        http = transport(peer.url, max_connections=3)

        await asyncio.gather(*(http.request("GET", f"/{n}", operation="x", headers={}) for n in range(50)))

        assert len(peer.requests) == 50
        assert peer.connections <= 3


async def test_a_connection_that_the_other_side_closed_meanwhile_is_replaced() -> None:
    async def answers_once(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(ANSWER)

    async with HttpPeer(answers_once) as peer:
        http = transport(peer.url)
        for number in range(3):
            await http.request("GET", "/", operation="x", headers={})
            await peer.dropped.wait()
            while http._pool._idle and http._pool._idle[-1].usable:  # noqa: ASYNC110  (there is no event to wait for)
                await asyncio.sleep(0)
            assert peer.connections == number + 1


async def test_a_connection_idle_for_too_long_is_not_used_again() -> None:
    async with HttpPeer(well_behaved) as peer:
        http = transport(peer.url)
        await http.request("GET", "/", operation="x", headers={})
        http._pool._idle[-1].idle_since -= 61

        await http.request("GET", "/", operation="x", headers={})

        assert peer.connections == 2


async def test_a_connection_announced_to_close_is_not_used_again() -> None:
    async def answers(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        await conversation.until_closed()

    async with HttpPeer(answers) as peer:
        http = transport(peer.url)
        for _ in range(2):
            await http.request("GET", "/", operation="x", headers={})

        assert peer.connections == 2


async def test_the_bound_is_of_one_answer_and_not_of_a_connection() -> None:
    async def answers(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n" + b"x" * 900_000)

    async with HttpPeer(answers) as peer:
        http = transport(peer.url)
        for _ in range(4):
            await http.request("GET", "/", operation="x", headers={})

        assert peer.connections == 1


@pytest.mark.parametrize(
    "extra", [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nB", b"HTTP/1.1 200 OK\r\nconte", b"\r\ngarbage"]
)
async def test_an_answer_that_nobody_asked_for_is_never_given_to_the_next_request(extra: bytes) -> None:
    async def answers_too_much(conversation: Conversation) -> None:
        while True:
            request = await conversation.request()
            body = request[5:6]
            await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + body + extra)

    async with HttpPeer(answers_too_much) as peer:
        http = transport(peer.url)

        answers = [await http.request("GET", f"/{n}", operation="x", headers={}) for n in range(3)]

        assert [answer.body for answer in answers] == [b"0", b"1", b"2"]
        assert peer.connections == 3


async def test_a_cancelled_request_frees_its_place_and_drops_its_connection() -> None:
    async def stalls_first(conversation: Conversation) -> None:
        if b"/stall" in await conversation.request():
            await conversation.until_closed()
        await conversation.say(ANSWER)

    async with HttpPeer(stalls_first) as peer:
        http = transport(peer.url, max_connections=1)
        stalled = asyncio.create_task(http.request("POST", "/stall", operation="x", headers={}))
        waiting = asyncio.create_task(http.request("POST", "/waits", operation="x", headers={}))
        await peer.asked.wait()
        waiting.cancel()
        stalled.cancel()
        await asyncio.gather(stalled, waiting, return_exceptions=True)
        await peer.dropped.wait()

        answer = await http.request("POST", "/next", operation="x", headers={})

        assert answer.status == 200
        assert peer.connections == 2
        assert not any(b"/waits" in request for request in peer.requests)


async def test_a_place_given_to_a_request_that_is_cancelled_goes_to_the_next() -> None:
    async with HttpPeer(well_behaved) as peer:
        http = transport(peer.url, max_connections=1)
        pool = http._pool
        held = await pool.acquire(1)
        first, second = (asyncio.create_task(pool.acquire(1)) for _ in range(2))
        await asyncio.sleep(0)
        pool.release(held)  # the place now belongs to the first, which has not run yet
        first.cancel()

        connection = await second

        assert first.cancelled()
        pool.release(connection)


@pytest.mark.parametrize(
    "url",
    [
        "http://other.example/v1",
        "http://127.0.0.1:99/",
        "http://127.0.0.1:9@evil/",
        "/with space",
        "/a\r\nx: y",
        "/ü",
        "",
    ],
)
async def test_a_url_of_another_origin_or_with_foreign_characters_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        await transport("http://127.0.0.1:9").request("GET", url, operation="x", headers={})


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "€"])
async def test_a_header_cannot_smuggle_in_another(value: str) -> None:
    with pytest.raises(ValueError, match=r"line break|latin-1"):
        await transport("http://127.0.0.1:9").request("GET", "/", operation="x", headers={"x": value})


async def test_a_method_with_rules_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="HEAD is not among"):
        await transport("http://127.0.0.1:9").request("HEAD", "/", operation="x", headers={})


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ftp://x", "http://", ""])
def test_an_address_that_is_not_http_is_refused_at_once(address: str) -> None:
    with pytest.raises(ValueError, match="the address of stripe must be"):
        transport(address)


# A client of one API.


async def test_a_client_adds_its_path_and_its_headers() -> None:
    async def answers(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(b'HTTP/1.1 201 Created\r\nX-Correlation: 7\r\ncontent-length: 7\r\n\r\n{"a":1}')

    async with HttpPeer(answers) as peer:
        http = client(f"{peer.url}/avatax/")

        answer = await http.request("POST", "/api/v2/create?$include=Lines", operation="create", content=b'{"code":1}')

        request = peer.requests[0].decode()
    assert (answer.status, answer.header(b"x-correlation"), answer.body) == (201, "7", b'{"a":1}')
    assert request.startswith("POST /avatax/api/v2/create?$include=Lines HTTP/1.1\r\n")
    assert "x-avalara-client: ordermesh\r\n" in request.lower()
    assert "accept-encoding: identity" in request.lower()
    assert request.endswith('content-length: 10\r\n\r\n{"code":1}')


async def test_a_timeout_of_one_request_replaces_that_of_the_client() -> None:
    async def stalls(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.until_closed()

    async with HttpPeer(stalls) as peer:
        with pytest.raises(Lost):
            await client(peer.url).request("GET", "/", operation="x", timeout=0.1)
        with pytest.raises(NotSent):
            await client(peer.url).request("GET", "/", operation="x", timeout=0)


async def test_no_redirect_is_followed_and_no_cookie_kept() -> None:
    async def redirects(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.say(
                b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
            )

    async with HttpPeer(redirects) as peer:
        http = client(peer.url)

        first = await http.request("GET", "/", operation="x")
        await http.request("GET", "/", operation="x")

        assert first.status == 302
        assert all(b"cookie" not in request.lower() for request in peer.requests)


@pytest.mark.parametrize("path", ["http://127.0.0.1:10/", "with space", "@evil/", ""])
async def test_a_client_takes_nothing_but_paths(path: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        await client("http://127.0.0.1:9").request("GET", path, operation="x")


async def test_the_environment_cannot_put_a_proxy_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://127.0.0.1:{unused_port()}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    async with HttpPeer(well_behaved) as peer:
        answer = await client(peer.url).request("GET", "/", operation="x")

    assert answer.status == 200


async def test_our_trace_is_not_told_to_providers() -> None:
    async with HttpPeer(well_behaved) as peer:
        await client(peer.url).request("GET", "/", operation="x")
        await transport(peer.url).request("GET", "/", operation="x", headers={})

        assert all(b"traceparent" not in request for request in peer.requests)


# TLS.


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server context for 127.0.0.1 and the certificate that a client must trust for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    now = datetime.now(UTC)  # noqa: TID251  (OpenSSL compares with the machine's clock)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "peer.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path


async def test_tls_to_a_trusted_server_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, path = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    _tls_context.cache_clear()
    async with HttpPeer(well_behaved, context) as peer:
        http = transport(peer.url)

        answers = [await http.request("POST", "/", operation="x", headers={}, content=b"{}") for _ in range(2)]

        assert [answer.status for answer in answers] == [200, 200]
        assert peer.connections == 1
        await http.aclose()
    _tls_context.cache_clear()


async def test_a_certificate_that_is_not_trusted_means_not_sent(tmp_path: Path) -> None:
    context, _ = certificate(tmp_path)
    async with HttpPeer(well_behaved, context) as peer:
        with pytest.raises(NotSent):
            await transport(peer.url).request("POST", "/", operation="x", headers={})

        assert not peer.requests


async def test_a_server_that_does_not_speak_tls_means_not_sent() -> None:
    async with HttpPeer(well_behaved) as peer:
        with pytest.raises(NotSent):
            await transport(peer.url.replace("http:", "https:")).request("POST", "/", operation="x", headers={})

        assert not peer.requests
