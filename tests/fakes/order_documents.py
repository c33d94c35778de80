"""Orders and stories as the REST API writes them."""

from typing import Any

from order_svc.domain.sentences import SENTENCES

Json = dict[str, Any]

ORDER_ID = "01a20688-0517-7d30-bac1-d40be08bc975"


def usd(minor_units: int) -> Json:
    """Return an amount in US dollars."""
    return {"currency_code": "USD", "minor_units": minor_units}


def an_order(**changes: Any) -> Json:  # noqa: ANN401  (any JSON value)
    """Return a paid order, with some of its members replaced."""
    order: Json = {
        "order_id": ORDER_ID,
        "state": "PAID",
        "customer": {"customer_id": "c-1", "email": "ann@example.com", "name": "Ann"},
        "items": [{"sku": "MUG", "description": "Mug", "quantity": 2, "unit_price": usd(1250), "tax_code": ""}],
        "ship_to": {"line1": "1 Main St", "locality": "Seattle", "region_code": "US"},
        "subtotal": usd(2500),
        "tax": {"amount": usd(163), "source": "AVATAX", "lines": [], "document_code": ""},
        "total": usd(2663),
        "payment": {"payment_method": "pm_card_visa", "provider_payment_id": "pi_1", "state": "SUCCEEDED"},
        "refunded": usd(0),
        "needs_review": False,
        "reference": "web-1",
        "version": 3,
        "create_time": "2026-03-01T09:30:05.250Z",
        "update_time": "2026-03-01T09:30:06Z",
    }
    return {**order, **changes}


def unsettled(**changes: Any) -> Json:  # noqa: ANN401  (any JSON value)
    """Return an order whose tax is not worked out yet, with some of its members replaced."""
    order = an_order(state="PENDING", payment={"payment_method": "pm_card_visa"}, **changes)
    del order["tax"], order["total"]
    return order


def a_shipment(**changes: Any) -> Json:  # noqa: ANN401  (any JSON value)
    """Return a shipment that is on its way, with some of its members replaced."""
    return {
        "shipment_id": "1",
        "items": [{"sku": "MUG", "quantity": 2}],
        "carrier": "DHL",
        "tracking_number": "00340434161094042557",
        "tracking_url": "",
        "ship_time": "2026-03-02T10:00:00Z",
        **changes,
    }


def a_refund(**changes: Any) -> Json:  # noqa: ANN401  (any JSON value)
    """Return a refund of one article that has succeeded, with some of its members replaced."""
    return {
        "refund_id": "1",
        "amount": usd(1332),
        "tax": usd(82),
        "items": [{"sku": "MUG", "quantity": 1}],
        "state": "SUCCEEDED",
        "reason": "broken",
        "provider_refund_id": "re_1",
        "failure_reason": "",
        "document_code": "",
        "create_time": "2026-03-03T10:00:00Z",
        "external": False,
        **changes,
    }


def an_alert(kind: str, **changes: Any) -> Json:  # noqa: ANN401  (any JSON value)
    """Return an alert, with some of its members replaced."""
    return {"kind": kind, "subject": "", "message": "Look.", "create_time": "2026-03-04T10:00:00Z", **changes}


def an_event(kind: str, time: str = "2026-03-01T09:30:05.250Z", **facts: str) -> Json:
    """Return an entry of the journal."""
    return {
        "version": 1,
        "time": time,
        "kind": kind,
        "cause": "request",
        "state": "PENDING",
        "facts": facts,
        "trace_id": "a" * 32,
        "summary": SENTENCES.get(kind, kind),
    }


def a_task(**changes: Any) -> Json:  # noqa: ANN401  (any JSON value)
    """Return a task that is done, with some of its members replaced."""
    return {"kind": "commit_tax", "done": True, "attempts": 1, "last_error": "", "result": "doc-1", **changes}
