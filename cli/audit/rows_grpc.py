"""From the services' messages to rows."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from ordermesh.notify.v1 import notification_pb2
from ordermesh.order.v1 import order_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2

from cli.audit.rows import (
    ChargeRefundRow,
    ChargeRow,
    DisputeRow,
    DocumentRow,
    MailRow,
    NotificationRow,
    OrderRefundRow,
    OrderRow,
    PaymentRow,
    RefundRow,
)


def order_row(message: order_pb2.Order) -> OrderRow:
    """Return an order's row."""
    return OrderRow(
        order_id=message.order_id,
        state=_word(order_pb2.OrderState, message.state),
        currency=message.subtotal.currency_code,
        subtotal=message.subtotal.minor_units,
        tax=message.tax.amount.minor_units if message.HasField("tax") else None,
        total=message.total.minor_units if message.HasField("total") else None,
        refunded=message.refunded.minor_units,
        tax_source=_word(tax_pb2.TaxSource, message.tax.source),
        document_code=message.tax.document_code,
        provider_payment_id=message.payment.provider_payment_id,
        needs_review=message.needs_review,
        version=message.version,
        updated=milliseconds(message.update_time),
        captured=message.payment.captured.minor_units,
        released=message.payment.released.minor_units,
        included=message.prices_include_tax,
        on_shipment=message.capture_mode == payment_pb2.CAPTURE_MODE_ON_SHIPMENT,
        difference=message.tax.difference.minor_units if message.tax.HasField("difference") else None,
        lines=sum(each.quantity * each.unit_price.minor_units for each in message.items),
        line_taxes=sum(each.tax.minor_units for each in message.tax.lines),
        shipments=len(message.shipments),
    )


def order_refund_row(order_id: str, message: order_pb2.OrderRefund) -> OrderRefundRow:
    """Return the row of a refund of an order."""
    return OrderRefundRow(
        order_id=order_id,
        number=message.refund_id,
        provider_refund_id=message.provider_refund_id,
        state=_word(payment_pb2.RefundState, message.state),
        amount=message.amount.minor_units,
        tax=message.tax.minor_units,
        document_code=message.document_code,
    )


def payment_row(message: payment_pb2.Payment) -> PaymentRow:
    """Return the row of a payment of ours."""
    return PaymentRow(
        payment_id=message.payment_id,
        order_id=message.order_id,
        state=_word(payment_pb2.PaymentState, message.state),
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        captured=message.captured.minor_units,
        refunded=message.refunded.minor_units,
        provider_payment_id=message.provider_payment_id,
        version=message.version,
        updated=milliseconds(message.update_time),
    )


def refund_row(payment_id: str, message: payment_pb2.Refund) -> RefundRow:
    """Return the row of a refund of ours."""
    return RefundRow(
        refund_id=message.refund_id,
        payment_id=payment_id,
        provider_refund_id=message.provider_refund_id,
        state=_word(payment_pb2.RefundState, message.state),
        amount=message.amount.minor_units,
        request_id=message.request_id,
    )


def dispute_row(payment: payment_pb2.Payment, message: payment_pb2.Dispute) -> DisputeRow:
    """Return the row of a dispute."""
    return DisputeRow(
        provider_dispute_id=message.provider_dispute_id,
        order_id=payment.order_id,
        payment_id=payment.payment_id,
        state=_word(payment_pb2.DisputeState, message.state),
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
    )


def notification_row(message: notification_pb2.Notification) -> NotificationRow:
    """Return the row of a mail of ours."""
    return NotificationRow(
        notification_id=message.notification_id,
        order_id=message.order_id,
        kind=_word(notification_pb2.NotificationKind, message.kind),
        state=_word(notification_pb2.NotificationState, message.state),
        provider_message_id=message.provider_message_id,
        is_due=message.HasField("next_attempt_time"),
        resent=bool(message.resent_from),
        created=milliseconds(message.create_time),
        sent=milliseconds(message.sent_time) if message.HasField("sent_time") else None,
    )


def charge_row(message: payment_pb2.ProviderPayment) -> ChargeRow:
    """Return the row of a PaymentIntent."""
    return ChargeRow(
        provider_payment_id=message.provider_payment_id,
        payment_id=message.payment_id,
        order_id=message.order_id,
        state=_word(payment_pb2.PaymentState, message.state),
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        captured=message.captured.minor_units,
        refunded=message.refunded.minor_units,
        created=milliseconds(message.create_time),
    )


def charge_refund_row(message: payment_pb2.ProviderRefund) -> ChargeRefundRow:
    """Return the row of a refund at Stripe."""
    return ChargeRefundRow(
        provider_refund_id=message.provider_refund_id,
        refund_id=message.refund_id,
        provider_payment_id=message.provider_payment_id,
        state=_word(payment_pb2.RefundState, message.state),
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        created=milliseconds(message.create_time),
    )


def document_row(message: tax_pb2.ProviderTaxDocument) -> DocumentRow:
    """Return the row of a document at AvaTax."""
    return DocumentRow(
        code=message.code,
        kind=message.kind,
        status=message.status,
        currency=message.amount.currency_code,
        amount=message.amount.minor_units,
        tax=message.tax.minor_units,
    )


def mail_row(message: notification_pb2.ProviderMail) -> MailRow:
    """Return the row of a mail at SendGrid."""
    return MailRow(
        provider_message_id=message.provider_message_id,
        notification_id=message.notification_id,
        status=message.status,
        last_event=milliseconds(message.last_event_time),
    )


def _word(enum: Any, value: int) -> str:  # noqa: ANN401  (any enum of the contract)
    """Return the name of a value without the enum's own: "PAID" for ORDER_STATE_PAID."""
    if value not in enum.values():
        return str(value)  # of a service that is newer than this command
    name: str = enum.Name(value)
    prefix = enum.Name(0).removesuffix("UNSPECIFIED")
    return name.removeprefix(prefix)


def milliseconds(moment: Timestamp) -> int:
    """Return a moment in milliseconds since 1970."""
    return int(moment.seconds * 1000 + moment.nanos // 1_000_000)
