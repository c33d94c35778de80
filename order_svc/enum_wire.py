"""The order service's states and kinds ⇄ their numbers on the wire."""

from ordermesh.order.v1 import order_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2

from order_svc.domain.draft import CaptureMode, ItemKind
from order_svc.domain.order import State
from order_svc.domain.payment import PaymentState, RefundState
from order_svc.domain.tax import TaxSource

STATES = {
    State.PENDING: order_pb2.ORDER_STATE_PENDING,
    State.PAYMENT_ACTION_REQUIRED: order_pb2.ORDER_STATE_PAYMENT_ACTION_REQUIRED,
    State.PAID: order_pb2.ORDER_STATE_PAID,
    State.PROCESSING: order_pb2.ORDER_STATE_PROCESSING,
    State.SHIPPED: order_pb2.ORDER_STATE_SHIPPED,
    State.DELIVERED: order_pb2.ORDER_STATE_DELIVERED,
    State.FAILED: order_pb2.ORDER_STATE_FAILED,
    State.CANCELLED: order_pb2.ORDER_STATE_CANCELLED,
    State.REFUNDED: order_pb2.ORDER_STATE_REFUNDED,
    State.AUTHORIZED: order_pb2.ORDER_STATE_AUTHORIZED,
}

STATES_BY_NUMBER = {number: state for state, number in STATES.items()}

SOURCES = {
    TaxSource.AVATAX: tax_pb2.TAX_SOURCE_AVATAX,
    TaxSource.FALLBACK: tax_pb2.TAX_SOURCE_FALLBACK,
}

PAYMENT_STATES = {
    PaymentState.PENDING: payment_pb2.PAYMENT_STATE_PENDING,
    PaymentState.ACTION_REQUIRED: payment_pb2.PAYMENT_STATE_ACTION_REQUIRED,
    PaymentState.AUTHORIZED: payment_pb2.PAYMENT_STATE_AUTHORIZED,
    PaymentState.SUCCEEDED: payment_pb2.PAYMENT_STATE_SUCCEEDED,
    PaymentState.DECLINED: payment_pb2.PAYMENT_STATE_DECLINED,
    PaymentState.CANCELLED: payment_pb2.PAYMENT_STATE_CANCELLED,
}

REFUND_STATES = {
    RefundState.PENDING: payment_pb2.REFUND_STATE_PENDING,
    RefundState.SUCCEEDED: payment_pb2.REFUND_STATE_SUCCEEDED,
    RefundState.FAILED: payment_pb2.REFUND_STATE_FAILED,
}

KINDS = {
    ItemKind.ARTICLE: order_pb2.ORDER_ITEM_KIND_ARTICLE,
    ItemKind.SHIPPING: order_pb2.ORDER_ITEM_KIND_SHIPPING,
    ItemKind.DISCOUNT: order_pb2.ORDER_ITEM_KIND_DISCOUNT,
}

KINDS_BY_NUMBER = {number: kind for kind, number in KINDS.items()}

CAPTURES = {
    CaptureMode.AT_PLACEMENT: payment_pb2.CAPTURE_MODE_AT_PLACEMENT,
    CaptureMode.ON_SHIPMENT: payment_pb2.CAPTURE_MODE_ON_SHIPMENT,
}

CAPTURES_BY_NUMBER = {number: capture for capture, number in CAPTURES.items()}
