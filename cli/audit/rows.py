"""What is compared, a row for each thing: amounts in minor units, times in milliseconds since 1970, states as words.

The words are those of the contract without their prefix: "PAID", "SUCCEEDED", "DELIVERED". An unknown id is "".
"""

from typing import NamedTuple


class OrderRow(NamedTuple):
    """An order, as order_svc has it.

    `released` is what of a hold was let go without being taken, `difference` recorded less charged tax; `lines` and
    `line_taxes` are the sums of its lines, `shipments` is how many were handed over.
    """

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
    captured: int
    released: int
    included: bool
    on_shipment: bool
    difference: int | None
    lines: int
    line_taxes: int
    shipments: int


class OrderRefundRow(NamedTuple):
    """A refund, as its order has it; `number` counts the refunds of the order."""

    order_id: str
    number: str
    provider_refund_id: str
    state: str
    amount: int
    tax: int
    document_code: str


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
    request_id: str = ""


class DisputeRow(NamedTuple):
    """What a customer's bank has asked back of a payment of ours."""

    provider_dispute_id: str
    order_id: str
    payment_id: str
    state: str
    currency: str
    amount: int


class NotificationRow(NamedTuple):
    """A mail to a customer, as notify_svc has it."""

    notification_id: str
    order_id: str
    kind: str
    state: str
    provider_message_id: str
    is_due: bool
    resent: bool
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
    | OrderRefundRow
    | PaymentRow
    | RefundRow
    | DisputeRow
    | NotificationRow
    | ChargeRow
    | ChargeRefundRow
    | DocumentRow
    | MailRow
    | RemedyRow
)
