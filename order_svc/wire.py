"""The order service's orders as messages. Total functions."""

from collections.abc import Iterable

from ordermesh.order.v1 import order_pb2, order_service_pb2
from ordermesh.payment.v1 import payment_pb2
from ordermesh.tax.v1 import tax_pb2
from ordermesh.type.v1 import customer_pb2

from chassis.wire import address_to_wire, money_to_wire, time_to_wire
from kernel.money import Money
from order_svc.app.ports import Story
from order_svc.domain.draft import Customer, Item
from order_svc.domain.fulfilment import Quantity, Shipment
from order_svc.domain.order import Alert, Event, Failure, Order, State
from order_svc.domain.payment import Dispute, PaymentState
from order_svc.domain.refund import Refund, RefundKind
from order_svc.domain.sentences import SENTENCES
from order_svc.domain.shares import total_tax
from order_svc.domain.task import Task
from order_svc.domain.tax import Tax, TaxLine
from order_svc.enum_wire import CAPTURES, KINDS, PAYMENT_STATES, REFUND_STATES, SOURCES, STATES


def order_to_wire(order: Order) -> order_pb2.Order:
    """Return the order as callers see it."""
    draft = order.draft
    return order_pb2.Order(
        order_id=order.order_id,
        state=STATES[order.state],
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
        capture_mode=CAPTURES[order.terms.capture],
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
        source=SOURCES[tax.source],
        lines=[_tax_line_to_wire(line) for line in tax.lines],
        document_code=document_code,
        difference=None if difference is None else money_to_wire(difference),
    )


def state_to_wire(state: State) -> "order_pb2.OrderState.ValueType":
    """Return the state's number."""
    return STATES[state]


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
        state=PAYMENT_STATES[payment.state],
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
        kind=KINDS[item.kind],
        applies_to_skus=item.applies_to,
    )


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
        state=REFUND_STATES[refund.state],
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
        state=STATES[event.state],
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
