"""What every mailer promises: the fake, SendGrid's adapter on the sandbox, and SMTP's on a mail server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kernel.outcome import Done, NotDone, Unknown
from notify_svc.app.ports import Mailer, Postponed, Refused
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_mailer import FakeMailer
from tests.fakes.notify_samples import notification
from tests.fakes.notify_world import sendgrid_at, smtp_at
from tests.fakes.sandbox_world import sandbox_world
from tests.fakes.smtp_server import HANG_UP, SmtpPeer, smtp_peer

Lever = Callable[[], Awaitable[None]]


@dataclass
class Post:
    """A mailer and the levers of its outside world."""

    mailer: Mailer
    clock: ManualClock
    mails: Callable[[], Awaitable[list[str]]]
    go_away: Lever
    come_back: Lever
    lose_an_answer: Lever
    refuse_one: Lever
    postpone_one: Lever
    refusal: str = "400"


@pytest.fixture(params=["fake", "sandbox", "smtp"])
async def post(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Post]:
    clock = ManualClock()
    if request.param == "fake":
        yield _fake_post(clock)
        return
    if request.param == "smtp":
        async with smtp_peer() as peer:
            yield _smtp_post(peer, clock)
        return
    async with (
        sandbox_world(tmp_path) as world,
        sendgrid_at(f"{world.url}/sendgrid", clock) as sendgrid,
    ):

        async def mails() -> list[str]:
            return [mail["custom_args"]["notification_id"] for mail in await world.mails()]

        async def come_back() -> None:
            await world.http.delete("/faults")

        def fault(**more: object) -> Lever:
            async def set_it() -> None:
                await world.fault("sendgrid", **more)

            return set_it

        yield Post(
            sendgrid,
            clock,
            mails,
            go_away=fault(mode="outage"),
            come_back=come_back,
            lose_an_answer=fault(mode="lost_answer", times=1),
            refuse_one=fault(mode="error", status=400, times=1),
            postpone_one=fault(mode="error", status=503, times=1),
        )


def _smtp_post(peer: SmtpPeer, clock: ManualClock) -> Post:
    async def mails() -> list[str]:
        return [mail["X-Ordermesh-Notification-Id"] for mail in peer.mails]

    def switch(*, away: bool) -> Lever:
        async def set_it() -> None:
            peer.away = away

        return set_it

    def answer(verb: str, answer: str) -> Lever:
        async def set_it() -> None:
            peer.script(verb, answer)

        return set_it

    return Post(
        smtp_at(peer.port, clock),
        clock,
        mails,
        go_away=switch(away=True),
        come_back=switch(away=False),
        lose_an_answer=answer("CONTENT", HANG_UP),
        refuse_one=answer("RCPT", "550 5.1.1 no such user"),
        postpone_one=answer("RCPT", "450 4.2.1 greylisted"),
        refusal="550 5.1.1",
    )


def _fake_post(clock: ManualClock) -> Post:
    mailer = FakeMailer()

    async def mails() -> list[str]:
        return mailer.mails

    async def away() -> None:
        mailer.away = True

    async def back() -> None:
        mailer.away = False

    async def lose() -> None:
        mailer.lost_are_sent = True
        mailer.outcomes.append(Unknown("lost"))

    async def refuse() -> None:
        mailer.outcomes.append(NotDone(Refused("400")))

    async def postpone() -> None:
        mailer.outcomes.append(NotDone(Postponed("503")))

    return Post(mailer, clock, mails, away, back, lose, refuse, postpone)


async def test_a_mail_that_is_taken_has_an_id_and_is_there_once(post: Post) -> None:
    sent = notification()

    outcome = await post.mailer.send(sent)

    assert isinstance(outcome, Done)
    assert outcome.value
    assert await post.mails() == [sent.notification_id]
    assert post.mailer.is_up


async def test_many_at_once_are_all_there(post: Post) -> None:
    sent = [notification() for _ in range(20)]

    outcomes = await asyncio.gather(*(post.mailer.send(each) for each in sent))

    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert sorted(await post.mails()) == sorted(each.notification_id for each in sent)


async def test_a_mail_refused_for_good_is_not_there_and_says_why(post: Post) -> None:
    await post.refuse_one()

    outcome = await post.mailer.send(notification())

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, Refused)
    assert post.refusal in outcome.reason.why
    assert await post.mails() == []
    assert post.mailer.is_up


async def test_a_mail_that_was_not_taken_can_be_sent_later(post: Post) -> None:
    await post.postpone_one()
    sent = notification()

    outcome = await post.mailer.send(sent)
    post.clock.advance(post.mailer.pause_seconds())
    await post.mailer.probe()
    again = await post.mailer.send(sent)

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, Postponed)
    assert isinstance(again, Done)
    assert await post.mails() == [sent.notification_id]


async def test_a_lost_answer_is_unknown_and_may_have_been_a_mail(post: Post) -> None:
    await post.lose_an_answer()
    sent = notification()

    assert isinstance(await post.mailer.send(sent), Unknown)
    assert await post.mails() == [sent.notification_id]


async def test_an_outage_is_noticed_by_one_mail_and_its_end_by_a_probe_that_sends_nothing(post: Post) -> None:
    await post.go_away()
    noticed = await post.mailer.send(notification())
    assert isinstance(noticed, Unknown) or (isinstance(noticed, NotDone) and isinstance(noticed.reason, Postponed))
    assert not post.mailer.is_up

    post.clock.advance(post.mailer.pause_seconds())
    await post.mailer.probe()
    assert not post.mailer.is_up

    await post.come_back()
    kept_back = await post.mailer.send(notification())
    assert isinstance(kept_back, NotDone)
    assert isinstance(kept_back.reason, Postponed)
    post.clock.advance(post.mailer.pause_seconds())
    await post.mailer.probe()
    assert post.mailer.is_up
    assert await post.mails() == []
