"""Events on their way out: which ones the webhook endpoint hears of, and how they are signed."""

import hashlib
import hmac
from typing import Any

import orjson

from sandbox.storage import Storage
from sandbox.webhooks import Parcel

Json = dict[str, Any]

ENABLED = frozenset(
    {
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "charge.captured",
        "charge.expired",
        "charge.refunded",
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "refund.created",
        "refund.updated",
        "refund.failed",
    }
)
"""The types that are delivered: what a shop that follows its payments would tick in Stripe's dashboard."""


class EventMail:
    """Turns events into webhook requests, one event each, as Stripe does."""

    def __init__(self, storage: Storage, secret: str) -> None:
        self._storage = storage
        self._secret = secret.encode()

    def parcel(self, ids: list[str], now: int) -> Parcel | None:
        """Return the signed request for an event, or None when it is gone."""
        event = self._storage.get("event", ids[0])
        if event is None:
            return None
        body = orjson.dumps(event)
        signature = hmac.new(self._secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json; charset=utf-8", "stripe-signature": f"t={now},v1={signature}"}
        return Parcel(body, headers)

    def delivered(self, ids: list[str]) -> None:
        """Note that the endpoint took the events, or that they are given up."""
        for id_ in ids:
            event = self._storage.get("event", id_)
            if event is not None:
                event["pending_webhooks"] = 0
                self._storage.put("event", id_, event, created=event["created"], parent=event["type"])
