"""ordermesh.notify.v1 ⇄ domain. Total functions: what the rules of the protos cannot state is refused by field."""

import base64
from datetime import UTC, datetime
from uuid import UUID

from ordermesh.notify.v1 import notification_pb2, notify_service_pb2

from chassis import wire
from kernel.errors import Refusal
from notify_svc.domain.feed import FeedPlace, ListedMail
from notify_svc.domain.notification import Kind, Notification, OrderSummary, State, SummaryLine

_DEFAULT_PAGE = 50
_LARGEST_PAGE = 200
_LARGEST_FEED_PAGE = 100

_KINDS = {notification_pb2.NOTIFICATION_KIND_ORDER_CONFIRMATION: Kind.ORDER_CONFIRMATION}
_KINDS_OUT = {kind: value for value, kind in _KINDS.items()}
_STATES = {
    State.ACCEPTED: notification_pb2.NOTIFICATION_STATE_ACCEPTED,
    State.SENT: notification_pb2.NOTIFICATION_STATE_SENT,
    State.UNDELIVERABLE: notification_pb2.NOTIFICATION_STATE_UNDELIVERABLE,
    State.DELIVERED: notification_pb2.NOTIFICATION_STATE_DELIVERED,
    State.BOUNCED: notification_pb2.NOTIFICATION_STATE_BOUNCED,
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
        lines=tuple(
            SummaryLine(
                description=line.description,
                quantity=line.quantity,
                amount=wire.money_from_wire(line.amount, f"order.lines[{place}].amount"),
            )
            for place, line in enumerate(message.lines)
        ),
        subtotal=wire.money_from_wire(message.subtotal, "order.subtotal"),
        tax=wire.money_from_wire(message.tax, "order.tax"),
        total=wire.money_from_wire(message.total, "order.total"),
        ship_to=wire.address_from_wire(message.ship_to),
    )
    _check_sums(summary)
    return summary


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
    )
    if notification.sent_at is not None:
        message.sent_time.CopyFrom(wire.time_to_wire(notification.sent_at))
    if notification.due_at is not None:
        message.next_attempt_time.CopyFrom(wire.time_to_wire(notification.due_at))
    return message


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


def _not_a_token() -> Refusal:
    return Refusal.of_field("page_token", "is not a token of ours; pass next_page_token as it was given")


def _check_sums(summary: OrderSummary) -> None:
    """Refuse a mail that would not add up in the customer's eyes."""
    currency_code = summary.total.currency_code
    named = [(f"order.lines[{place}].amount", line.amount) for place, line in enumerate(summary.lines)]
    for field, amount in [*named, ("order.subtotal", summary.subtotal), ("order.tax", summary.tax)]:
        if amount.currency_code != currency_code:
            raise Refusal.of_field(
                f"{field}.currency_code", f"is {amount.currency_code}, but order.total is in {currency_code}"
            )
    if sum(line.amount.minor_units for line in summary.lines) != summary.subtotal.minor_units:
        raise Refusal.of_field("order.subtotal", "is not the sum of the lines")
    if summary.subtotal + summary.tax != summary.total:
        raise Refusal.of_field("order.total", "is not order.subtotal plus order.tax")
