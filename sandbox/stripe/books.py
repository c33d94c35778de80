"""Stripe's objects as the sandbox keeps them: found, saved, and announced as events."""

from dataclasses import dataclass
from typing import Any

from kernel.clock import Clock
from sandbox.storage import Storage
from sandbox.stripe.errors import missing_object
from sandbox.stripe.events import ENABLED
from sandbox.tokens import Tokens
from sandbox.webhooks import Courier

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"

_NOUNS = {"payment_method": "PaymentMethod"}


@dataclass(frozen=True, slots=True)
class Context:
    """Whose call it is: what events say about the request behind them."""

    request_id: str | None
    """None for what happens by itself."""
    idempotency_key: str | None
    host: str
    """The address the client used, for links back."""


BY_ITSELF = Context(None, None, "")
"""What happens without a request, such as an authorisation that expires."""


class Books:
    """Reads and writes Stripe objects."""

    def __init__(self, storage: Storage, clock: Clock, tokens: Tokens, courier: Courier) -> None:
        self._storage = storage
        self._clock = clock
        self._tokens = tokens
        self._courier = courier

    def new_id(self, prefix: str) -> str:
        """Return an unused id."""
        return self._tokens.stripe(prefix)

    def new_text(self, length: int) -> str:
        """Return random lower-case letters and digits."""
        return self._tokens.text(length)

    def now(self) -> int:
        """Return the time in Unix seconds."""
        return int(self._clock.now().timestamp())

    def find(self, kind: str, id_: str) -> Json | None:
        """Return an object, or None."""
        return self._storage.get(kind, id_)

    def need(self, kind: str, id_: str, *, param: str, status: int = 404) -> Json:
        """Return an object.

        Raises:
            StripeError: there is none; `param` is to blame.
        """
        found = self._storage.get(kind, id_)
        if found is None:
            raise missing_object(_NOUNS.get(kind, kind), id_, param, status=status)
        return found

    def waiting(self, kind: str, before: int) -> list[Json]:
        """Return the objects created until `before` (Unix seconds) to which something is still to happen by itself."""
        found = (self._storage.get(kind, id_) for id_ in self._storage.pending_ids(kind, before))
        return [obj for obj in found if obj is not None]

    def save(self, obj: Json, *, order_id: str | None = None) -> None:
        """Keep a new or changed object; `order_id` when its own metadata does not name the order it belongs to."""
        kind = obj["object"]
        self._storage.put(
            kind,
            obj["id"],
            obj,
            created=obj["created"],
            parent=(obj.get("customer") if kind == "payment_intent" else obj.get("payment_intent")) or "",
            order_id=order_id or (obj.get("metadata") or {}).get("order_id", ""),
            # An authorisation may expire, a late refund will settle.
            pending=obj.get("status") == "requires_capture" or "_settles_to" in obj,
        )

    def announce(self, event_type: str, obj: Json, context: Context) -> None:
        """Write an event about an object as it now is, and send it to the webhook endpoint if that listens to it."""
        wanted = self._courier.enabled and event_type in ENABLED
        id_, now = self.new_id("evt"), self.now()
        event: Json = {
            "id": id_,
            "object": "event",
            "api_version": API_VERSION,
            "created": now,
            "data": {"object": public(obj)},
            "livemode": False,
            "pending_webhooks": int(wanted),
            "request": {"id": context.request_id, "idempotency_key": context.idempotency_key},
            "type": event_type,
        }
        self._storage.put("event", id_, event, created=now, parent=event_type, pending=wanted)
        if wanted:
            self._courier.post(id_)


def public(obj: Json) -> Json:
    """Return what the API shows of an object: everything but the fields that begin with an underscore."""
    return {name: value for name, value in obj.items() if name[0] != "_"}
