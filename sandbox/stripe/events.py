"""Events: what happened to Stripe's objects, readable and delivered as signed webhooks."""

import hashlib
import hmac
from typing import Any

import orjson

from sandbox.storage import Storage
from sandbox.stripe.books import Books, Context
from sandbox.webhooks import Parcel

Json = dict[str, Any]

# What a shop that follows payments would tick in Stripe's dashboard.
_ENABLED = frozenset(
    {
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "charge.refunded",
        "refund.created",
        "refund.updated",
        "refund.failed",
    }
)


class Events:
    """The operations on Events."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def retrieve(self, params: Json, args: Json, context: Context) -> Json:
        """GET /v1/events/{id}."""
        return self._books.need("event", args["id"], param="id")


class EventMail:
    """Turns events into webhook requests."""

    def __init__(self, storage: Storage, secret: str) -> None:
        self._storage = storage
        self._secret = secret.encode()

    def parcel(self, ids: list[str], now: int) -> Parcel | None:
        """Return the signed request for an event, or None when it is gone. Stripe sends one event per request."""
        event = self._storage.get("event", ids[0])
        if event is None:
            return None
        body = orjson.dumps(event)
        signature = hmac.new(self._secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        return Parcel(
            body, {"content-type": "application/json; charset=utf-8", "stripe-signature": f"t={now},v1={signature}"}
        )

    def delivered(self, ids: list[str]) -> None:
        """Note that the endpoint took the events, or that they are given up."""
        for id_ in ids:
            event = self._storage.get("event", id_)
            if event is not None:
                event["pending_webhooks"] = 0
                self._storage.put("event", id_, event, created=event["created"], parent=event["type"])


def wanted(event_type: str) -> bool:
    """Tell whether the webhook endpoint listens to this type."""
    return event_type in _ENABLED
