"""Domain ⇄ rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Row

from kernel.address import Address
from kernel.money import Money
from notify_svc.domain.content import Details, OrderSummary, Payment, Refund, Shipment, SummaryLine
from notify_svc.domain.event import DeliveryEvent
from notify_svc.domain.notification import Kind, Notification, State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_KINDS = {kind.value: kind for kind in Kind}
_STATES = {state.value: state for state in State}


def to_ms(moment: datetime) -> int:
    """Return milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    """Return the moment, in UTC."""
    return _EPOCH + milliseconds * _MILLISECOND


def fixed_columns(notification: Notification) -> dict[str, object]:
    """Return the columns that never change."""
    return {
        "notification_id": notification.notification_id,
        "order_id": notification.summary.order_id,
        "kind": notification.kind.value,
        "recipient_email": notification.recipient_email,
        "recipient_name": notification.recipient_name,
        "content": _content(notification.summary, notification.details),
        "traceparent": notification.traceparent,
        "locale": notification.locale,
        "request_id": notification.request_id,
        "resent_from": notification.resent_from,
        "resent_by": notification.resent_by,
        "created_at": to_ms(notification.created_at),
    }


def moving_columns(notification: Notification, offset_ms: int) -> dict[str, object]:
    """Return the columns that change; `offset_ms` is the database's clock less ours."""
    return {
        "version": notification.version,
        "state": notification.state.value,
        "attempts": notification.attempts,
        "open_attempts": notification.open_attempts,
        "provider_message_id": notification.provider_message_id,
        "last_error": notification.last_error,
        "sent_at": None if notification.sent_at is None else to_ms(notification.sent_at),
        "due_at": None if notification.due_at is None else to_ms(notification.due_at) + offset_ms,
        "news_at": None if notification.news_at is None else to_ms(notification.news_at),
    }


def notification(row: Row[Any]) -> Notification:
    """Return the notification of a whole row of `notifications`."""
    content = orjson.loads(row.content)
    return Notification(
        notification_id=row.notification_id,
        version=row.version,
        kind=_KINDS[row.kind],
        recipient_email=row.recipient_email,
        recipient_name=row.recipient_name,
        summary=_summary(row.order_id, content),
        traceparent=row.traceparent,
        details=_details(content),
        locale=row.locale,
        request_id=row.request_id,
        resent_from=row.resent_from,
        resent_by=row.resent_by,
        created_at=from_ms(row.created_at),
        state=_STATES[row.state],
        attempts=row.attempts,
        open_attempts=row.open_attempts,
        provider_message_id=row.provider_message_id,
        last_error=row.last_error,
        sent_at=None if row.sent_at is None else from_ms(row.sent_at),
        due_at=None if row.due_at is None else from_ms(row.due_at),
        news_at=None if row.news_at is None else from_ms(row.news_at),
    )


def event_row(event: DeliveryEvent, received_at: datetime) -> dict[str, object]:
    """Return the row of an event."""
    return {
        "event_id": event.event_id,
        "kind": event.kind,
        "notification_id": event.notification_id,
        "provider_message_id": event.message_id,
        "status": event.status,
        "occurred_at": to_ms(event.occurred_at),
        "received_at": to_ms(received_at),
    }


def event_from_row(row: Row[Any]) -> DeliveryEvent:
    """Return the event of a whole row of `sendgrid_events`."""
    return DeliveryEvent(
        row.event_id,
        row.kind,
        row.notification_id,
        row.provider_message_id,
        row.status,
        from_ms(row.occurred_at),
    )


def _content(summary: OrderSummary, details: Details) -> str:
    """Return what a mail tells as JSON; amounts are minor units of the one currency that all of it is in."""
    address = summary.ship_to
    content: dict[str, object] = {
        "currency_code": summary.total.currency_code,
        "lines": _lines(summary.lines),
        "subtotal": summary.subtotal.minor_units,
        "tax": summary.tax.minor_units,
        "total": summary.total.minor_units,
        "ship_to": [
            address.line1,
            address.line2,
            address.locality,
            address.administrative_area,
            address.postal_code,
            address.region_code,
        ],
    }
    if summary.prices_include_tax:
        content["prices_include_tax"] = True
    if summary.reference:
        content["reference"] = summary.reference
    if shipment := details.shipment:
        content["shipment"] = {
            "lines": _lines(shipment.lines),
            "carrier": shipment.carrier,
            "tracking_number": shipment.tracking_number,
            "tracking_url": shipment.tracking_url,
            "more_to_come": shipment.more_to_come,
        }
    if refund := details.refund:
        content["refund"] = {
            "amount": refund.amount.minor_units,
            "total": refund.total.minor_units,
            "lines": _lines(refund.lines),
        }
    if payment := details.payment:
        act_before = None if payment.act_before is None else to_ms(payment.act_before)
        content["payment"] = {"message": payment.message, "act_before": act_before}
    return orjson.dumps(content).decode()


def _lines(lines: tuple[SummaryLine, ...]) -> list[list[object]]:
    return [[line.description, line.quantity, line.amount.minor_units] for line in lines]


def _summary_lines(lines: list[Any], currency_code: str) -> tuple[SummaryLine, ...]:
    return tuple(
        SummaryLine(description, quantity, Money(currency_code, amount)) for description, quantity, amount in lines
    )


def _summary(order_id: str, content: dict[str, Any]) -> OrderSummary:
    currency_code = content["currency_code"]
    return OrderSummary(
        order_id=order_id,
        lines=_summary_lines(content["lines"], currency_code),
        subtotal=Money(currency_code, content["subtotal"]),
        tax=Money(currency_code, content["tax"]),
        total=Money(currency_code, content["total"]),
        ship_to=Address(*content["ship_to"]),
        prices_include_tax=content.get("prices_include_tax", False),
        reference=content.get("reference", ""),
    )


def _details(content: dict[str, Any]) -> Details:
    currency_code = content["currency_code"]
    shipment, refund, payment = content.get("shipment"), content.get("refund"), content.get("payment")
    return Details(
        shipment and Shipment(**{**shipment, "lines": _summary_lines(shipment["lines"], currency_code)}),
        refund
        and Refund(
            Money(currency_code, refund["amount"]),
            Money(currency_code, refund["total"]),
            _summary_lines(refund["lines"], currency_code),
        ),
        payment
        and Payment(payment["message"], None if payment["act_before"] is None else from_ms(payment["act_before"])),
    )
