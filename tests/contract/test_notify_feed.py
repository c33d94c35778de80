"""What every list of a provider's mails promises: the fake, and SendGrid's adapter on the sandbox."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from kernel.errors import Reason, Refusal
from kernel.outcome import NotDone, Unknown
from notify_svc.app.feed import ListFeed
from notify_svc.app.ports import FeedDenied
from notify_svc.domain.feed import FeedPage, ListedMail
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_feed import FakeFeed
from tests.fakes.notify_world import feed_at
from tests.fakes.sandbox_world import mail, sandbox_world


@dataclass
class Post:
    """The list, and the levers of its outside world."""

    list_feed: ListFeed
    clock: ManualClock
    send: Callable[[str], Awaitable[str]]
    fail: Callable[[int], Awaitable[None]]

    async def all(self, size: int) -> list[ListedMail]:
        """Return all mails, read in pages."""
        found: list[ListedMail] = []
        after = None
        while True:
            page = await self.list_feed(after, size)
            found += page.mails
            assert len(page.mails) <= size
            if not page.has_more:
                return found
            after = page.end()


@pytest.fixture(params=["fake", "sandbox"])
async def post(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Post]:
    clock = ManualClock()
    if request.param == "fake":
        yield _fake_post(clock)
        return
    async with sandbox_world(tmp_path, clock=clock) as world, feed_at(f"{world.url}/sendgrid", clock) as feed:

        async def send(to: str) -> str:
            return (await world.send_mail(mail(to))).headers["x-message-id"]

        async def fail(status: int) -> None:
            await world.fault("sendgrid", mode="error", status=status, operation="messages.list")

        yield Post(ListFeed(feed), clock, send, fail)


def _fake_post(clock: ManualClock) -> Post:
    feed, numbers = FakeFeed(), count(1)

    async def send(to: str) -> str:
        message_id = f"message-{next(numbers)}"
        status = "not_delivered" if to.endswith("@bounce.example") else "delivered"
        feed.mails.append(ListedMail(f"{message_id}.0", message_id, status, clock.now().replace(microsecond=0)))
        return message_id

    async def fail(status: int) -> None:
        denied = status in {401, 403, 404}
        feed.trouble = NotDone(FeedDenied("no activity feed")) if denied else Unknown(f"http {status}")

    return Post(ListFeed(feed), clock, send, fail)


async def test_where_no_mail_was_sent_none_is_listed(post: Post) -> None:
    assert await post.list_feed(None, 100) == FeedPage((), has_more=False)


async def test_a_mail_is_listed_with_the_id_that_its_sender_was_told_and_without_its_recipient(post: Post) -> None:
    delivered = await post.send("buyer@shop.example")
    bounced = await post.send("buyer@bounce.example")

    mails = {mail.message_id: mail for mail in await post.all(10)}

    assert {id_: mail.status for id_, mail in mails.items()} == {delivered: "delivered", bounced: "not_delivered"}
    assert all(mail.last_event_at == post.clock.now().replace(microsecond=0) for mail in mails.values())
    assert "@" not in str(mails)


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_pages_show_each_mail_once_and_newest_first_also_within_one_second(post: Post, size: int) -> None:
    sent: list[str] = []
    for _ in range(3):
        sent += [await post.send(f"buyer-{n}@shop.example") for n in range(4)]
        post.clock.advance(2)

    found = await post.all(size)

    assert sorted(mail.message_id for mail in found) == sorted(sent)
    moments = [mail.last_event_at for mail in found]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] - moments[-1] == timedelta(seconds=4)


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_account_without_the_feed_is_told_as_such(post: Post, status: int) -> None:
    await post.fail(status)

    with pytest.raises(Refusal) as caught:
        await post.list_feed(None, 100)

    assert caught.value.reason is Reason.PROVIDER_REFUSED
    assert "activity feed" in caught.value.message


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_list_that_cannot_be_read_now_can_be_asked_for_again(post: Post, status: int) -> None:
    await post.fail(status)

    with pytest.raises(Refusal) as caught:
        await post.list_feed(None, 100)

    assert caught.value.reason is Reason.UNAVAILABLE
    assert caught.value.retry_after
