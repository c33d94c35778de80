"""Orders as rows and back. Total in both directions; a test takes every kind of order around."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Row, RowMapping

from kernel.address import Address
from kernel.errors import Reason
from kernel.money import Money
from order_svc.adapters import columns_json
from order_svc.adapters.columns_json import from_ms, maybe_from_ms, maybe_to_ms, to_ms
from order_svc.domain.draft import CaptureMode, Customer, Draft, Item, ItemKind, Terms
from order_svc.domain.order import Event, Failure, Order, Stage, State
from order_svc.domain.payment import Payment, PaymentState
from order_svc.domain.task import Task, TaskKind, task_name
from order_svc.domain.tax import Tax, TaxSource


def fixed_columns(order: Order) -> dict[str, object]:
    """Return the columns that no move of the order changes."""
    draft, ship_to = order.draft, order.draft.ship_to
    return {
        "order_id": order.order_id,
        "caller": order.caller,
        "ship_line1": ship_to.line1,
        "ship_line2": ship_to.line2,
        "ship_locality": ship_to.locality,
        "ship_administrative_area": ship_to.administrative_area,
        "ship_postal_code": ship_to.postal_code,
        "ship_region_code": ship_to.region_code,
        **_customer_columns(draft.customer),
        **_terms_columns(order.terms),
        "prices_include_tax": draft.prices_include_tax,
        "currency_code": draft.currency_code,
        "subtotal": draft.subtotal.minor_units,
        "tax_document": order.tax_document,
        "traceparent": order.traceparent,
        "created_at": to_ms(order.created_at),
    }


def moving_columns(order: Order) -> dict[str, object]:
    """Return the columns that a move may change: always the same ones, so that many moves share a statement."""
    tax, total, payment, failure = order.tax, order.total, order.payment, order.failure
    return {
        "version": order.fence,
        "revision": order.version,
        "state": order.state.value,
        "stage": order.stage.value,
        "tax": tax and tax.amount.minor_units,
        "total": total and total.minor_units,
        "tax_source": tax and tax.source.value,
        "tax_lines": tax and columns_json.tax_lines_to_json(tax),
        "payment_method": order.payment_method,
        "payment_id": payment and payment.payment_id,
        "provider_payment_id": payment and payment.provider_payment_id,
        "payment_state": payment and payment.state.value,
        "payment_amount": payment and payment.amount.minor_units,
        "captured": payment and payment.captured.minor_units,
        "refunded": payment and payment.refunded.minor_units,
        "payment_version": payment and payment.version,
        "hold_expires_at": payment and maybe_to_ms(payment.hold_expires_at),
        "disputes": payment and columns_json.disputes_to_json(payment.disputes),
        "refund_number": order.refund_number,
        "attempt": order.attempt,
        "cancelling": order.cancelling,
        "shipments": columns_json.shipments_to_json(order.shipments),
        "refunds": columns_json.refunds_to_json(order.refunds),
        "alerts": columns_json.alerts_to_json(order.alerts),
        "note": order.note,
        "client_secret": payment and payment.client_secret,
        "decline_code": payment and payment.decline_code,
        "decline_message": payment and payment.decline_message,
        "failure_reason": failure and failure.reason.value,
        "failure_message": failure and failure.message,
        "failure_decline_code": failure and failure.decline_code,
        "failure_field": failure and failure.field,
        "needs_review": order.needs_review,
        "tries": order.tries,
        "expires_at": order.expires_at and to_ms(order.expires_at),
        "updated_at": to_ms(order.updated_at),
    }


def item_rows(order: Order) -> list[dict[str, object]]:
    """Return one row per item."""
    return [
        {
            "order_id": order.order_id,
            "position": position,
            "sku": item.sku,
            "description": item.description,
            "quantity": item.quantity,
            "unit_price": item.unit_price.minor_units,
            "tax_code": item.tax_code,
            "kind": item.kind.value,
            "applies_to": columns_json.names_to_json(item.applies_to),
        }
        for position, item in enumerate(order.draft.items, start=1)
    ]


def event_row(order_id: str, event: Event) -> dict[str, object]:
    """Return a journal entry as a row."""
    return {
        "order_id": order_id,
        "version": event.version,
        "kind": event.kind,
        "at": to_ms(event.at),
        "cause": event.cause,
        "state": event.state.value,
        "facts": orjson.dumps(event.facts).decode(),
        "trace_id": event.trace_id,
    }


def task_id(order_id: str, kind: TaskKind, number: int = 0) -> str:
    """Return the primary key of a task."""
    return f"{order_id}:{task_name(kind, number)}"


def task_columns(task: Task, due_at: int | None) -> dict[str, object]:
    """Return the columns of a task that nobody holds.

    Args:
        task: As it is.
        due_at: When it is tried next, by the database's clock, in milliseconds since 1970; None for never.
    """
    return {
        "version": task.version,
        "attempts": task.attempts,
        "lease_owner": None,
        "due_at": due_at,
        "done": task.done,
        "result": task.result,
        "last_error": task.last_error,
    }


def order_from_rows(row: Row[Any], items: Sequence[Row[Any]]) -> Order:
    """Return the order that a row of `orders` and its rows of `order_items`, in order of position, hold."""
    columns = row._mapping  # noqa: SLF001  (SQLAlchemy's public name for a row as a mapping)
    currency: str = columns["currency_code"]
    return Order(
        order_id=columns["order_id"],
        caller=columns["caller"],
        draft=Draft(
            customer=_customer(columns),
            items=tuple(_item(each, currency) for each in items),
            ship_to=Address(
                columns["ship_line1"],
                columns["ship_line2"],
                columns["ship_locality"],
                columns["ship_administrative_area"],
                columns["ship_postal_code"],
                columns["ship_region_code"],
            ),
            prices_include_tax=bool(columns["prices_include_tax"]),
        ),
        terms=_terms(columns),
        payment_method=columns["payment_method"],
        state=State(columns["state"]),
        stage=Stage(columns["stage"]),
        version=columns["revision"],
        created_at=from_ms(columns["created_at"]),
        updated_at=from_ms(columns["updated_at"]),
        tax=_tax(columns, currency),
        payment=_payment(columns, currency),
        failure=_failure(columns),
        needs_review=bool(columns["needs_review"]),
        tries=columns["tries"],
        expires_at=None if columns["expires_at"] is None else from_ms(columns["expires_at"]),
        tax_document=columns["tax_document"],
        traceparent=columns["traceparent"],
        refund_number=columns["refund_number"],
        attempt=columns["attempt"],
        cancelling=bool(columns["cancelling"]),
        shipments=columns_json.shipments_from_json(columns["shipments"]),
        refunds=columns_json.refunds_from_json(columns["refunds"], currency),
        alerts=columns_json.alerts_from_json(columns["alerts"]),
        note=columns["note"],
        tax_difference=_maybe_money(columns["tax_difference"], currency),
        refund_documents=columns_json.documents_from_json(columns["refund_documents"]),
        fence=columns["version"],
    )


def event_from_row(row: Row[Any]) -> Event:
    """Return the journal entry that a row holds."""
    return Event(
        version=row.version,
        at=from_ms(row.at),
        kind=row.kind,
        cause=row.cause,
        state=State(row.state),
        facts=orjson.loads(row.facts),
        trace_id=row.trace_id,
    )


def task_from_row(row: Row[Any]) -> Task:
    """Return the task that a row holds."""
    return Task(
        order_id=row.order_id,
        kind=TaskKind(row.kind),
        version=row.version,
        attempts=row.attempts,
        due_at=None if row.due_at is None else from_ms(row.due_at),
        done=bool(row.done),
        result=row.result,
        last_error=row.last_error,
        number=row.number,
    )


def _item(row: Row[Any], currency: str) -> Item:
    return Item(
        row.sku,
        row.description,
        row.quantity,
        Money(currency, row.unit_price),
        row.tax_code,
        ItemKind(row.kind),
        columns_json.names_from_json(row.applies_to),
    )


def _customer_columns(customer: Customer) -> dict[str, object]:
    return {
        "customer_id": customer.customer_id,
        "customer_email": customer.email,
        "customer_name": customer.name,
        "customer_locale": customer.locale,
        "exemption_number": customer.exemption_number,
        "entity_use_code": customer.entity_use_code,
        "business_id": customer.business_id,
        "provider_customer_id": customer.provider_customer_id,
    }


def _customer(columns: RowMapping) -> Customer:
    return Customer(
        columns["customer_id"],
        columns["customer_email"],
        columns["customer_name"],
        columns["customer_locale"],
        columns["exemption_number"],
        columns["entity_use_code"],
        columns["business_id"],
        columns["provider_customer_id"],
    )


def _terms_columns(terms: Terms) -> dict[str, object]:
    return {
        "capture_mode": terms.capture.value,
        "off_session": terms.off_session,
        "save_payment_method": terms.save_payment_method,
        "keep_after_decline": terms.keep_after_decline,
        "reference": terms.reference,
        "metadata": columns_json.metadata_to_json(terms.metadata),
    }


def _terms(columns: RowMapping) -> Terms:
    return Terms(
        CaptureMode(columns["capture_mode"]),
        bool(columns["off_session"]),
        bool(columns["save_payment_method"]),
        bool(columns["keep_after_decline"]),
        columns["reference"],
        columns_json.metadata_from_json(columns["metadata"]),
    )


def _maybe_money(minor_units: int | None, currency: str) -> Money | None:
    return None if minor_units is None else Money(currency, minor_units)


def _tax(columns: RowMapping, currency: str) -> Tax | None:
    if columns["tax"] is None:
        return None
    lines = columns_json.tax_lines_from_json(columns["tax_lines"], currency)
    return Tax(Money(currency, columns["tax"]), TaxSource(columns["tax_source"]), lines)


def _payment(columns: RowMapping, currency: str) -> Payment | None:
    if columns["payment_id"] is None:
        return None
    return Payment(
        payment_id=columns["payment_id"],
        provider_payment_id=columns["provider_payment_id"],
        state=PaymentState(columns["payment_state"]),
        amount=Money(currency, columns["payment_amount"]),
        captured=Money(currency, columns["captured"]),
        refunded=Money(currency, columns["refunded"]),
        client_secret=columns["client_secret"],
        decline_code=columns["decline_code"],
        decline_message=columns["decline_message"],
        version=columns["payment_version"] or 0,
        hold_expires_at=maybe_from_ms(columns["hold_expires_at"]),
        disputes=columns_json.disputes_from_json(columns["disputes"], currency),
    )


def _failure(columns: RowMapping) -> Failure | None:
    if columns["failure_reason"] is None:
        return None
    return Failure(
        Reason(columns["failure_reason"]),
        columns["failure_message"],
        columns["failure_decline_code"],
        columns["failure_field"],
    )
