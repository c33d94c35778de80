"""What providers answer, as parsers of bytes: a provider that goes mad must not take a service along."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from payment_svc.adapters import stripe_objects
from tax_svc.adapters import avatax_addresses, avatax_faults, avatax_json, avatax_list
from tax_svc.adapters.avatax_json import Malformed
from tests.fakes import tax_samples

_RECORDINGS = Path(__file__).parents[1] / "contract" / "recordings"
_BASIS = tax_samples.basis(1999)
_GIVEBACK = tax_samples.giveback("code-1", "order-1", _BASIS, (1999, 172))
_STRIPE: tuple[Callable[[Any], object], ...] = (
    stripe_objects.intent_of,
    stripe_objects.refund_of,
    stripe_objects.is_release,
    stripe_objects.dispute_of,
    stripe_objects.listed_payment_of,
    stripe_objects.listed_refund_of,
)
_AVATAX: tuple[Callable[[bytes], object], ...] = (
    lambda body: avatax_json.quote(body, _BASIS),
    lambda body: avatax_json.sale(body, "order-1", _BASIS),
    lambda body: avatax_json.given_back(body, _GIVEBACK),
    lambda body: avatax_json.voided(body, "order-1"),
    lambda body: avatax_addresses.resolution(body, tax_samples.SAN_FRANCISCO),
    lambda body: avatax_faults.fault(400, body),
    avatax_list.page,
)
_STATUSES = ("requires_capture", "succeeded", "needs_response")


def stripe_answer(data: bytes) -> None:
    """Any JSON as each object of Stripe's that is read."""
    try:
        answer = orjson.loads(data)
    except ValueError:
        return
    for read in _STRIPE:
        with contextlib.suppress(*stripe_objects.UNREADABLE):
            read(answer)


def avatax_answer(data: bytes) -> None:
    """Any bytes as each answer of AvaTax's that is read."""
    for read in _AVATAX:
        with contextlib.suppress(Malformed):
            read(data)


def stripe_seeds() -> list[bytes]:
    """Return an object with all that is read, in each state that makes a difference, and what Stripe has answered."""
    charge = {
        "amount": 1000,
        "amount_captured": 900,
        "amount_refunded": 100,
        "created": 1_764_000_000,
        "disputed": False,
        "payment_method_details": {"card": {"capture_before": 1_764_000_000}},
    }
    whole = {
        "id": "pi_1",
        "amount": 1000,
        "amount_received": 1000,
        "client_secret": None,
        "created": 1_764_000_000,
        "currency": "usd",
        "evidence_details": {"due_by": 1_764_000_000},
        "last_payment_error": {"code": "card_declined", "type": "card_error"},
        "latest_charge": charge,
        "metadata": {"order_id": "o", "payment_id": "p"},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
    }
    return [orjson.dumps({**whole, "status": status}) for status in _STATUSES] + _recorded("stripe", "body")


def avatax_seeds() -> list[bytes]:
    """Return what AvaTax has answered, and an answer about the sale that is asked about here."""
    quoted = {
        "code": "order-1",
        "currencyCode": "USD",
        "date": "2026-11-23",
        "lines": [{"lineNumber": "line-1", "tax": 1.72, "details": [{"tax": 1.72, "rate": 0.08, "jurisName": "CA"}]}],
        "status": "Committed",
        "totalAmount": 19.99,
        "totalTax": 1.72,
        "type": "SalesInvoice",
    }
    return [orjson.dumps(quoted), orjson.dumps({"value": [quoted]}), *_recorded("avatax", "response")]


def _recorded(provider: str, name: str) -> list[bytes]:
    exchanges = json.loads((_RECORDINGS / f"{provider}.json").read_text(encoding="utf-8"))["exchanges"]
    return [orjson.dumps(exchange[name]) for exchange in exchanges]
