"""What the notify service need not keep for ever. That a mail was sent, when, and what became of it is kept."""

from collections.abc import Mapping
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, and_

from chassis.storage.retention import Rule
from notify_svc.adapters.tables import NOTIFICATIONS, REQUEST_KEYS, SENDGRID_EVENTS

_BODY = ("recipient_email", "recipient_name", "content")
_NOWHERE = ["", "", "", "", "", ""]


def _sent(old: int) -> ColumnElement[bool]:
    """Return which mails nothing more is done about, and which still say to whom they went."""
    return and_(
        NOTIFICATIONS.c.created_at < old,
        NOTIFICATIONS.c.due_at.is_(None),
        NOTIFICATIONS.c.news_at.is_(None),
        NOTIFICATIONS.c.recipient_email != "",
    )


def without_person(row: Row[Any]) -> Mapping[str, object]:
    """Return a mail's columns without anything about its reader or what was bought; amounts stay."""
    content: dict[str, Any] = orjson.loads(row.content)
    content |= {"lines": [], "ship_to": _NOWHERE}
    content.pop("reference", None)
    if shipment := content.get("shipment"):
        shipment |= {"lines": [], "tracking_number": "", "tracking_url": ""}
    if refund := content.get("refund"):
        refund["lines"] = []
    return {"recipient_email": "", "recipient_name": "", "content": orjson.dumps(content).decode()}


RULES = (
    Rule(
        "bodies",
        "what mails say, and to whom they went",
        180,
        NOTIFICATIONS,
        _sent,
        by_time=True,
        clears=(_BODY, without_person),
    ),
    Rule(
        "events",
        "ids of SendGrid's events",
        90,
        SENDGRID_EVENTS,
        lambda old: SENDGRID_EVENTS.c.received_at < old,
    ),
    Rule("keys", "idempotency keys of commands", 400, REQUEST_KEYS, lambda old: REQUEST_KEYS.c.created_at < old),
)
