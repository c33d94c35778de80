"""A notification, as the domain and as the wire have it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from ordermesh.notify.v1 import notification_pb2, notify_service_pb2
from ordermesh.type.v1 import address_pb2, money_pb2

from kernel.address import Address
from kernel.money import Money
from kernel.request import Request
from notify_svc.domain.content import OrderSummary, SummaryLine
from notify_svc.domain.event import DeliveryEvent
from notify_svc.domain.notification import Kind, Notification

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
EMAIL = "ada@example.com"
SHIPPED = notification_pb2.NOTIFICATION_KIND_ORDER_SHIPPED

_numbers = count(1)


def new_id() -> str:
    """Return an id that sorts after all earlier ones."""
    return str(UUID(int=next(_numbers) << 80, version=4))


class CountingIds:
    """Ids in order."""

    def new(self) -> str:
        return new_id()


def summary(order_id: str = "", *, lines: int = 2, currency_code: str = "EUR") -> OrderSummary:
    """Return an order of some lines at 10.99 each, with a tax of 4.18."""
    amount = Money(currency_code, 1099)
    subtotal, tax = amount * lines, Money(currency_code, 418)
    return OrderSummary(
        order_id=order_id or new_id(),
        lines=tuple(SummaryLine(f"Blue mug {number}", number, amount) for number in range(1, lines + 1)),
        subtotal=subtotal,
        tax=tax,
        total=subtotal + tax,
        ship_to=Address("1 Main St", "", "Berlin", "", "10115", "DE"),
    )


def notification(created_at: datetime = NOW, **fields: object) -> Notification:
    """Return a notification that is due since it was accepted."""
    fresh = Notification(
        notification_id=new_id(),
        version=1,
        kind=Kind.ORDER_CONFIRMATION,
        recipient_email=EMAIL,
        recipient_name="Ada",
        summary=summary(),
        traceparent="",
        created_at=created_at,
        due_at=created_at,
    )
    return replace(fresh, **fields)  # type: ignore[arg-type]  # the names are those of the fields


def request(request_id: str = "key-1", fingerprint: str = "f" * 64) -> Request:
    """Return a use of an idempotency key."""
    return Request("local", request_id, fingerprint)


def event(kind: str, notification_id: str, *, event_id: str = "", status: str = "") -> DeliveryEvent:
    """Return one of SendGrid's events."""
    return DeliveryEvent(
        event_id=event_id or f"event-{new_id()}",
        kind=kind,
        notification_id=notification_id,
        message_id="message-1",
        status=status,
        occurred_at=NOW + timedelta(seconds=3),
    )


def money_message(minor_units: int, currency_code: str = "EUR") -> money_pb2.Money:
    return money_pb2.Money(currency_code=currency_code, minor_units=minor_units)


def send_message(
    request_id: str, *, order_id: str = "", email: str = EMAIL
) -> notify_service_pb2.SendNotificationRequest:
    """Return a request for the confirmation of an order of 21.98 + 4.18 = 26.16 EUR."""
    return notify_service_pb2.SendNotificationRequest(
        request_id=request_id,
        kind=notification_pb2.NOTIFICATION_KIND_ORDER_CONFIRMATION,
        recipient_email=email,
        recipient_name="Ada",
        order=notification_pb2.OrderSummary(
            order_id=order_id or new_id(),
            lines=[
                notification_pb2.OrderSummaryLine(description="Blue mug", quantity=2, amount=money_message(1198)),
                notification_pb2.OrderSummaryLine(description="Tea", quantity=1, amount=money_message(1000)),
            ],
            subtotal=money_message(2198),
            tax=money_message(418),
            total=money_message(2616),
            ship_to=address_pb2.Address(line1="1 Main St", locality="Berlin", postal_code="10115", region_code="DE"),
        ),
    )


def detailed(
    request_id: str = "key-1", kind: "notification_pb2.NotificationKind.ValueType" = SHIPPED, **more: str
) -> notify_service_pb2.SendNotificationRequest:
    """Return a request that tells everything that any kind may tell."""
    request = send_message(request_id, **more)
    request.kind = kind
    shipment, refund = request.shipment, request.refund
    shipment.carrier, shipment.tracking_number, shipment.tracking_url = "DHL", "T1", "https://t.example/T1"
    shipment.more_to_come = True
    shipment.lines.add(description="Blue mug", quantity=1, amount=money_message(599))
    refund.amount.CopyFrom(money_message(599))
    refund.total.CopyFrom(money_message(1000))
    refund.lines.add(description="Tea", quantity=1, amount=money_message(599))
    request.payment.message = "Declined."
    request.payment.act_before.FromDatetime(NOW)
    return request
