"""What a request without an answer ends in: NotSent only when no byte left, Lost or TooLarge otherwise."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from chassis.http import HttpError, HttpTransport, Lost, NotSent, TooLarge
from chassis.telemetry.metrics import Metrics
from tests.fakes.http_peer import ANSWER, Conversation, HttpPeer, Script, well_behaved
from tests.fakes.telemetry_sink import recording_tracer
from tests.fakes.unused_ports import unused_port

SECONDS = 0.3


def transport(url: str, *, max_connections: int = 4, timeout: float = 5.0) -> HttpTransport:
    tracer, _ = recording_tracer()
    return HttpTransport(
        "stripe",
        url,
        tracer=tracer,
        metrics=Metrics("payment"),
        timeout_seconds=timeout,
        max_connections=max_connections,
        max_answer_bytes=10_000,
    )


async def post(client: HttpTransport, timeout: float | None = None) -> object:  # noqa: ASYNC109  (handed on)
    return await client.request(
        "POST", "/v1/charges", operation="charge", headers={"x-key": "1"}, content=b"amount=1", timeout=timeout
    )


async def closes_without_reading(conversation: Conversation) -> None:
    pass


async def closes_after_reading(conversation: Conversation) -> None:
    await conversation.request()


async def resets_after_reading(conversation: Conversation) -> None:
    await conversation.request()
    conversation.reset()


async def stalls(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.until_closed()


async def stalls_within_the_body(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(ANSWER[:-1])
    await conversation.until_closed()


async def closes_within_the_head(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(ANSWER[:20])


async def closes_within_the_body(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(ANSWER[:-1])


async def resets_within_the_body(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(ANSWER[:-1])
    conversation.reset()


async def closes_within_a_chunk(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab")


async def closes_instead_of_marking_the_end(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}")


async def sends_garbage(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"\x00\xff SSH-2.0-OpenSSH_9.2\r\n")
    await conversation.until_closed()


async def says_two_lengths(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}")
    await conversation.until_closed()


async def switches_protocols(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
    await conversation.until_closed()


async def compresses(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b")
    await conversation.until_closed()


async def promises_without_end(conversation: Conversation) -> None:
    await conversation.request()
    while True:
        await conversation.say(b"HTTP/1.1 100 Continue\r\n\r\n")


async def sends_headers_without_end(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\n")
    while True:
        await conversation.say(b"x-more: and more\r\n")


async def sends_a_body_without_end(conversation: Conversation) -> None:
    await conversation.request()
    await conversation.say(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await conversation.say(b"400\r\n" + b"x" * 1024 + b"\r\n")


@pytest.mark.parametrize(
    "script",
    [
        closes_without_reading,
        closes_after_reading,
        resets_after_reading,
        stalls,
        stalls_within_the_body,
        closes_within_the_head,
        closes_within_the_body,
        resets_within_the_body,
        closes_within_a_chunk,
        closes_instead_of_marking_the_end,
        sends_garbage,
        says_two_lengths,
        switches_protocols,
        compresses,
    ],
)
async def test_a_request_that_left_and_was_not_answered_is_lost(script: Script) -> None:
    async with HttpPeer(script) as peer:
        client = transport(peer.url, timeout=SECONDS if "stalls" in script.__name__ else 5.0)

        with pytest.raises(Lost):
            await post(client)

        await client.aclose()


@pytest.mark.parametrize("script", [promises_without_end, sends_headers_without_end, sends_a_body_without_end])
async def test_an_answer_beyond_the_bound_is_too_large(script: Script) -> None:
    async with HttpPeer(script) as peer:
        client = transport(peer.url)

        with pytest.raises(TooLarge):
            await post(client)

        await client.aclose()


async def test_a_refused_connection_means_not_sent() -> None:
    with pytest.raises(NotSent):
        await post(transport(f"http://127.0.0.1:{unused_port()}"))


async def test_a_failed_connect_gives_its_place_back() -> None:
    client = transport(f"http://127.0.0.1:{unused_port()}", max_connections=1)

    for _ in range(2):
        with pytest.raises(NotSent, match="ConnectionRefusedError"):
            await post(client, SECONDS)


async def test_an_unknown_host_means_not_sent() -> None:
    with pytest.raises(NotSent):
        await post(transport("http://nowhere.invalid"))


@pytest.fixture
async def port_that_never_accepts() -> AsyncIterator[int]:
    """Listen with a full queue: a further connect is neither accepted nor refused."""
    sockets = [socket.socket()]
    sockets[0].bind(("127.0.0.1", 0))
    sockets[0].listen(0)
    for _ in range(3):
        filler = socket.socket()
        filler.setblocking(False)  # noqa: FBT003  (its only way to be called)
        filler.connect_ex(sockets[0].getsockname())
        sockets.append(filler)
    yield sockets[0].getsockname()[1]
    for one in sockets:
        one.close()


async def test_a_connect_that_takes_too_long_means_not_sent(port_that_never_accepts: int) -> None:
    with pytest.raises(NotSent):
        await post(transport(f"http://127.0.0.1:{port_that_never_accepts}"), SECONDS)


async def test_waiting_for_a_free_connection_in_vain_means_not_sent() -> None:
    async with HttpPeer(stalls) as peer:
        client = transport(peer.url, max_connections=1)
        first = asyncio.create_task(post(client))
        await peer.asked.wait()

        with pytest.raises(NotSent):
            await post(client, SECONDS)

        assert len(peer.requests) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("seconds", [0, -1])
async def test_without_time_nothing_is_sent_not_even_on_an_open_connection(seconds: float) -> None:
    async with HttpPeer(well_behaved) as peer:
        client = transport(peer.url)
        await post(client)

        with pytest.raises(NotSent):
            await post(client, seconds)

        assert len(peer.requests) == 1


async def test_a_closed_client_sends_nothing() -> None:
    async with HttpPeer(well_behaved) as peer:
        client = transport(peer.url)
        await client.aclose()

        with pytest.raises(NotSent):
            await post(client)

        assert not peer.requests


async def test_closing_the_client_loses_what_is_under_way() -> None:
    async with HttpPeer(stalls) as peer:
        client = transport(peer.url)
        request = asyncio.create_task(post(client))
        await peer.asked.wait()

        await client.aclose()

        with pytest.raises(Lost, match="broke"):
            await request


async def test_a_connection_kept_alive_that_breaks_under_the_next_request_loses_it() -> None:
    async def answers_once_then_closes(conversation: Conversation) -> None:
        await conversation.request()
        await conversation.say(ANSWER)
        await conversation.request()

    async with HttpPeer(answers_once_then_closes) as peer:
        client = transport(peer.url)
        await post(client)

        with pytest.raises(Lost):
            await post(client)

        assert (len(peer.requests), peer.connections) == (2, 1), "it must not be repeated behind the caller's back"


async def test_no_message_names_the_url_or_a_header() -> None:
    messages = []
    for url in (f"http://127.0.0.1:{unused_port()}", "http://nowhere.invalid"):
        with pytest.raises(HttpError) as failure:
            await post(transport(url))
        messages.append(str(failure.value))
    async with HttpPeer(closes_after_reading) as peer:
        with pytest.raises(HttpError) as failure:
            await post(transport(peer.url))
        messages.append(str(failure.value))

    for message in messages:
        assert "charges" not in message
        assert "x-key" not in message
