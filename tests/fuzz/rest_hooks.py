"""Hooks of schemathesis: requests that get past the first refusal, and a count of what all were answered.

Schemathesis loads this file by itself, in its own process and in a folder that is thrown away: it imports nothing of
the tests, and leaves its count in that folder.
"""

import atexit
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import schemathesis

COUNT = "answers.json"
_EXAMPLE = json.loads((Path(__file__).parents[2] / "examples" / "order.json").read_text(encoding="utf-8"))
# What hangs together (a place that exists, items of one currency, who receives an event) is hardly ever drawn by its
# shape alone, and nothing can be asked of an order that was never placed. So these begin with what can be done, beside
# which stands what their own members may be besides.
_POSSIBLE: dict[str, tuple[dict[str, Any], dict[str, tuple[Any, ...]]]] = {
    "PlaceOrder": (
        _EXAMPLE,
        {
            "payment_method": ("pm_card_visa", "pm_card_visa", "pm_card_threeDSecure2Required", "pm_card_visa_debit"),
            "capture_mode": ("AT_PLACEMENT", "ON_SHIPMENT"),
        },
    ),
    "QuoteOrder": ({name: _EXAMPLE[name] for name in ("customer", "items", "ship_to")}, {}),
    "RefundOrder": ({}, {"skus": ([], ["MUG-BLUE"], ["TEE-M"])}),
    "CancelOrder": ({}, {}),
    "StartProcessing": ({}, {}),
    "ShipOrder": ({"carrier": "UPS"}, {"items": ([], [{"sku": "TEE-M", "quantity": 1}])}),
    "DeliverOrder": ({}, {}),
    # Nobody listens on that port, so that nothing goes anywhere.
    "CreateWebhookEndpoint": ({"url": "http://127.0.0.1:9/hooks"}, {"event_types": ([], ["order.refunded"])}),
    "UpdateWebhookEndpoint": ({"url": "http://127.0.0.1:9/hooks"}, {"event_types": ([], ["order.refunded"])}),
}
_ITS_OWN = 0.3
_MOST_DRAWN = 1
_WHATEVER_VERSION = 0.8

_answers: Counter[str] = Counter()


@schemathesis.hook
def map_case(context: schemathesis.HookContext, case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Put what can be done in the place of most bodies that keep to the document, with a member or two as drawn."""
    name = context.operation.definition.raw.get("operationId") if context.operation is not None else None
    if name not in _POSSIBLE or not isinstance(case.body, dict) or case.meta is None:
        return case
    # From what was drawn: the same request again is made into the same request again.
    draw = random.Random(repr(case.body))
    if case.meta.generation.mode.is_negative or draw.random() < _ITS_OWN:
        return case
    kept = draw.sample(sorted(case.body), min(len(case.body), draw.randint(0, _MOST_DRAWN)))
    body, besides = _POSSIBLE[name]
    chosen = {member: draw.choice(values) for member, values in besides.items()}
    case.body = {**body, **chosen, **{member: case.body[member] for member in kept}}
    if draw.random() < _WHATEVER_VERSION:
        case.headers.pop("If-Match", None)
    return case


@schemathesis.hook
def after_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], response: schemathesis.Response) -> None:
    """Count what came back."""
    _answers[f"{case.operation.label} {response.status_code}"] += 1


@atexit.register
def _leave() -> None:
    Path(COUNT).write_text(json.dumps(_answers), encoding="utf-8")
