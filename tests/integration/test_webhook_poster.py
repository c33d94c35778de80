"""What receivers answer to a message: its status counts, whatever comes after it; and nothing they say is a defect."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from chassis.http.reach import within
from chassis.telemetry.setup import start_telemetry
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.webhook_http import MOST_ANSWER_BYTES, HttpPoster
from order_svc.app.webhook_ports import Parcel
from order_svc.domain.webhook_delivery import Answer, Delivery
from order_svc.domain.webhook_endpoint import checked_url
from order_svc.domain.webhook_reach import LOOPBACK, Reach
from order_svc.webhooks import _transport
from tests.fakes.http_peer import Conversation, HttpPeer
from tests.fakes.manual_clock import ManualClock
from tests.fakes.order_samples import NOW
from tests.fakes.webhook_samples import a_message, an_endpoint

TOO_MUCH = b"x" * 2 * MOST_ANSWER_BYTES


def a_parcel(url: str) -> Parcel:
    message, endpoint = a_message(), replace(an_endpoint(), url=url)
    return Parcel(Delivery("d", endpoint.endpoint_id, message.message_id, "order.paid", "o", NOW), endpoint, message)


@pytest.fixture
async def poster(tmp_path: Path) -> AsyncIterator[HttpPoster]:
    telemetry = start_telemetry("order", tmp_path, None)
    poster = HttpPoster(partial(_transport, telemetry, within(Reach(LOOPBACK).admits)), ManualClock())
    yield poster
    await poster.aclose()
    await telemetry.aclose()


def answering(*pieces: bytes, stays: bool = False) -> HttpPeer:
    """Return a receiver that says these bytes to each message, and ends the connection unless it stays."""

    async def script(conversation: Conversation) -> None:
        while await conversation.request():
            for piece in pieces:
                await conversation.say(piece)
            if not stays:
                return

    return HttpPeer(script)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end",),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(TOO_MUCH), TOO_MUCH),
        (b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(TOO_MUCH), TOO_MUCH),),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut",),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk\r\n",),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b",),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["without a length", "too long", "too long at once", "cut off", "not HTTP", "encoded", "after a hint"],
)
async def test_a_message_that_was_taken_is_taken_whatever_comes_after_the_status(
    poster: HttpPoster, pieces: tuple[bytes, ...]
) -> None:
    async with answering(*pieces) as peer:
        for _ in range(2):
            assert await poster.post(a_parcel(f"{peer.url}/hooks")) == Done(Answer(200))


async def test_a_body_that_never_comes_is_not_waited_for(poster: HttpPoster) -> None:
    head = b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 5\r\n\r\n"
    async with answering(head, stays=True) as peer:
        assert await poster.post(a_parcel(f"{peer.url}/hooks")) == Done(Answer(503, 7.0))


async def test_a_body_that_follows_at_once_leaves_the_connection_in_use(poster: HttpPoster) -> None:
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"ok", stays=True) as peer:
        parcel = a_parcel(f"{peer.url}/hooks")
        assert [await poster.post(parcel) for _ in range(3)] == [Done(Answer(200))] * 3

        assert peer.connections == 1


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nx: " + TOO_MUCH])
async def test_without_a_whole_head_nothing_is_known(poster: HttpPoster, said: bytes) -> None:
    async with answering(said) as peer:
        assert isinstance(await poster.post(a_parcel(f"{peer.url}/hooks")), Unknown)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120.0),
        ("9" * 5_000, 7 * 86_400.0),
        ("soon", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999", None),
        (f"{ManualClock().now() + timedelta(seconds=90):%a, %d %b %Y %H:%M:%S} GMT", 90.0),
    ],
)
async def test_a_wait_that_makes_no_sense_was_not_asked_for(
    poster: HttpPoster, asked: str, seconds: float | None
) -> None:
    async with answering(f"HTTP/1.1 503 Busy\r\nretry-after: {asked}\r\n\r\n".encode()) as peer:
        outcome = await poster.post(a_parcel(f"{peer.url}/hooks"))

    assert isinstance(outcome, Done)
    assert outcome.value.status == 503
    assert outcome.value.retry_after == (None if seconds is None else pytest.approx(seconds, abs=1.0))


@pytest.mark.parametrize("host", ["xn--a.example.invalid", "a_b.invalid", f"{'a' * 63}.invalid", "nobody.invalid."])
async def test_a_host_that_an_endpoint_may_have_is_looked_up_and_is_no_defect(poster: HttpPoster, host: str) -> None:
    url = checked_url(f'https://{host}:1/hooks?a=[b]"<\\', Reach(LOOPBACK))

    assert isinstance(await poster.post(a_parcel(url)), NotDone)
