"""notify_svc through its stubs."""

import logging
from collections.abc import Iterable

from ordermesh.notify.v1 import notification_pb2, notify_service_pb2, notify_service_pb2_grpc

from chassis.wire import address_to_wire, money_to_wire, time_to_wire
from kernel.errors import Reason, Refusal
from kernel.money import Money
from kernel.outcome import Done, NotDone, Unknown
from order_svc.adapters.calls import outcome, readable
from order_svc.app.ports import MailNews, Page
from order_svc.domain.draft import Item
from order_svc.domain.fulfilment import Quantity, unshipped
from order_svc.domain.order import Order
from order_svc.domain.refund import RefundKind
from order_svc.domain.task import Task, TaskKind

_logger = logging.getLogger(__name__)

# notify_svc only stores the notification before it answers, and reads its own tables for news.
_CALL_SECONDS = 5.0

_KINDS = {
    TaskKind.SEND_CONFIRMATION: notification_pb2.NOTIFICATION_KIND_ORDER_CONFIRMATION,
    TaskKind.SEND_ACTION_REQUIRED: notification_pb2.NOTIFICATION_KIND_PAYMENT_ACTION_REQUIRED,
    TaskKind.SEND_PAYMENT_FAILED: notification_pb2.NOTIFICATION_KIND_PAYMENT_FAILED,
    TaskKind.SEND_SHIPPED: notification_pb2.NOTIFICATION_KIND_ORDER_SHIPPED,
    TaskKind.SEND_DELIVERED: notification_pb2.NOTIFICATION_KIND_ORDER_DELIVERED,
    TaskKind.SEND_CANCELLED: notification_pb2.NOTIFICATION_KIND_ORDER_CANCELLED,
    TaskKind.SEND_REFUNDED: notification_pb2.NOTIFICATION_KIND_ORDER_REFUNDED,
}


class GrpcMails:
    """The port `Mails`."""

    def __init__(self, stub: "notify_service_pb2_grpc.NotifyServiceAsyncStub") -> None:
        self._stub = stub

    async def send(self, order: Order, task: Task) -> Done[str] | NotDone[Refusal] | Unknown:
        """Have the mail of a task sent and return the notification's id."""
        request = notify_service_pb2.SendNotificationRequest(
            request_id=_request_id(order, task),
            kind=_KINDS[task.kind],
            recipient_email=order.draft.customer.email,
            recipient_name=order.draft.customer.name,
            locale=order.draft.customer.locale,
            order=_summary(order),
            shipment=_shipment(order, task.number) if task.kind is TaskKind.SEND_SHIPPED else None,
            refund=_refund(order, task.number) if task.kind is TaskKind.SEND_REFUNDED else None,
            payment=_payment(order) if task.kind in _ABOUT_PAYMENT else None,
        )
        call = self._stub.SendNotification(request, timeout=_CALL_SECONDS)
        return _asked_for_once(await outcome(call, lambda answer: answer.notification.notification_id))

    async def news(self, after: str = "") -> Done[Page[MailNews]] | NotDone[Refusal] | Unknown:
        """List mails that did not reach their readers, the longest unheard first: the page after a page."""
        request = notify_service_pb2.ListNotificationNewsRequest(page_token=after)
        return await outcome(self._stub.ListNotificationNews(request, timeout=_CALL_SECONDS), _news)

    async def acknowledge(self, news: MailNews) -> Done[None] | NotDone[Refusal] | Unknown:
        """Say that the news of a mail was taken in, up to its version."""
        request = notify_service_pb2.AcknowledgeNotificationNewsRequest(
            request_id=f"{news.notification_id}:news:{news.version}",
            notification_id=news.notification_id,
            version=news.version,
        )
        call = self._stub.AcknowledgeNotificationNews(request, timeout=_CALL_SECONDS)
        return await outcome(call, lambda _: None)


_ABOUT_PAYMENT = frozenset({TaskKind.SEND_ACTION_REQUIRED, TaskKind.SEND_PAYMENT_FAILED})


def _asked_for_once(answered: Done[str] | NotDone[Refusal] | Unknown) -> Done[str] | NotDone[Refusal] | Unknown:
    """Take a mail that was accepted before, while the order stood otherwise, for what it is: accepted."""
    match answered:
        case NotDone(Refusal(reason=Reason.REQUEST_ID_REUSED) as refusal) if "notificationId" in refusal.metadata:
            return Done(refusal.metadata["notificationId"])
        case _:
            return answered


def _request_id(order: Order, task: Task) -> str:
    # The confirmation's key is older than the other mails, and may be repeated by tasks of before.
    if task.kind is TaskKind.SEND_CONFIRMATION:
        return f"{order.order_id}:confirmation"
    return f"{order.order_id}:{task.name}"


def _summary(order: Order) -> notification_pb2.OrderSummary:
    draft = order.draft
    # An order that failed before its tax was known still tells what it was about.
    nothing = draft.subtotal - draft.subtotal
    return notification_pb2.OrderSummary(
        order_id=order.order_id,
        lines=[_line(item, item.quantity) for item in draft.items],
        subtotal=money_to_wire(draft.subtotal),
        tax=money_to_wire(order.tax.amount if order.tax else nothing),
        total=money_to_wire(order.total or draft.subtotal),
        ship_to=address_to_wire(draft.ship_to),
        prices_include_tax=draft.prices_include_tax,
        reference=order.terms.reference,
    )


def _line(item: Item, quantity: int) -> notification_pb2.OrderSummaryLine:
    return notification_pb2.OrderSummaryLine(
        description=item.description or item.sku,
        quantity=quantity,
        amount=money_to_wire(item.unit_price * quantity),
    )


def _lines(order: Order, quantities: Iterable[Quantity]) -> list[notification_pb2.OrderSummaryLine]:
    items = {item.sku: item for item in order.draft.items}
    return [_line(items[each.sku], each.quantity) for each in quantities]


def _shipment(order: Order, number: int) -> notification_pb2.ShipmentSummary:
    upto = order.shipments[:number]
    shipment = upto[-1]
    return notification_pb2.ShipmentSummary(
        lines=_lines(order, shipment.items),
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        tracking_url=shipment.tracking_url,
        more_to_come=bool(unshipped(order.draft, upto)) and not shipment.release_rest,
    )


def _refund(order: Order, number: int) -> notification_pb2.RefundSummary:
    upto = order.refunds[:number]
    refund = upto[-1]
    gone = [each.amount for each in upto if each.counts and each.kind is not RefundKind.RELEASED]
    return notification_pb2.RefundSummary(
        amount=money_to_wire(refund.amount),
        # Not what has gone back by now: a mail that is asked for again says the same again.
        total=money_to_wire(Money.total(gone, refund.amount.currency_code)),
        lines=_lines(order, refund.items),
    )


def _payment(order: Order) -> notification_pb2.PaymentSummary:
    if order.failure is not None:
        return notification_pb2.PaymentSummary(message=order.failure.message)
    return notification_pb2.PaymentSummary(
        message=order.payment.decline_message if order.payment else "",
        act_before=None if order.expires_at is None else time_to_wire(order.expires_at),
    )


def _news(answer: notify_service_pb2.ListNotificationNewsResponse) -> Page[MailNews]:
    return Page(readable(answer.notifications, _mail_news, _tell_unreadable), answer.next_page_token)


def _tell_unreadable(message: notification_pb2.Notification) -> None:
    _logger.warning("mail_news.unreadable", extra={"notification_id": message.notification_id})


def _mail_news(message: notification_pb2.Notification) -> MailNews:
    return MailNews(
        order_id=message.order_id,
        notification_id=message.notification_id,
        version=message.version,
        kind=notification_pb2.NotificationKind.Name(message.kind).removeprefix("NOTIFICATION_KIND_").lower(),
        state=notification_pb2.NotificationState.Name(message.state).removeprefix("NOTIFICATION_STATE_").lower(),
        cause=message.last_error,
    )
