"""What the use cases rely on in `Mails`: true of the fake, and of notify_svc on a sandbox alike."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from kernel.outcome import Done
from order_svc.adapters.notify_grpc import GrpcMails
from order_svc.app.ports import MailNews, Mails
from order_svc.domain.order import Order, Stage, State
from order_svc.domain.task import Task, TaskKind
from tests.fakes.notify_over_grpc import Service, is_sent, notify_service
from tests.fakes.notify_signing import SendgridKey, raw_event
from tests.fakes.order_ports import FakeMails
from tests.fakes.order_samples import ORDER_ID, a_payment, an_order, euros
from tests.fakes.sandbox_world import sandbox_world

CONFIRMATION = Task(ORDER_ID, TaskKind.SEND_CONFIRMATION)
WHY = "The recipient's mail server refused it (5.1.1)"


@dataclass
class Office:
    """Mails, and what makes one bounce that was sent."""

    mails: Mails
    bounce: Callable[[str], Awaitable[None]]

    async def sent(self, task: Task = CONFIRMATION) -> str:
        """Have the mail of a task sent and return its id."""
        outcome = await self.mails.send(paid(), task)
        assert isinstance(outcome, Done), outcome
        return outcome.value

    async def news(self) -> list[MailNews]:
        """List what did not reach its readers."""
        outcome = await self.mails.news()
        assert isinstance(outcome, Done), outcome
        assert outcome.value.after == ""
        return list(outcome.value.items)


def paid() -> Order:
    order = an_order(Stage.SETTLED, state=State.PAID)
    return replace(order, payment=a_payment(euros(7075)))


def _at_fake() -> Office:
    fake = FakeMails()

    async def bounce(notification_id: str) -> None:
        fake.unheard.append(MailNews(ORDER_ID, notification_id, 3, "order_confirmation", "bounced", WHY))

    return Office(fake, bounce)


def _at_service(service: Service, key: SendgridKey) -> Office:
    async def bounce(notification_id: str) -> None:
        await service.until(notification_id, is_sent)
        await service.told(key, raw_event("bounce", notification_id, status="5.1.1"))

    return Office(GrpcMails(service.stub), bounce)


@pytest.fixture(params=["fake", "service"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    if request.param == "fake":
        yield _at_fake()
        return
    key = SendgridKey()
    async with (
        sandbox_world(tmp_path / "sandbox") as world,
        notify_service(world, tmp_path, SENDGRID_WEBHOOK_PUBLIC_KEY=key.public) as service,
    ):
        yield _at_service(service, key)


async def test_each_task_has_one_mail_however_often_it_is_asked_for(office: Office) -> None:
    confirmation = await office.sent()
    cancelled = await office.sent(Task(ORDER_ID, TaskKind.SEND_CANCELLED))

    assert await office.sent() == confirmation
    assert cancelled != confirmation
    assert await office.news() == []


async def test_a_mail_that_bounced_is_news_until_its_version_is_acknowledged(office: Office) -> None:
    notification_id = await office.sent()
    await office.bounce(notification_id)

    (news,) = await office.news()
    assert (news.order_id, news.notification_id) == (ORDER_ID, notification_id)
    assert (news.kind, news.state, news.cause) == ("order_confirmation", "bounced", WHY)
    assert await office.mails.acknowledge(replace(news, version=news.version - 1)) == Done(None)
    assert await office.news() == [news]
    for _ in range(2):
        assert await office.mails.acknowledge(news) == Done(None)
        assert await office.news() == []
