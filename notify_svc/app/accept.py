"""Accepting a notification: stored first, then sent."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from kernel.bell import Bell
from kernel.clock import Clock
from kernel.errors import Reason, Refusal
from kernel.ids import Ids
from kernel.request import Request
from notify_svc.app.dispatch import Dispatch
from notify_svc.app.ports import Notifications, Work
from notify_svc.app.read import notification_not_found
from notify_svc.domain import sending
from notify_svc.domain.content import NO_DETAILS, Details, OrderSummary
from notify_svc.domain.notification import Kind, Notification, State


class SendNotification:
    """Accepts a notification durably and has it sent.

    When a slot is free and the mail provider is up, the first attempt is marked in the commit that accepts the
    notification, and made as soon as that is durable: such a mail costs two commits. Otherwise the worker sends it.

    Args:
        notifications: Where they are kept.
        dispatch: Makes the first attempt.
        bell: Rung when the worker has to make it.
        work: Keeps an attempt alive when the call is over.
        clock: The time.
        ids: Makes the notification's id.
        locale: Returns the locale that is written for when one is asked for, as `Writer.locale` does.
    """

    def __init__(
        self,
        notifications: Notifications,
        dispatch: Dispatch,
        bell: Bell,
        work: Work,
        clock: Clock,
        ids: Ids,
        locale: Callable[[str], str],
    ) -> None:
        self._notifications = notifications
        self._dispatch = dispatch
        self._bell = bell
        self._work = work
        self._clock = clock
        self._ids = ids
        self._locale = locale

    async def __call__(
        self,
        request: Request,
        kind: Kind,
        recipient_email: str,
        recipient_name: str,
        summary: OrderSummary,
        traceparent: str,
        details: Details = NO_DETAILS,
        locale: str = "",
    ) -> Notification:
        """Return the notification, the same for every repetition.

        Raises:
            Refusal: REQUEST_ID_REUSED, or UNAVAILABLE while it is not known whether it was accepted; the same command
                settles that.
        """
        now = self._now()
        notification = Notification(
            notification_id=self._ids.new(),
            version=1,
            kind=kind,
            recipient_email=recipient_email,
            recipient_name=recipient_name,
            summary=summary,
            traceparent=traceparent,
            created_at=now,
            details=details,
            locale=self._locale(locale),
            request_id=request.request_id,
            due_at=now,
        )
        return await self._accepted(request, notification, now)

    async def again(self, request: Request, notification_id: str, resent_by: str, traceparent: str) -> Notification:
        """Return a new notification that says the same to the same reader; the same one for every repetition.

        Args:
            request: The idempotency key.
            notification_id: Of the notification to send again.
            resent_by: Who wants it.
            traceparent: The trace in which it was asked for; empty when there is none.

        Raises:
            Refusal: NOTIFICATION_NOT_FOUND; ILLEGAL_STATE while it is still to be sent by itself, or its reader is no
                longer known; and as above.
        """
        earlier = await self._notifications.get(notification_id)
        if earlier is None:
            raise notification_not_found(notification_id)
        if earlier.state is State.ACCEPTED and earlier.due_at is not None:
            raise Refusal(
                Reason.ILLEGAL_STATE,
                "The mail is still being sent, and goes on by itself; nothing was done.",
                metadata={"notificationId": notification_id, "state": earlier.state.value},
            )
        if not earlier.recipient_email:  # retention has emptied it
            raise Refusal(
                Reason.ILLEGAL_STATE,
                "The mail is so old that its reader is no longer known; nothing was sent.",
                metadata={"notificationId": notification_id, "state": earlier.state.value},
            )
        now = self._now()
        notification = Notification(
            notification_id=self._ids.new(),
            version=1,
            kind=earlier.kind,
            recipient_email=earlier.recipient_email,
            recipient_name=earlier.recipient_name,
            summary=earlier.summary,
            traceparent=traceparent,
            created_at=now,
            details=earlier.details,
            locale=earlier.locale,
            request_id=request.request_id,
            resent_from=notification_id,
            resent_by=resent_by,
            due_at=now,
        )
        return await self._accepted(request, notification, now)

    def _now(self) -> datetime:
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)  # what the database keeps, so it reads back

    async def _accepted(self, request: Request, notification: Notification, now: datetime) -> Notification:
        if self._dispatch.reserve():
            notification = sending.begun(notification, now)
            accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            # A task of its own, so that a caller that goes away in between leaves no attempt marked and not made.
            self._work.start(self._accept_and_deliver(request, notification, accepted), "mail")
            added = await asyncio.shield(accepted)
        else:
            added = await self._notifications.add(request, notification)
            self._bell.ring()
        return notification if added else await self._earlier(request)

    async def _accept_and_deliver(
        self, request: Request, notification: Notification, accepted: "asyncio.Future[bool]"
    ) -> None:
        try:
            added = await self._notifications.add(request, notification)
        except BaseException as error:  # noqa: BLE001  (whatever it is, the waiting call hears of it)
            self._dispatch.release()
            accepted.set_exception(error)
            accepted.exception()  # when its caller is gone, nobody needs to hear of it
            return
        accepted.set_result(added)
        if added:
            await self._dispatch.deliver(notification)
        else:
            self._dispatch.release()

    async def _earlier(self, request: Request) -> Notification:
        earlier = await self._notifications.find(request)
        if earlier is None:
            raise Refusal(
                Reason.UNAVAILABLE,
                "It is not known whether the notification was stored; repeat the request.",
                retry_after=1.0,
            )
        fingerprint, notification = earlier
        if fingerprint != request.fingerprint:
            raise Refusal(
                Reason.REQUEST_ID_REUSED,
                "This request_id was used before with another request; nothing was changed. Use a new one.",
                metadata={"notificationId": notification.notification_id},
            )
        return notification
