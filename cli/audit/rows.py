"""What is compared, a row for each thing: amounts in minor units, times in milliseconds since 1970, states as words.

The words are those of the contract without their prefix: "PAID", "SUCCEEDED", "DELIVERED". An unknown id is "".
"""

from typing import NamedTuple


class OrderRow(NamedTuple):
    """An order, as order_svc has it."""

    order_id: str
    state: str
    currency: str
    subtotal: int
    tax: int | None
    total: int | None
    refunded: int
    tax_source: str
    document_code: str
    provider_payment_id: str
    needs_review: bool
    version: int
    updated: int
    released: int = 0
    """What of a hold was let go without being taken."""


class PaymentRow(NamedTuple):
    """A payment in our own ledger."""

    payment_id: str
    order_id: str
    state: str
    currency: str
    amount: int
    captured: int
    refunded: int
    provider_payment_id: str
    version: int
    updated: int


class RefundRow(NamedTuple):
    """A refund in our own ledger."""

    refund_id: str
    payment_id: str
    provider_refund_id: str
    state: str
    amount: int


class NotificationRow(NamedTuple):
    """A mail to a customer, as notify_svc has it."""

    notification_id: str
    order_id: str
    kind: str
    state: str
    provider_message_id: str
    is_due: bool
    created: int
    sent: int | None


class ChargeRow(NamedTuple):
    """A PaymentIntent, as Stripe lists it; the ids of ours are those in its metadata."""

    provider_payment_id: str
    payment_id: str
    order_id: str
    state: str
    currency: str
    amount: int
    captured: int
    refunded: int
    created: int


class ChargeRefundRow(NamedTuple):
    """A refund, as Stripe lists it; the id of ours is that in its metadata."""

    provider_refund_id: str
    refund_id: str
    provider_payment_id: str
    state: str
    currency: str
    amount: int
    created: int


class DocumentRow(NamedTuple):
    """A tax document, as AvaTax lists it."""

    code: str
    kind: str
    status: str
    currency: str
    amount: int
    tax: int


class MailRow(NamedTuple):
    """A mail, as SendGrid lists it."""

    provider_message_id: str
    notification_id: str
    status: str
    last_event: int


class RemedyRow(NamedTuple):
    """Something to do about differences; once for each target, however many there are."""

    rank: int
    remedy: str
    target: str
    request_id: str


Row = (
    OrderRow
    | PaymentRow
    | RefundRow
    | NotificationRow
    | ChargeRow
    | ChargeRefundRow
    | DocumentRow
    | MailRow
    | RemedyRow
)
