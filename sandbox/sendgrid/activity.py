"""SendGrid's Email Activity feed: the mails that it took, newest first, found by the time of their last event."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from sandbox.sendgrid.errors import refusal
from sandbox.sendgrid.events import message_id_of
from sandbox.sendgrid.mailbox import KIND
from sandbox.storage import Storage

Json = dict[str, Any]

_MAX_LIMIT = 1000
_DEFAULT_LIMIT = 10
_STATUSES = {"delivered": "delivered", "bounced": "not_delivered", "dropped": "not_delivered"}

_TIME = r"""TIMESTAMP\s+(?:"([^"]*)"|'([^']*)')"""
_BETWEEN = re.compile(rf"\s*last_event_time\s+BETWEEN\s+{_TIME}\s+AND\s+{_TIME}\s*", re.IGNORECASE)
_COMPARED = re.compile(rf"\s*last_event_time\s*(<=|>=|<|>|=)\s*{_TIME}\s*", re.IGNORECASE)


class Activity:
    """GET /v3/messages."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def messages(self, query_string: str) -> Json:
        """Return the mails that a query finds.

        Raises:
            SendgridError: the query or the limit cannot be read.
        """
        asked = dict(parse_qsl(query_string))
        where, values = "kind = ?", [KIND]
        for sign, moment in _conditions(asked.get("query", "")):
            where += f" AND created {sign} ?"
            values.append(str(moment))
        found = self._storage.select(f"{where} ORDER BY created DESC, seq DESC", values, limit=_limit(asked))
        return {"messages": [_message(copy) for copy in found]}


def _conditions(query: str) -> list[tuple[str, int]]:
    if not query:
        return []
    if between := _BETWEEN.fullmatch(query):
        first, last = between[1] or between[2], between[3] or between[4]
        return [(">=", _seconds(first)), ("<=", _seconds(last))]
    if compared := _COMPARED.fullmatch(query):
        return [(compared[1], _seconds(compared[2] or compared[3]))]
    raise refusal(400, f"invalid syntax: '{query}' could not be parsed")


def _seconds(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise refusal(400, f"invalid timestamp: '{text}'") from None


def _limit(asked: Json) -> int:
    text = asked.get("limit", str(_DEFAULT_LIMIT))
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_LIMIT:
        raise refusal(400, f"limit must be greater than 0 and less than or equal to {_MAX_LIMIT}")
    return int(text)


def _message(copy: Json) -> Json:
    received = datetime.fromisoformat(copy["received"]).astimezone(UTC)
    return {
        "from_email": copy["from"]["email"],
        "msg_id": message_id_of(copy),
        "subject": copy["subject"],
        "to_email": copy["recipient"],
        "status": _STATUSES[copy["status"]],
        "opens_count": 0,
        "clicks_count": 0,
        "last_event_time": received.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
