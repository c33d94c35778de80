"""A running notify service by its stub, on its own database, before a running sandbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ordermesh.notify.v1 import notification_pb2, notify_service_pb2, notify_service_pb2_grpc

from kernel.clock import SystemClock
from notify_svc.__main__ import running
from notify_svc.config import NotifyConfig
from tests.fakes.notify_signing import SendgridKey, batch
from tests.fakes.sandbox_world import World
from tests.fakes.service_over_grpc import called

ACCEPTED = notification_pb2.NOTIFICATION_STATE_ACCEPTED
SENT = notification_pb2.NOTIFICATION_STATE_SENT
DELIVERED = notification_pb2.NOTIFICATION_STATE_DELIVERED
BOUNCED = notification_pb2.NOTIFICATION_STATE_BOUNCED


def is_sent(notification: notification_pb2.Notification) -> bool:
    return notification.state == SENT


def has_failed(notification: notification_pb2.Notification) -> bool:
    return bool(notification.last_error)


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, its client and its outside world."""

    stub: Any
    world: World

    async def send(
        self, request: notify_service_pb2.SendNotificationRequest, metadata: tuple[tuple[str, str], ...] = ()
    ) -> notification_pb2.Notification:
        answer = await self.stub.SendNotification(request, metadata=metadata)
        notification: notification_pb2.Notification = answer.notification
        return notification

    async def get(self, notification_id: str) -> notification_pb2.Notification:
        request = notify_service_pb2.GetNotificationRequest(notification_id=notification_id)
        notification: notification_pb2.Notification = (await self.stub.GetNotification(request)).notification
        return notification

    async def until(
        self, notification_id: str, reached: Callable[[notification_pb2.Notification], bool]
    ) -> notification_pb2.Notification:
        """Wait until something is true of the notification; the test's own timeout ends a wait for ever."""
        while not reached(notification := await self.get(notification_id)):  # noqa: ASYNC110  (no client is told)
            await asyncio.sleep(0.02)
        return notification

    async def ingest(
        self, payload: bytes, signature: str, timestamp: str
    ) -> notify_service_pb2.IngestSendgridEventsResponse:
        request = notify_service_pb2.IngestSendgridEventsRequest(
            payload=payload, signature=signature, timestamp=timestamp
        )
        answer: notify_service_pb2.IngestSendgridEventsResponse = await self.stub.IngestSendgridEvents(request)
        return answer

    async def told(self, key: SendgridKey, *events: dict[str, object]) -> None:
        """Take in a batch of events that SendGrid signs with its key."""
        payload, now = batch(*events), str(int(SystemClock().now().timestamp()))
        await self.ingest(payload, key.sign(now, payload), now)

    async def news(self, page_size: int = 0, page_token: str = "") -> notify_service_pb2.ListNotificationNewsResponse:
        request = notify_service_pb2.ListNotificationNewsRequest(page_size=page_size, page_token=page_token)
        answer: notify_service_pb2.ListNotificationNewsResponse = await self.stub.ListNotificationNews(request)
        return answer

    async def acknowledge(self, notification_id: str, version: int) -> None:
        await self.stub.AcknowledgeNotificationNews(
            notify_service_pb2.AcknowledgeNotificationNewsRequest(
                request_id="key", notification_id=notification_id, version=version
            )
        )

    async def list(
        self, order_id: str = "", page_size: int = 0, page_token: str = ""
    ) -> notify_service_pb2.ListNotificationsResponse:
        request = notify_service_pb2.ListNotificationsRequest(
            order_id=order_id, page_size=page_size, page_token=page_token
        )
        answer: notify_service_pb2.ListNotificationsResponse = await self.stub.ListNotifications(request)
        return answer


@asynccontextmanager
async def notify_service(world: World, data_dir: Path, **values: str) -> AsyncIterator[Service]:
    """Run the service for as long as the context is open; started again, it finds what it left."""
    config = NotifyConfig.from_env(
        {
            "ORDERMESH_DATA_DIR": str(data_dir),
            "NOTIFY_ADDR": "127.0.0.1:0",
            "SANDBOX_ADDR": world.url.removeprefix("http://"),
            **values,
        }
    )
    async with called("notify", data_dir, partial(running, config)) as channel:
        yield Service(notify_service_pb2_grpc.NotifyServiceStub(channel), world)
