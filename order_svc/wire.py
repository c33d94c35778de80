"""The order service's messages ⇄ its domain. Total functions; every refusal names its field."""

import base64
import uuid

from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import customer_pb2

from chassis.wire import address_from_wire, address_to_wire, money_from_wire, money_to_wire, time_to_wire
from kernel.errors import Refusal
from order_svc.app.ports import OrderFilter, Story
from order_svc.domain.order import (
    Customer,
    Draft,
    Event,
    Failure,
    Item,
    Order,
    Payment,
    PaymentState,
    State,
    Task,
    Tax,
    TaxLine,
    TaxSource,
)

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

# How many orders a page holds when the caller does not say, and at most.
_USUAL_PAGE = 50
_LARGEST_PAGE = 200


def draft_from_wire(request: order_service_pb2.PlaceOrderRequest | order_service_pb2.QuoteOrderRequest) -> Draft:
    """Return what is ordered.

    Raises:
        Refusal: It makes no sense; the field is named.
    """
    customer = request.customer
    return Draft(
        customer=Customer(customer.customer_id, customer.email, customer.name),
        items=tuple(
            Item(
                sku=item.sku,
                description=item.description,
                quantity=item.quantity,
                unit_price=money_from_wire(item.unit_price, f"items[{position}].unit_price"),
                tax_code=item.tax_code,
            )
            for position, item in enumerate(request.items)
        ),
        ship_to=address_from_wire(request.ship_to),
    )


def order_to_wire(order: Order) -> order_pb2.Order:
    """Return the order as callers see it."""
    draft = order.draft
    return order_pb2.Order(
        order_id=order.order_id,
        state=_STATES[order.state],
        customer=customer_pb2.Customer(
            customer_id=draft.customer.customer_id, email=draft.customer.email, name=draft.customer.name
        ),
        items=[
            order_pb2.OrderItem(
                sku=item.sku,
                description=item.description,
                quantity=item.quantity,
                unit_price=money_to_wire(item.unit_price),
                tax_code=item.tax_code,
            )
            for item in draft.items
        ],
        ship_to=address_to_wire(draft.ship_to),
        subtotal=money_to_wire(draft.subtotal),
        tax=None if order.tax is None else tax_to_wire(order.tax, order.tax_document),
        total=None if order.total is None else money_to_wire(order.total),
        payment=_payment_to_wire(order.payment_method, order.payment, order.state),
        refunded=money_to_wire(order.refunded),
        failure=_failure_to_wire(order.failure) if order.failure and order.state is State.FAILED else None,
        needs_review=order.needs_review,
        reference=order.reference,
        version=order.version,
        create_time=time_to_wire(order.created_at),
        update_time=time_to_wire(order.updated_at),
    )


def tax_to_wire(tax: Tax, document_code: str = "") -> order_pb2.OrderTax:
    """Return the tax of an order or of a quote."""
    return order_pb2.OrderTax(
        amount=money_to_wire(tax.amount),
        source=_SOURCES[tax.source],
        lines=[_tax_line_to_wire(line) for line in tax.lines],
        document_code=document_code,
    )


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
        Refusal: No such state.
    """
    if request.state not in _STATES_BY_NUMBER and request.state != order_pb2.ORDER_STATE_UNSPECIFIED:
        raise Refusal.of_field("state", f"{request.state} is no state of an order; leave it out for all states")
    return OrderFilter(request.customer_id, _STATES_BY_NUMBER.get(request.state), request.needs_review)


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


def page_token_to_wire(request: order_service_pb2.ListOrdersRequest, last: Order) -> str:
    """Return the token of the page that follows `last`."""
    return base64.urlsafe_b64encode(f"{_filters(request)}|{last.order_id}".encode("ascii", "replace")).decode()


def _filters(request: order_service_pb2.ListOrdersRequest) -> str:
    return f"{request.customer_id}|{request.state}|{request.needs_review}"


def _tax_line_to_wire(line: TaxLine) -> tax_pb2.TaxLine:
    return tax_pb2.TaxLine(
        line_id=line.line_id,
        tax=money_to_wire(line.tax),
        jurisdictions=[
            tax_pb2.TaxJurisdiction(name=each.name, kind=each.kind, rate=each.rate, tax=money_to_wire(each.tax))
            for each in line.jurisdictions
        ],
    )


def _payment_to_wire(payment_method: str, payment: Payment | None, state: State) -> order_pb2.OrderPayment:
    if payment is None:
        return order_pb2.OrderPayment(payment_method=payment_method)
    return order_pb2.OrderPayment(
        payment_id=payment.payment_id,
        provider_payment_id=payment.provider_payment_id,
        payment_method=payment_method,
        state=_PAYMENT_STATES[payment.state],
        client_secret=payment.client_secret if state is State.PAYMENT_ACTION_REQUIRED else "",
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
    )


def _task_to_wire(task: Task) -> order_pb2.OrderTask:
    return order_pb2.OrderTask(
        kind=task.kind.value,
        done=task.done,
        attempts=task.attempts,
        last_error=task.last_error,
        next_attempt_time=None if task.due_at is None else time_to_wire(task.due_at),
        result=task.result,
    )
