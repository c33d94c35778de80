"""The order service's messages ⇄ its domain. Total functions; every refusal names its field."""

import base64
import uuid
from collections.abc import Iterable
from datetime import datetime

from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import customer_pb2

from chassis.wire import (
    address_from_wire,
    address_to_wire,
    fingerprint,
    money_from_wire,
    money_to_wire,
    time_from_wire,
    time_to_wire,
)
from kernel.errors import Refusal
from kernel.money import Money
from order_svc.app.ports import OrderFilter, Story
from order_svc.domain.draft import CaptureMode, Customer, Draft, Item, ItemKind, Terms
from order_svc.domain.fulfilment import Quantity, Shipment
from order_svc.domain.giving_back import Wanted
from order_svc.domain.order import Alert, Event, Failure, Order, State
from order_svc.domain.payment import Dispute, PaymentState, RefundState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.sentences import SENTENCES
from order_svc.domain.shares import total_tax
from order_svc.domain.shipping import Handover
from order_svc.domain.task import Task
from order_svc.domain.tax import Tax, TaxLine, TaxSource

_STATES = {
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
_STATES_BY_NUMBER = {number: state for state, number in _STATES.items()}

_SOURCES = {
    TaxSource.AVATAX: tax_pb2.TAX_SOURCE_AVATAX,
    TaxSource.FALLBACK: tax_pb2.TAX_SOURCE_FALLBACK,
}

_PAYMENT_STATES = {
    PaymentState.PENDING: payment_pb2.PAYMENT_STATE_PENDING,
    PaymentState.ACTION_REQUIRED: payment_pb2.PAYMENT_STATE_ACTION_REQUIRED,
    PaymentState.AUTHORIZED: payment_pb2.PAYMENT_STATE_AUTHORIZED,
    PaymentState.SUCCEEDED: payment_pb2.PAYMENT_STATE_SUCCEEDED,
    PaymentState.DECLINED: payment_pb2.PAYMENT_STATE_DECLINED,
    PaymentState.CANCELLED: payment_pb2.PAYMENT_STATE_CANCELLED,
}

_REFUND_STATES = {
    RefundState.PENDING: payment_pb2.REFUND_STATE_PENDING,
    RefundState.SUCCEEDED: payment_pb2.REFUND_STATE_SUCCEEDED,
    RefundState.FAILED: payment_pb2.REFUND_STATE_FAILED,
}

_KINDS = {
    ItemKind.ARTICLE: order_pb2.ORDER_ITEM_KIND_ARTICLE,
    ItemKind.SHIPPING: order_pb2.ORDER_ITEM_KIND_SHIPPING,
    ItemKind.DISCOUNT: order_pb2.ORDER_ITEM_KIND_DISCOUNT,
}
_KINDS_BY_NUMBER = {number: kind for kind, number in _KINDS.items()}

_CAPTURES = {
    CaptureMode.AT_PLACEMENT: payment_pb2.CAPTURE_MODE_AT_PLACEMENT,
    CaptureMode.ON_SHIPMENT: payment_pb2.CAPTURE_MODE_ON_SHIPMENT,
}
_CAPTURES_BY_NUMBER = {number: capture for capture, number in _CAPTURES.items()}

# How many orders a page holds when the caller does not say, and at most.
_USUAL_PAGE = 50
_LARGEST_PAGE = 200


def draft_from_wire(request: order_service_pb2.PlaceOrderRequest | order_service_pb2.QuoteOrderRequest) -> Draft:
    """Return what is ordered.

    Raises:
        Refusal: It makes no sense; the field is named.
    """
    return Draft(
        customer=_customer_from_wire(request.customer),
        items=tuple(
            Item(
                sku=item.sku,
                description=item.description,
                quantity=item.quantity,
                unit_price=money_from_wire(item.unit_price, f"items[{position}].unit_price"),
                tax_code=item.tax_code,
                kind=_KINDS_BY_NUMBER.get(item.kind, ItemKind.ARTICLE),
                applies_to=tuple(item.applies_to_skus),
            )
            for position, item in enumerate(request.items)
        ),
        ship_to=address_from_wire(request.ship_to),
        prices_include_tax=request.prices_include_tax,
    )


def terms_from_wire(request: order_service_pb2.PlaceOrderRequest) -> Terms:
    """Return how the order is to be paid, and what the shop keeps with it."""
    return Terms(
        capture=_CAPTURES_BY_NUMBER.get(request.capture_mode, CaptureMode.AT_PLACEMENT),
        off_session=request.off_session,
        save_payment_method=request.save_payment_method,
        keep_after_decline=request.keep_after_decline,
        reference=request.reference,
        metadata=tuple(sorted(request.metadata.items())),
    )


def handover_from_wire(request: order_service_pb2.ShipOrderRequest) -> Handover:
    """Return what is handed to a carrier."""
    return Handover(
        items=_quantities_from_wire(request.items),
        carrier=request.carrier,
        tracking_number=request.tracking_number,
        tracking_url=request.tracking_url,
        release_rest=request.release_rest,
    )


def wanted_from_wire(request: order_service_pb2.RefundOrderRequest) -> Wanted:
    """Return what is to be given back.

    Raises:
        Refusal: The currency of the amount does not exist.
    """
    return Wanted(
        skus=tuple(request.skus),
        items=_quantities_from_wire(request.items),
        amount=money_from_wire(request.amount, "amount") if request.HasField("amount") else None,
        reason=request.reason,
    )


def shipment_from_wire(request: order_service_pb2.DeliverOrderRequest) -> int:
    """Return the number of the shipment that has arrived; 0 for all."""
    return int(request.shipment_id or 0)


def order_to_wire(order: Order) -> order_pb2.Order:
    """Return the order as callers see it."""
    draft = order.draft
    return order_pb2.Order(
        order_id=order.order_id,
        state=_STATES[order.state],
        customer=_customer_to_wire(draft.customer),
        items=[_item_to_wire(item) for item in draft.items],
        ship_to=address_to_wire(draft.ship_to),
        subtotal=money_to_wire(draft.subtotal),
        tax=None if order.tax is None else tax_to_wire(order.tax, order.tax_document, order.tax_difference),
        total=None if order.total is None else money_to_wire(order.total),
        payment=_payment_to_wire(order),
        refunded=money_to_wire(order.refunded),
        failure=_failure_to_wire(order.failure) if order.failure and order.state is State.FAILED else None,
        needs_review=order.needs_review,
        reference=order.terms.reference,
        version=order.version,
        create_time=time_to_wire(order.created_at),
        update_time=time_to_wire(order.updated_at),
        prices_include_tax=draft.prices_include_tax,
        capture_mode=_CAPTURES[order.terms.capture],
        shipments=[_shipment_to_wire(each) for each in order.shipments if each.shipped_at is not None],
        refunds=[
            _refund_to_wire(each, order.refund_documents.get(each.number, ""))
            for each in order.refunds
            if each.kind is not RefundKind.RELEASED
        ],
        alerts=[_alert_to_wire(each) for each in order.alerts],
        metadata=dict(order.terms.metadata),
        note=order.note,
        etag=order.etag,
        keep_after_decline=order.terms.keep_after_decline,
        expire_time=time_to_wire(order.expires_at) if _waits(order) and order.expires_at else None,
    )


def tax_to_wire(tax: Tax, document_code: str = "", difference: Money | None = None) -> order_pb2.OrderTax:
    """Return the tax of an order or of a quote."""
    return order_pb2.OrderTax(
        amount=money_to_wire(tax.amount),
        source=_SOURCES[tax.source],
        lines=[_tax_line_to_wire(line) for line in tax.lines],
        document_code=document_code,
        difference=None if difference is None else money_to_wire(difference),
    )


def state_to_wire(state: State) -> "order_pb2.OrderState.ValueType":
    """Return the state's number."""
    return _STATES[state]


def story_to_wire(story: Story) -> order_service_pb2.ExplainOrderResponse:
    """Return the whole story of an order."""
    trace_ids = dict.fromkeys(event.trace_id for event in story.events if event.trace_id)
    return order_service_pb2.ExplainOrderResponse(
        order=order_to_wire(story.order),
        events=[_event_to_wire(event) for event in story.events],
        tasks=[_task_to_wire(task) for task in story.tasks],
        trace_ids=list(trace_ids),
        next_attempt_time=None if story.wake_at is None else time_to_wire(story.wake_at),
    )


def filter_from_wire(request: order_service_pb2.ListOrdersRequest) -> OrderFilter:
    """Return which orders are wanted.

    Raises:
        Refusal: There is no such state, or no such moment.
    """
    if request.state not in _STATES_BY_NUMBER and request.state != order_pb2.ORDER_STATE_UNSPECIFIED:
        raise Refusal.of_field("state", f"{request.state} is no state of an order; leave it out for all states")
    return OrderFilter(
        customer_id=request.customer_id,
        state=_STATES_BY_NUMBER.get(request.state),
        needs_review=request.needs_review,
        created_from=_moment(request, "create_time_from"),
        created_before=_moment(request, "create_time_before"),
        reference_prefix=request.reference_prefix,
        tax_differs=request.tax_differs,
        alerted=request.alerted,
    )


def page_size_from_wire(page_size: int) -> int:
    """Return how many orders a page holds; a larger wish is cut, not refused."""
    return min(page_size or _USUAL_PAGE, _LARGEST_PAGE)


def page_token_from_wire(request: order_service_pb2.ListOrdersRequest) -> str:
    """Return the order id that the page begins below; empty for the first page.

    Raises:
        Refusal: The token is not one of ours, or belongs to other filters.
    """
    if not request.page_token:
        return ""
    try:
        filters, after = base64.urlsafe_b64decode(request.page_token).decode("ascii").rsplit("|", 1)
        uuid.UUID(after)
    except ValueError:
        raise Refusal.of_field("page_token", "is not a token of ours; pass next_page_token as it was given") from None
    if filters != _filters(request):
        raise Refusal.of_field("page_token", "belongs to a list with other filters; begin at the first page")
    return after


def _moment(request: order_service_pb2.ListOrdersRequest, field: str) -> datetime | None:
    return time_from_wire(getattr(request, field), field) if request.HasField(field) else None  # type: ignore[arg-type]  # mypy-protobuf wants literals


def page_token_to_wire(request: order_service_pb2.ListOrdersRequest, last: Order) -> str:
    """Return the token of the page that follows `last`."""
    return base64.urlsafe_b64encode(f"{_filters(request)}|{last.order_id}".encode("ascii", "replace")).decode()


def _filters(request: order_service_pb2.ListOrdersRequest) -> str:
    """Return what tells one set of filters from another, whatever text is in it."""
    asked = order_service_pb2.ListOrdersRequest()
    asked.CopyFrom(request)
    asked.ClearField("page_token")
    asked.ClearField("page_size")
    return fingerprint(asked)[:16]


def _tax_line_to_wire(line: TaxLine) -> tax_pb2.TaxLine:
    return tax_pb2.TaxLine(
        line_id=line.line_id,
        tax=money_to_wire(line.tax),
        jurisdictions=[
            tax_pb2.TaxJurisdiction(name=each.name, kind=each.kind, rate=each.rate, tax=money_to_wire(each.tax))
            for each in line.jurisdictions
        ],
    )


def _waits(order: Order) -> bool:
    return order.state is State.PAYMENT_ACTION_REQUIRED


def _payment_to_wire(order: Order) -> order_pb2.OrderPayment:
    payment = order.payment
    if payment is None:
        return order_pb2.OrderPayment(payment_method=order.payment_method)
    declined = payment.state is PaymentState.DECLINED
    holds = payment.state is PaymentState.AUTHORIZED and payment.hold_expires_at is not None
    return order_pb2.OrderPayment(
        payment_id=payment.payment_id,
        provider_payment_id=payment.provider_payment_id,
        payment_method=order.payment_method,
        state=_PAYMENT_STATES[payment.state],
        client_secret=payment.client_secret if _waits(order) else "",
        captured=money_to_wire(payment.captured),
        released=money_to_wire(payment.released),
        hold_expire_time=time_to_wire(payment.hold_expires_at) if holds and payment.hold_expires_at else None,
        decline_code=payment.decline_code if declined else "",
        decline_message=payment.decline_message if declined else "",
        disputes=[_dispute_to_wire(each) for each in payment.disputes],
    )


def _dispute_to_wire(dispute: Dispute) -> payment_pb2.Dispute:
    due = dispute.evidence_due_at
    return payment_pb2.Dispute(
        provider_dispute_id=dispute.provider_dispute_id,
        state=payment_pb2.DisputeState.Value(f"DISPUTE_STATE_{dispute.state}"),
        amount=money_to_wire(dispute.amount),
        reason=dispute.reason,
        evidence_due_time=None if due is None else time_to_wire(due),
        create_time=time_to_wire(dispute.opened_at),
    )


def _customer_from_wire(message: customer_pb2.Customer) -> Customer:
    return Customer(
        customer_id=message.customer_id,
        email=message.email,
        name=message.name,
        locale=message.locale,
        exemption_number=message.exemption_number,
        entity_use_code=message.entity_use_code,
        business_id=message.business_id,
        provider_customer_id=message.provider_customer_id,
    )


def _customer_to_wire(customer: Customer) -> customer_pb2.Customer:
    return customer_pb2.Customer(
        customer_id=customer.customer_id,
        email=customer.email,
        name=customer.name,
        locale=customer.locale,
        exemption_number=customer.exemption_number,
        entity_use_code=customer.entity_use_code,
        business_id=customer.business_id,
        provider_customer_id=customer.provider_customer_id,
    )


def _item_to_wire(item: Item) -> order_pb2.OrderItem:
    return order_pb2.OrderItem(
        sku=item.sku,
        description=item.description,
        quantity=item.quantity,
        unit_price=money_to_wire(item.unit_price),
        tax_code=item.tax_code,
        kind=_KINDS[item.kind],
        applies_to_skus=item.applies_to,
    )


def _quantities_from_wire(messages: Iterable[order_pb2.OrderQuantity]) -> tuple[Quantity, ...]:
    return tuple(Quantity(each.sku, each.quantity) for each in messages)


def _quantities_to_wire(quantities: Iterable[Quantity]) -> list[order_pb2.OrderQuantity]:
    return [order_pb2.OrderQuantity(sku=each.sku, quantity=each.quantity) for each in quantities]


def _shipment_to_wire(shipment: Shipment) -> order_pb2.Shipment:
    shipped, delivered = shipment.shipped_at, shipment.delivered_at
    return order_pb2.Shipment(
        shipment_id=str(shipment.number),
        items=_quantities_to_wire(shipment.items),
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        tracking_url=shipment.tracking_url,
        ship_time=None if shipped is None else time_to_wire(shipped),
        deliver_time=None if delivered is None else time_to_wire(delivered),
    )


def _refund_to_wire(refund: Refund, document_code: str) -> order_pb2.OrderRefund:
    return order_pb2.OrderRefund(
        refund_id=str(refund.number),
        amount=money_to_wire(refund.amount),
        tax=money_to_wire(total_tax(refund.shares, refund.amount.currency_code)),
        items=_quantities_to_wire(refund.items),
        state=_REFUND_STATES[refund.state],
        reason=refund.reason,
        provider_refund_id=refund.provider_refund_id,
        failure_reason=refund.failure_reason,
        document_code=document_code,
        create_time=time_to_wire(refund.asked_at),
        external=refund.kind is RefundKind.BY_HAND,
    )


def _alert_to_wire(alert: Alert) -> order_pb2.OrderAlert:
    return order_pb2.OrderAlert(
        kind=alert.kind,
        subject=alert.subject,
        message=alert.message,
        create_time=time_to_wire(alert.noticed_at),
    )


def _failure_to_wire(failure: Failure) -> order_pb2.OrderFailure:
    return order_pb2.OrderFailure(
        reason=failure.reason.value, decline_code=failure.decline_code, message=failure.message
    )


def _event_to_wire(event: Event) -> order_pb2.OrderEvent:
    return order_pb2.OrderEvent(
        version=event.version,
        time=time_to_wire(event.at),
        kind=event.kind,
        cause=event.cause,
        state=_STATES[event.state],
        facts=event.facts,
        trace_id=event.trace_id,
        summary=SENTENCES.get(event.kind, event.kind),
    )


def _task_to_wire(task: Task) -> order_pb2.OrderTask:
    return order_pb2.OrderTask(
        kind=task.name,
        done=task.done,
        attempts=task.attempts,
        last_error=task.last_error,
        next_attempt_time=None if task.due_at is None else time_to_wire(task.due_at),
        result=task.result,
    )
