"""NotifyService: wire → use case → wire."""

from ordermesh.notify.v1 import notify_service_pb2, notify_service_pb2_grpc

from chassis import caller
from chassis.layers import Context
from chassis.provider_watch import ProviderWatch
from chassis.telemetry import conventions, spans
from chassis.wire import backlog_to_wire, fingerprint, provider_health_to_wire
from kernel.request import Request
from notify_svc import wire
from notify_svc.app.accept import SendNotification
from notify_svc.app.events import IngestEvents
from notify_svc.app.feed import ListFeed
from notify_svc.app.news import NotificationNews
from notify_svc.app.preview import PreviewNotification
from notify_svc.app.read import ReadNotifications
from notify_svc.app.stored_mail import ReadMail
from notify_svc.domain.notification import one_line
from notify_svc.domain.sample import sample_order


class NotifyServicer(notify_service_pb2_grpc.NotifyServiceServicer):
    """The RPCs of ordermesh.notify.v1.NotifyService."""

    def __init__(
        self,
        send_notification: SendNotification,
        read_notifications: ReadNotifications,
        ingest_events: IngestEvents,
        list_feed: ListFeed,
        preview_notification: PreviewNotification,
        news: NotificationNews,
        read_mail: ReadMail,
        provider: ProviderWatch,
    ) -> None:
        self._send_notification = send_notification
        self._read_notifications = read_notifications
        self._ingest_events = ingest_events
        self._list_feed = list_feed
        self._preview_notification = preview_notification
        self._news = news
        self._read_mail = read_mail
        self._provider = provider

    async def SendNotification(
        self, request: notify_service_pb2.SendNotificationRequest, context: Context
    ) -> notify_service_pb2.SendNotificationResponse:
        span = spans.current()
        if span is not None:
            span.set(conventions.ORDER_ID, request.order.order_id)
        kind, order = wire.kind_from_wire(request.kind), wire.summary_from_wire(request.order)
        details = wire.details_from_wire(request, order)
        wire.check_complete(kind, details)
        notification = await self._send_notification(
            Request(caller.current().key_owner, request.request_id, fingerprint(request)),
            kind,
            request.recipient_email,
            one_line(request.recipient_name),
            order,
            "" if span is None else span.traceparent(),
            details,
            request.locale,
        )
        return notify_service_pb2.SendNotificationResponse(notification=wire.notification_to_wire(notification))

    async def GetNotification(
        self, request: notify_service_pb2.GetNotificationRequest, context: Context
    ) -> notify_service_pb2.GetNotificationResponse:
        notification = await self._read_notifications.get(request.notification_id)
        return notify_service_pb2.GetNotificationResponse(notification=wire.notification_to_wire(notification))

    async def ListNotifications(
        self, request: notify_service_pb2.ListNotificationsRequest, context: Context
    ) -> notify_service_pb2.ListNotificationsResponse:
        found, more = await self._read_notifications.page(
            request.order_id, wire.page_token_from_wire(request), wire.page_size_from_wire(request)
        )
        return notify_service_pb2.ListNotificationsResponse(
            notifications=[wire.notification_to_wire(each) for each in found],
            next_page_token=wire.page_token_to_wire(found[-1]) if more else "",
        )

    async def IngestSendgridEvents(
        self, request: notify_service_pb2.IngestSendgridEventsRequest, context: Context
    ) -> notify_service_pb2.IngestSendgridEventsResponse:
        accepted, duplicates = await self._ingest_events(request.payload, request.signature, request.timestamp)
        return notify_service_pb2.IngestSendgridEventsResponse(accepted=accepted, duplicates=duplicates)

    async def PreviewNotification(
        self, request: notify_service_pb2.PreviewNotificationRequest, context: Context
    ) -> notify_service_pb2.PreviewNotificationResponse:
        order = wire.summary_from_wire(request.order) if request.HasField("order") else None
        letter, locale = self._preview_notification(
            wire.kind_from_wire(request.kind),
            request.locale,
            order,
            wire.details_from_wire(request, order or sample_order()),
        )
        return notify_service_pb2.PreviewNotificationResponse(
            subject=letter.subject, text=letter.text, html=letter.html, locale=locale
        )

    async def ListNotificationNews(
        self, request: notify_service_pb2.ListNotificationNewsRequest, context: Context
    ) -> notify_service_pb2.ListNotificationNewsResponse:
        size = wire.news_size_from_wire(request)
        found = await self._news.listed(size, wire.news_place_from_wire(request.page_token))
        return notify_service_pb2.ListNotificationNewsResponse(
            notifications=[wire.notification_to_wire(each) for each in found],
            next_page_token=wire.news_place_to_wire(found[-1]) if len(found) == size else "",
        )

    async def AcknowledgeNotificationNews(
        self, request: notify_service_pb2.AcknowledgeNotificationNewsRequest, context: Context
    ) -> notify_service_pb2.AcknowledgeNotificationNewsResponse:
        await self._news.acknowledge(request.notification_id, request.version)
        return notify_service_pb2.AcknowledgeNotificationNewsResponse()

    async def ListProviderMails(
        self, request: notify_service_pb2.ListProviderMailsRequest, context: Context
    ) -> notify_service_pb2.ListProviderMailsResponse:
        page = await self._list_feed(wire.feed_place_from_wire(request.page_token), wire.feed_size_from_wire(request))
        return notify_service_pb2.ListProviderMailsResponse(
            mails=[wire.listed_mail_to_wire(each) for each in page.mails],
            next_page_token=wire.feed_place_to_wire(page.end()) if page.has_more else "",
        )

    async def GetNotificationMail(
        self, request: notify_service_pb2.GetNotificationMailRequest, context: Context
    ) -> notify_service_pb2.GetNotificationMailResponse:
        return wire.mail_to_wire(await self._read_mail(request.notification_id))

    async def ResendNotification(
        self, request: notify_service_pb2.ResendNotificationRequest, context: Context
    ) -> notify_service_pb2.ResendNotificationResponse:
        span, who = spans.current(), caller.current()
        notification = await self._send_notification.again(
            Request(who.key_owner, request.request_id, fingerprint(request)),
            request.notification_id,
            who.principal,
            "" if span is None else span.traceparent(),
        )
        return notify_service_pb2.ResendNotificationResponse(notification=wire.notification_to_wire(notification))

    async def GetMailProvider(
        self, request: notify_service_pb2.GetMailProviderRequest, context: Context
    ) -> notify_service_pb2.GetMailProviderResponse:
        waiting = await self._read_notifications.backlog()
        return notify_service_pb2.GetMailProviderResponse(
            health=provider_health_to_wire(self._provider.health()),
            backlog=backlog_to_wire("mail", waiting.depth, waiting.oldest_seconds),
        )
