"""NotifyService as the command calls it: out come the documents of the REST API, errors come as refusals."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from ordermesh.notify.v1 import notify_service_pb2 as pb
from ordermesh.notify.v1 import notify_service_pb2_grpc

from cli.config import CliConfig, environment
from cli.dial_grpc import CALL_SECONDS, Line, dialled, run
from cli.failures import of_refusal
from cli.progress import waiting
from gateway.write_json import MessageWriters
from kernel.errors import Refusal

T = TypeVar("T")

Json = dict[str, Any]

_SERVICE = pb.DESCRIPTOR.services_by_name["NotifyService"]
# An order has one mail for each thing that happens to it; more than a page of them nobody reads.
_MOST_MAILS = 200


class MailCalls:
    """The calls, over one channel.

    All methods raise:
        Refusal: It was not done, for the reason given, or nobody answered (UNAVAILABLE, DEADLINE_EXCEEDED).
    """

    def __init__(self, line: Line) -> None:
        self._refusals = line.refusals
        self._stub = notify_service_pb2_grpc.NotifyServiceStub(line.channel.for_stub)
        self._write = MessageWriters().write

    async def preview(self, kind: int, locale: str) -> pb.PreviewNotificationResponse:
        """Return the mail of a sample order."""
        request = pb.PreviewNotificationRequest(kind=kind, locale=locale)  # type: ignore[arg-type]  # a number of the enum
        with self._refusals():
            answer: pb.PreviewNotificationResponse = await self._stub.PreviewNotification(request, timeout=CALL_SECONDS)
        return answer

    async def of_order(self, order_id: str) -> list[Json]:
        """Return the mails of an order, oldest first."""
        request = pb.ListNotificationsRequest(order_id=order_id, page_size=_MOST_MAILS)
        with self._refusals():
            answer = await self._stub.ListNotifications(request, timeout=CALL_SECONDS)
        return [self._document(each) for each in reversed(answer.notifications)]

    async def mail(self, notification_id: str) -> Json:
        """Return a mail as it is sent, and what became of it."""
        request = pb.GetNotificationMailRequest(notification_id=notification_id)
        with self._refusals():
            return self._document(await self._stub.GetNotificationMail(request, timeout=CALL_SECONDS))

    async def resend(self, notification_id: str, request_id: str) -> Json:
        """Have a mail sent again; the same request_id never does it twice."""
        request = pb.ResendNotificationRequest(notification_id=notification_id, request_id=request_id)
        with self._refusals():
            answer = await self._stub.ResendNotification(request, timeout=CALL_SECONDS)
        return self._document(answer.notification)

    def _document(self, message: Any) -> Json:  # noqa: ANN401  (any message of the contract)
        document: Json = self._write(message)
        return document


@asynccontextmanager
async def mail_calls(config: CliConfig) -> AsyncIterator[MailCalls]:
    """Open a channel to notify_svc and close it again."""
    async with dialled(config.notify_address, "NOTIFY_ADDR", _SERVICE, config) as line:
        yield MailCalls(line)


def call(body: Callable[[MailCalls], Coroutine[Any, Any, T]]) -> T:
    """Return what a call to the notification service answers; shows on a terminal that it waits.

    Raises:
        Failure: It was refused, or nobody answers.
    """

    async def work() -> T:
        async with mail_calls(CliConfig.from_env(environment())) as calls:
            return await body(calls)

    try:
        with waiting("asking the notification service"):
            return run(work())
    except Refusal as refusal:
        raise of_refusal(refusal) from None
