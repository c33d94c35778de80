"""The ledger: every charge, refund, tax document and mail that the outside world has seen."""

import asyncio
import contextlib
from typing import Any

import orjson

from sandbox.storage import OF_ORDER, Storage
from sandbox.stripe.payment_methods import token_of

Json = dict[str, Any]

# States in which a PaymentIntent has taken money or holds it on a card.
_HOLDING = frozenset({"succeeded", "requires_capture", "processing"})
_DOCUMENT_FIELDS = {
    "code": "code",
    "type": "type",
    "status": "status",
    "currency": "currencyCode",
    "reference_code": "referenceCode",
    "customer_code": "customerCode",
    "date": "date",
    "version": "version",
}
_DOCUMENT_AMOUNTS = {
    "total_amount": "totalAmount",
    "total_tax": "totalTax",
    "total_taxable": "totalTaxable",
    "total_exempt": "totalExempt",
}
_MAIL_FIELDS = ("id", "message_id", "recipient", "subject", "custom_args", "categories", "received", "status")


class Ledger:
    """Reads the whole state at once; runs beside the event loop, since it may be long."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def read(self, order_id: str | None) -> Json:
        """Return the ledger, of one order or of all."""
        await self._storage.committed()
        return await asyncio.to_thread(self._read, order_id)

    def _read(self, order_id: str | None) -> Json:
        with contextlib.closing(self._storage.connect()) as connection:

            def objects(kind: str) -> list[Json]:
                sql, args = "SELECT body FROM objects WHERE kind = ?", [kind]
                if order_id is not None:
                    sql, args = f"{sql} AND {OF_ORDER}", [kind, order_id]
                return [orjson.loads(body) for (body,) in connection.execute(f"{sql} ORDER BY seq", args)]

            def one(kind: str, id_: str | None) -> Json:
                sql = "SELECT body FROM objects WHERE kind = ? AND id = ?"
                row = connection.execute(sql, (kind, id_)).fetchone()
                return orjson.loads(row[0]) if row else {}

            intents = [intent for intent in objects("payment_intent") if intent["status"] in _HOLDING]
            return {
                "charges": [
                    _charge(
                        intent, one("charge", intent["latest_charge"]), one("payment_method", intent["payment_method"])
                    )
                    for intent in intents
                ],
                # Without balance_transaction nothing was given back: what was held and not taken was let go.
                "refunds": [_refund(refund) for refund in objects("refund") if refund["balance_transaction"]],
                "documents": [_document(document) for document in objects("document")],
                "mails": [{name: mail[name] for name in _MAIL_FIELDS} for mail in objects("mail")],
            }


def _charge(intent: Json, charge: Json, method: Json) -> Json:
    return {
        "payment_intent": intent["id"],
        "charge": intent["latest_charge"],
        "amount": intent["amount_received"] or intent["amount"],
        "amount_refunded": _given_back(charge),
        "currency": intent["currency"],
        "status": intent["status"],
        "metadata": intent["metadata"],
        "payment_method": token_of(method) if method else None,
        "description": intent["description"],
        "created": intent["created"],
    }


def _given_back(charge: Json) -> int:
    """Return what was refunded of a charge, without what was held and not taken where the rest was."""
    refunded: int = charge.get("amount_refunded", 0)
    return refunded - (charge["amount"] - charge["amount_captured"]) if charge.get("amount_captured") else refunded


def _refund(refund: Json) -> Json:
    names = ("charge", "payment_intent", "amount", "currency", "status", "reason", "metadata", "created")
    return {"refund": refund["id"], **{name: refund[name] for name in names}}


def _document(document: Json) -> Json:
    return {
        **{shown: document[name] for shown, name in _DOCUMENT_FIELDS.items()},
        **{shown: document[name] for shown, name in _DOCUMENT_AMOUNTS.items()},
        "company": document["_company"],
    }
