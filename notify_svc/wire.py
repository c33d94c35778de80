"""ordermesh.notify.v1 ⇄ domain. Total functions: what the rules of the protos cannot state is refused by field."""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ordermesh.notify.v1 import notification_pb2, notify_service_pb2

from chassis import wire
from kernel.errors import Refusal
from kernel.money import Money
from notify_svc.app.stored_mail import StoredMail
from notify_svc.domain.content import Details, OrderSummary, Payment, Refund, Shipment, SummaryLine
from notify_svc.domain.feed import FeedPlace, ListedMail
from notify_svc.domain.notification import Kind, Notification, State

_DEFAULT_PAGE = 50
_LARGEST_PAGE = 200
_LARGEST_FEED_PAGE = 100
_LARGEST_NEWS_PAGE = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_KINDS = {
    notification_pb2.NOTIFICATION_KIND_ORDER_CONFIRMATION: Kind.ORDER_CONFIRMATION,
    notification_pb2.NOTIFICATION_KIND_PAYMENT_ACTION_REQUIRED: Kind.PAYMENT_ACTION_REQUIRED,
    notification_pb2.NOTIFICATION_KIND_PAYMENT_FAILED: Kind.PAYMENT_FAILED,
    notification_pb2.NOTIFICATION_KIND_ORDER_SHIPPED: Kind.ORDER_SHIPPED,
    notification_pb2.NOTIFICATION_KIND_ORDER_DELIVERED: Kind.ORDER_DELIVERED,
    notification_pb2.NOTIFICATION_KIND_ORDER_CANCELLED: Kind.ORDER_CANCELLED,
    notification_pb2.NOTIFICATION_KIND_ORDER_REFUNDED: Kind.ORDER_REFUNDED,
}
_KINDS_OUT = {kind: value for value, kind in _KINDS.items()}
_STATES = {
    State.ACCEPTED: notification_pb2.NOTIFICATION_STATE_ACCEPTED,
    State.SENT: notification_pb2.NOTIFICATION_STATE_SENT,
    State.UNDELIVERABLE: notification_pb2.NOTIFICATION_STATE_UNDELIVERABLE,
    State.DELIVERED: notification_pb2.NOTIFICATION_STATE_DELIVERED,
    State.BOUNCED: notification_pb2.NOTIFICATION_STATE_BOUNCED,
    State.DROPPED: notification_pb2.NOTIFICATION_STATE_DROPPED,
    State.DEFERRED: notification_pb2.NOTIFICATION_STATE_DEFERRED,
    State.SPAM_REPORTED: notification_pb2.NOTIFICATION_STATE_SPAM_REPORTED,
}


def kind_from_wire(value: "notification_pb2.NotificationKind.ValueType") -> Kind:
    """Return the kind; the rule in the proto lets only defined ones through."""
    return _KINDS[value]


def summary_from_wire(message: notification_pb2.OrderSummary) -> OrderSummary:
    """Return the summary.

    Raises:
        Refusal: A currency is unknown, or there are two, or the sums are wrong; the field is named.
    """
    summary = OrderSummary(
        order_id=message.order_id,
        lines=_lines(message.lines, "order.lines"),
        subtotal=wire.money_from_wire(message.subtotal, "order.subtotal"),
        tax=wire.money_from_wire(message.tax, "order.tax"),
        total=wire.money_from_wire(message.total, "order.total"),
        ship_to=wire.address_from_wire(message.ship_to),
        prices_include_tax=message.prices_include_tax,
        reference=message.reference,
    )
    _check_sums(summary)
    return summary


def details_from_wire(
    request: notify_service_pb2.SendNotificationRequest | notify_service_pb2.PreviewNotificationRequest,
    order: OrderSummary,
) -> Details:
    """Return what the request tells besides the order.

    Raises:
        Refusal: An amount is in another currency than the order, or more goes back than was paid; the field is named.
    """
    shipment = _shipment(request.shipment) if request.HasField("shipment") else None
    refund = _refund(request.refund, order) if request.HasField("refund") else None
    payment = _payment(request.payment) if request.HasField("payment") else None
    for field, lines in (("shipment", shipment and shipment.lines), ("refund", refund and refund.lines)):
        for place, line in enumerate(lines or ()):
            _check_currency(f"{field}.lines[{place}].amount", line.amount, order)
    return Details(shipment, refund, payment)


def check_complete(kind: Kind, details: Details) -> None:
    """Refuse a mail that would have nothing to tell.

    Raises:
        Refusal: The kind needs a detail that is not there; it is named.
    """
    needed = kind.needs()
    if needed and getattr(details, needed) is None:
        raise Refusal.of_field(needed, f"is required for {kind.value}")


def notification_to_wire(notification: Notification) -> notification_pb2.Notification:
    """Return the notification as a message; the recipient stays here."""
    message = notification_pb2.Notification(
        notification_id=notification.notification_id,
        order_id=notification.summary.order_id,
        kind=_KINDS_OUT[notification.kind],
        state=_STATES[notification.state],
        attempts=notification.attempts,
        provider_message_id=notification.provider_message_id,
        last_error=notification.last_error,
        create_time=wire.time_to_wire(notification.created_at),
        locale=notification.locale,
        version=notification.version,
        request_id=notification.request_id,
        resent_from=notification.resent_from,
        resent_by=notification.resent_by,
    )
    if notification.sent_at is not None:
        message.sent_time.CopyFrom(wire.time_to_wire(notification.sent_at))
    if notification.due_at is not None:
        message.next_attempt_time.CopyFrom(wire.time_to_wire(notification.due_at))
    return message


def mail_to_wire(stored: StoredMail) -> notify_service_pb2.GetNotificationMailResponse:
    """Return a mail as it is sent, and what became of it."""
    return notify_service_pb2.GetNotificationMailResponse(
        notification=notification_to_wire(stored.notification),
        subject=stored.letter.subject,
        text=stored.letter.text,
        html=stored.letter.html,
        events=[
            notification_pb2.DeliveryEvent(
                kind=event.kind, status=event.status, occur_time=wire.time_to_wire(event.occurred_at)
            )
            for event in stored.events
        ],
    )


def page_size_from_wire(request: notify_service_pb2.ListNotificationsRequest) -> int:
    """Return how many notifications a page holds."""
    return min(request.page_size or _DEFAULT_PAGE, _LARGEST_PAGE)


def page_token_from_wire(request: notify_service_pb2.ListNotificationsRequest) -> str:
    """Return the notification id that a page begins below; empty for the first page.

    Raises:
        Refusal: The token is none of ours.
    """
    if not request.page_token:
        return ""
    try:
        return str(UUID(hex=request.page_token))
    except ValueError:
        raise _not_a_token() from None


def page_token_to_wire(last: Notification) -> str:
    """Return the token of the page that follows this notification."""
    return last.notification_id.replace("-", "")


def listed_mail_to_wire(mail: ListedMail) -> notification_pb2.ProviderMail:
    """Return a mail of SendGrid's list as a message. The list does not tell our own id of it."""
    return notification_pb2.ProviderMail(
        provider_message_id=mail.message_id,
        status=mail.status,
        last_event_time=wire.time_to_wire(mail.last_event_at),
    )


def feed_size_from_wire(request: notify_service_pb2.ListProviderMailsRequest) -> int:
    """Return how many mails of SendGrid's a page holds."""
    return min(request.page_size or _LARGEST_FEED_PAGE, _LARGEST_FEED_PAGE)


def feed_place_from_wire(token: str) -> FeedPlace | None:
    """Return the place that a page begins after; None for the first page.

    Raises:
        Refusal: The token is none of ours.
    """
    if not token:
        return None
    try:
        seconds, _, list_id = base64.b64decode(token, altchars=b"-_", validate=True).decode().partition("|")
        return FeedPlace(datetime.fromtimestamp(int(seconds), UTC), list_id)
    except (ValueError, OverflowError, OSError):
        raise _not_a_token() from None


def feed_place_to_wire(place: FeedPlace) -> str:
    """Return the token of the page that begins after the place; SendGrid's times are whole seconds."""
    return base64.urlsafe_b64encode(f"{int(place.at.timestamp())}|{place.list_id}".encode()).decode()


def news_size_from_wire(request: notify_service_pb2.ListNotificationNewsRequest) -> int:
    """Return how much news a page holds."""
    return min(request.page_size or _LARGEST_NEWS_PAGE, _LARGEST_NEWS_PAGE)


def news_place_from_wire(token: str) -> tuple[datetime, str] | None:
    """Return the (news_at, notification_id) that a page comes after; None for the first page.

    Raises:
        Refusal: The token is none of ours.
    """
    if not token:
        return None
    try:
        milliseconds, _, notification_id = token.partition("-")
        return _EPOCH + int(milliseconds) * _MILLISECOND, str(UUID(hex=notification_id))
    except (ValueError, OverflowError):
        raise _not_a_token() from None


def news_place_to_wire(last: Notification) -> str:
    """Return the token of the news after this notification's; empty when it is none."""
    if last.news_at is None:
        return ""
    return f"{(last.news_at - _EPOCH) // _MILLISECOND}-{last.notification_id.replace('-', '')}"


def _lines(messages: Iterable[notification_pb2.OrderSummaryLine], field: str) -> tuple[SummaryLine, ...]:
    return tuple(
        SummaryLine(
            description=line.description,
            quantity=line.quantity,
            amount=wire.money_from_wire(line.amount, f"{field}[{place}].amount"),
        )
        for place, line in enumerate(messages)
    )


def _shipment(message: notification_pb2.ShipmentSummary) -> Shipment:
    return Shipment(
        lines=_lines(message.lines, "shipment.lines"),
        carrier=message.carrier,
        tracking_number=message.tracking_number,
        tracking_url=message.tracking_url,
        more_to_come=message.more_to_come,
    )


def _refund(message: notification_pb2.RefundSummary, order: OrderSummary) -> Refund:
    refund = Refund(
        amount=wire.money_from_wire(message.amount, "refund.amount"),
        total=wire.money_from_wire(message.total, "refund.total"),
        lines=_lines(message.lines, "refund.lines"),
    )
    _check_currency("refund.amount", refund.amount, order)
    _check_currency("refund.total", refund.total, order)
    if refund.amount.minor_units > refund.total.minor_units:
        raise Refusal.of_field("refund.amount", "is more than refund.total, which it is part of")
    return refund


def _payment(message: notification_pb2.PaymentSummary) -> Payment:
    act_before = (
        wire.time_from_wire(message.act_before, "payment.act_before") if message.HasField("act_before") else None
    )
    # To the millisecond, which is what the database keeps.
    return Payment(
        message.message, act_before and act_before.replace(microsecond=act_before.microsecond // 1000 * 1000)
    )


def _not_a_token() -> Refusal:
    return Refusal.of_field("page_token", "is not a token of ours; pass next_page_token as it was given")


def _check_sums(summary: OrderSummary) -> None:
    """Refuse a mail that would not add up in the customer's eyes."""
    named = [(f"order.lines[{place}].amount", line.amount) for place, line in enumerate(summary.lines)]
    for field, amount in [*named, ("order.subtotal", summary.subtotal), ("order.tax", summary.tax)]:
        _check_currency(field, amount, summary)
    if sum(line.amount.minor_units for line in summary.lines) != summary.subtotal.minor_units:
        raise Refusal.of_field("order.subtotal", "is not the sum of the lines")
    if summary.prices_include_tax:
        if summary.subtotal != summary.total:
            raise Refusal.of_field("order.total", "is not order.subtotal, which contains the tax")
    elif summary.subtotal + summary.tax != summary.total:
        raise Refusal.of_field("order.total", "is not order.subtotal plus order.tax")


def _check_currency(field: str, amount: Money, order: OrderSummary) -> None:
    currency_code = order.total.currency_code
    if amount.currency_code != currency_code:
        raise Refusal.of_field(
            f"{field}.currency_code", f"is {amount.currency_code}, but order.total is in {currency_code}"
        )
