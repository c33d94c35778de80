"""What became of each mail, told through the Event Webhook."""

from typing import Any

import orjson

from sandbox.sendgrid.fates import EVENTS
from sandbox.sendgrid.signing import EventKey
from sandbox.storage import Storage
from sandbox.tokens import Tokens
from sandbox.webhooks import Parcel

Json = dict[str, Any]

KIND = "mail_event"
_EVENT_ID_LENGTH = 22


def event_of(name: str, copy: Json, timestamp: int, tokens: Tokens) -> Json:
    """Return an event of one recipient's copy; `name` is one of `EVENTS`."""
    return {
        **copy["custom_args"],
        "email": copy["recipient"],
        "timestamp": timestamp,
        "smtp-id": f"<{copy['message_id']}@ordermesh.sandbox>",
        "category": copy["categories"],
        "sg_event_id": tokens.text(_EVENT_ID_LENGTH),
        "sg_message_id": message_id_of(copy),
        **EVENTS[name],
    }


def message_id_of(copy: Json) -> str:
    """Return SendGrid's id of one recipient's copy: it begins with the id that the sender was told."""
    return f"{copy['message_id']}.sandbox-{copy['id'].rpartition('.')[2]}"


class EventMail:
    """Turns mail events into webhook requests."""

    def __init__(self, storage: Storage, key: EventKey) -> None:
        self._storage = storage
        self._key = key

    def parcel(self, ids: list[str], now: int) -> Parcel | None:
        """Return the signed request for a batch of events, or None when none is left."""
        events = [event for id_ in ids if (event := self._storage.get(KIND, id_)) is not None]
        if not events:
            return None
        body = orjson.dumps(events)
        timestamp = str(now)
        headers = {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": self._key.sign(timestamp, body),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }
        return Parcel(body, headers)

    def delivered(self, ids: list[str]) -> None:
        """Forget events that the endpoint took, or that are given up: SendGrid does not keep them either."""
        for id_ in ids:
            self._storage.delete(KIND, id_)
