"""What the ledger's page shows: payments with their charges, refunds, disputes, tax documents, the newest first."""

from typing import Any

from sandbox.storage import OF_ORDER, Storage
from sandbox.stripe.payment_methods import token_of

Json = dict[str, Any]

# As many of each kind as a person looks through; an order has a handful.
SHOWN = 100

_KINDS = {"payments": "payment_intent", "refunds": "refund", "disputes": "dispute", "documents": "document"}


async def books(storage: Storage, order_id: str) -> dict[str, list[Json]]:
    """Return what is on record, by kind, as the providers have it; a payment has its "charges" and its "card".

    Args:
        storage: Where it is kept.
        order_id: Only that order's; empty for all.
    """
    await storage.committed()
    where, args = (f" AND {OF_ORDER}", [order_id]) if order_id else ("", [])

    def newest(kind: str) -> list[Json]:
        return storage.select(f"kind = ?{where} ORDER BY seq DESC", [kind, *args], limit=SHOWN)

    found = {name: newest(kind) for name, kind in _KINDS.items()}
    for payment in found["payments"]:
        charges = storage.select("kind = 'charge' AND parent = ? ORDER BY seq", [payment["id"]])
        payment["charges"] = charges
        payment["card"] = _card(storage, payment)
        payment["order_id"] = payment["metadata"].get("order_id", "")
    return found


def _card(storage: Storage, payment: Json) -> str:
    """Return what the card is called in tests; empty while the payment has none."""
    method = storage.get("payment_method", payment["payment_method"]) if payment["payment_method"] else None
    return "" if method is None else token_of(method) or ""
