"""SendGrid's activity feed as its adapter reads it: pages by time, crowded seconds, and answers that are none."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from kernel.outcome import Done, NotDone, Unknown
from notify_svc.domain.feed import FeedPlace, ListedMail
from tests.fakes.http_peer import Conversation, HttpPeer, saying
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_world import API_KEY, feed_at
from tests.fakes.unused_ports import unused_port

MOST = 1000
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def second(number: int) -> str:
    return (NOON - timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def feed_of(*mails_per_second: int) -> HttpPeer:
    """Return a SendGrid that took so many mails in each second, the newest first; within one they come in any order."""
    shown = [
        {"msg_id": f"m{number}x{mail}.filter.0", "status": "delivered", "last_event_time": second(number)}
        for number, mails in enumerate(mails_per_second)
        for mail in sorted(range(mails), key=lambda mail: mail * 7919 % 1009)
    ]

    async def script(conversation: Conversation) -> None:
        while True:
            target = (await conversation.request()).split(b" ")[1].decode()
            asked = parse_qs(urlsplit(target).query)
            first, last = re.findall(r'TIMESTAMP "([^"]+)"', asked["query"][0])
            found = [mail for mail in shown if first <= mail["last_event_time"] <= last]
            body = orjson.dumps({"messages": found[: int(asked["limit"][0])]})
            await conversation.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))

    return HttpPeer(script)


async def listed(peer: HttpPeer, size: int) -> list[ListedMail]:
    found: list[ListedMail] = []
    async with feed_at(peer.url) as feed:
        place: FeedPlace | None = None
        while True:
            outcome = await feed.page(place, size)
            assert isinstance(outcome, Done), outcome
            found += outcome.value.mails
            if not outcome.value.has_more:
                return found
            place = outcome.value.end()


@pytest.mark.parametrize(
    "mails_per_second",
    [(3, 2), (MOST - 1, 5), (600, 600, 600), (1, MOST - 1, 4), (400, 500, 250, 1)],
    ids=str,
)
async def test_each_mail_is_listed_once_however_many_share_a_second(mails_per_second: tuple[int, ...]) -> None:
    async with feed_of(*mails_per_second) as peer:
        found = await listed(peer, 100)

    per_second = Counter((NOON - mail.last_event_at).seconds for mail in found)
    assert [per_second[number] for number in range(len(mails_per_second))] == list(mails_per_second)
    assert len({mail.list_id for mail in found}) == len(found)
    assert [mail.last_event_at for mail in found] == sorted((mail.last_event_at for mail in found), reverse=True)


async def test_small_pages_are_cut_from_what_is_shown_at_once_because_few_questions_are_answered() -> None:
    async with feed_of(300, 300, 300) as peer:
        found = await listed(peer, 100)

        assert len(found) == 900
        assert len(peer.requests) == 1


async def test_what_was_shown_a_minute_ago_is_asked_for_again_and_so_is_the_first_page() -> None:
    clock = ManualClock(NOON)
    async with feed_of(300) as peer, feed_at(peer.url, clock) as feed:
        first = await feed.page(None, 100)
        assert isinstance(first, Done)
        clock.advance(60)
        await feed.page(first.value.end(), 100)
        await feed.page(None, 100)

        assert len(peer.requests) == 3


async def test_a_second_with_more_mails_than_are_ever_shown_is_told_and_not_guessed_at() -> None:
    async with feed_of(3, MOST + 1, 1) as peer, feed_at(peer.url) as feed:
        first = await feed.page(None, 100)
        assert isinstance(first, Done)
        further = await feed.page(first.value.end(), 100)

    assert isinstance(further, NotDone)
    assert "share one second" in further.reason.why


async def test_the_key_goes_along_and_the_first_page_begins_tomorrow() -> None:
    async with saying(200, b'{"messages": []}') as peer, feed_at(peer.url, ManualClock(NOON)) as feed:
        await feed.page(None, 100)

    head = peer.requests[0]
    assert head.startswith(b"GET /v3/messages?limit=1000&query=last_event_time%20BETWEEN%20TIMESTAMP%20")
    assert b"%222026-11-24T12%3A00%3A00Z%22" in head
    assert f"authorization: Bearer {API_KEY}".encode() in head


async def test_a_limit_of_questions_says_when_to_ask_again() -> None:
    reset = int(NOON.timestamp()) + 17
    async with saying(429, b"", f"x-ratelimit-reset: {reset}") as peer, feed_at(peer.url, ManualClock(NOON)) as feed:
        assert await feed.page(None, 100) == Unknown("http 429", 17.0)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"messages": 7}', b'{"messages": [{}]}', b'{"messages": [{"msg_id": 1}]}']
)
async def test_an_answer_that_makes_no_sense_is_no_list(body: bytes) -> None:
    async with saying(200, body) as peer, feed_at(peer.url) as feed:
        assert isinstance(await feed.page(None, 100), Unknown)


async def test_nobody_there_is_no_list() -> None:
    async with feed_at(f"http://127.0.0.1:{unused_port()}") as feed:
        assert isinstance(await feed.page(None, 100), Unknown)
